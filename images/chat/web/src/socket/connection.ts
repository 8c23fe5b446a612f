/**
 * One chat session kept alive over many sockets: connect, back off, resume by cursor, obey `bye`.
 * Knows frames and sockets, nothing of the page: no DOM, no storage, and its clock, timers and
 * sockets are given to it.
 *
 * At most two sockets live at once: the current one, and the next one while it shakes hands. The
 * next becomes current with its `welcome`; only then is the old one closed, so that nothing is
 * missed in between. What both deliver is the same, and the store merges it by id.
 */

import { decode } from "../protocol/decode.ts";
import {
  CLOSE_BAD_FRAMES,
  CLOSE_NORMAL,
  CLOSE_POLICY,
  CLOSE_SIGNED_OUT,
  SUBPROTOCOL,
  worthRetry,
  type ClientFrame,
  type ServerFrame,
} from "../protocol/frames.ts";
import type { Draft } from "../protocol/message.ts";
import { backoff } from "./backoff.ts";

/** The part of a browser's WebSocket that is used. */
export interface SocketLike {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** What the connection needs from the world. Times in ms. */
export interface World {
  dial(url: string, subprotocol: string): SocketLike;
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Uniform in [0, 1). */
  random(): number;
}

export type ConnectionState =
  /** Shaking hands, and nothing else is open. */
  | { readonly phase: "connecting" }
  /** Welcomed: live messages flow, posts go out. */
  | { readonly phase: "open"; readonly server: string }
  /** The next attempt is at `until` (by World.now). */
  | { readonly phase: "waiting"; readonly until: number }
  /** The server told this client not to come back by itself. */
  | { readonly phase: "stopped"; readonly code: number; readonly reason: string };

export interface Listener {
  /** A frame, in the order of its socket. Frames of two sockets may interleave and repeat. */
  onFrame(frame: ServerFrame): void;
  onState(state: ConnectionState): void;
  /** These posts went out on a socket that is gone, unanswered: send them again, same key. */
  onLost(keys: readonly string[], closeCode: number): void;
  /** This many attempts in a row ended before `welcome`, with nothing else open. */
  onFailed?(attempts: number): void;
}

/** How many latest messages a first welcome brings. */
export const WELCOME_LIMIT = 50;
/** From dialling to `welcome`; the server itself allows 10 s for `hello`. */
export const WELCOME_DEADLINE_MS = 10_000;
/** A socket that lived shorter than this after its welcome does not reset the back-off. */
export const STABLE_MS = 5_000;
/** The old socket waits this long for answers to posts before it is closed. */
export const RETIRE_MS = 2_000;
/** Silence after which the server is asked whether it is still there, and how long it may take. */
export const SILENCE_MS = 90_000;
export const PROBE_DEADLINE_MS = 10_000;
const PROBE_REF = "probe";

interface Link {
  readonly socket: SocketLike;
  /** When it was welcomed; undefined until then. */
  welcomed?: number;
  /** Keys posted on it and not answered yet. */
  readonly unanswered: Set<string>;
  /** Last time anything came. */
  heard: number;
  probing: boolean;
  retiring: boolean;
  deadline?: unknown;
  watch?: unknown;
}

export class Connection {
  #current: Link | undefined;
  #next: Link | undefined;
  #retiring = new Set<Link>();
  #cursor: string | undefined;
  /** The next socket begins anew, whatever the cursor is by then. */
  #anew = false;
  /** Failed attempts since the last stable connection. */
  #attempt = 0;
  /** Sockets in a row that were never welcomed. */
  #failures = 0;
  #timer: unknown;
  #stop: { code: number; reason: string } | undefined;
  #state: ConnectionState = { phase: "connecting" };

  constructor(
    private readonly url: string,
    private readonly world: World,
    private readonly listener: Listener,
    /** Of who is signed in; undefined for a guest. */
    private readonly token?: string,
  ) {}

  /** Dials for the first time. */
  start(): void {
    this.#dial();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Sends a post on the current socket. False: not connected, nothing was sent. */
  post(draft: Draft): boolean {
    const link = this.#current;
    if (!link) return false;
    link.unanswered.add(draft.key);
    const { key, topic, name, email, content, reply_to } = draft;
    this.#send(link, { type: "post", key, topic, name, email, content, ...(reply_to !== undefined && { reply_to }) });
    return true;
  }

  /** Sends a frame whose answer is nobody's duty here: a vote, a message that is not kept. False: not connected. */
  say(frame: ClientFrame): boolean {
    const link = this.#current;
    if (link) this.#send(link, frame);
    return link !== undefined;
  }

  /** Asks for history; the answer is a `history` frame with that ref. False: not connected. */
  history(request: Omit<Extract<ClientFrame, { type: "history" }>, "type">): boolean {
    const link = this.#current;
    if (!link) return false;
    this.#send(link, { type: "history", ...request });
    return true;
  }

  /** A person asks: try at once, also after the server said to stay away. */
  reconnectNow(): void {
    this.#stop = undefined;
    this.#attempt = 0;
    if (this.#next) this.#forget(this.#next);
    this.#dial();
  }

  /** The browser says that there is no network: no socket lives on without one. */
  lost(): void {
    if (this.#next) this.#drop(this.#next);
    if (this.#current) this.#drop(this.#current);
  }

  /**
   * After sleep or a long time in the background: resume on a fresh socket, because the old one may
   * be dead without knowing it. The old one stays until the fresh one is welcomed.
   */
  renew(): void {
    if (this.#stop) return;
    if (!this.#current) return this.reconnectNow();
    if (!this.#next) this.#dial();
  }

  /** What may be seen has grown: the list begins anew, on a fresh socket and without the cursor. */
  restart(): void {
    this.#anew = true;
    if (this.#next) this.#forget(this.#next);
    this.renew();
  }

  #dial(): void {
    this.#clearTimer();
    const socket = this.world.dial(this.url, SUBPROTOCOL);
    const link: Link = {
      socket,
      unanswered: new Set(),
      heard: this.world.now(),
      probing: false,
      retiring: false,
    };
    this.#next = link;
    if (!this.#current) this.#setState({ phase: "connecting" });
    link.deadline = this.world.setTimeout(() => this.#drop(link), WELCOME_DEADLINE_MS);
    socket.onopen = () => {
      this.#send(link, {
        type: "hello",
        ...(this.token !== undefined && { token: this.token }),
        topics: ["*"],
        ...(this.#cursor === undefined || this.#anew ? { limit: WELCOME_LIMIT } : { cursor: this.#cursor }),
      });
    };
    socket.onmessage = ({ data }) => this.#receive(link, data);
    socket.onclose = ({ code, reason }) => this.#closed(link, code, reason);
  }

  #receive(link: Link, data: unknown): void {
    link.heard = this.world.now();
    link.probing = false;
    if (typeof data !== "string") return;
    const decoded = decode(data);
    if (decoded.kind === "unknown") return;
    if (decoded.kind === "bad") {
      // To go on would be a silent gap. A fresh socket asks again from the last good cursor.
      console.warn(`chat: ${decoded.reason}; reconnecting`);
      this.#drop(link);
      return;
    }
    const { frame } = decoded;
    switch (frame.type) {
      case "welcome":
        if (link === this.#next) this.#promote(link, frame.server);
        this.#advance(link, frame.cursor);
        break;
      case "messages":
      case "updates":
        this.#advance(link, frame.cursor);
        break;
      case "presence":
        if (link !== this.#current) return;
        this.#advance(link, frame.cursor);
        break;
      case "ephemeral":
        // A socket that is being left says the same once more, and there is no id to know it by.
        if (link !== this.#current) return;
        break;
      case "ack":
        this.#answered(link, frame.key);
        break;
      case "error":
        // Refused before it was welcomed: the close code says why, or another try may help.
        if (link === this.#next) {
          if (worthRetry(frame.code)) this.#drop(link);
          return;
        }
        if (frame.key !== undefined) this.#answered(link, frame.key);
        if (frame.ref === PROBE_REF) return;
        break;
      case "history":
        if (frame.ref === PROBE_REF) return;
        break;
      case "bye":
        if (link === this.#current && !this.#next && this.#timer === undefined) {
          // Not at once: the server may say bye to many in one instant.
          this.#after(Math.floor((this.world.random() * frame.reconnect_in_ms) / 2), () => this.#dial());
        }
        return;
    }
    this.listener.onFrame(frame);
  }

  /** Only the current socket moves the cursor: a retiring one is behind it. */
  #advance(link: Link, cursor: string | undefined): void {
    if (cursor !== undefined && link === this.#current) this.#cursor = cursor;
  }

  #promote(link: Link, server: string): void {
    const old = this.#current;
    this.#next = undefined;
    this.#current = link;
    link.welcomed = this.world.now();
    this.#failures = 0;
    this.#anew = false;
    this.world.clearTimeout(link.deadline);
    this.#watch(link);
    if (old) this.#retire(old);
    this.#setState({ phase: "open", server });
  }

  #retire(link: Link): void {
    link.retiring = true;
    this.world.clearTimeout(link.watch);
    this.#retiring.add(link);
    if (link.unanswered.size === 0) return this.#finish(link);
    link.deadline = this.world.setTimeout(() => this.#finish(link), RETIRE_MS);
  }

  #finish(link: Link): void {
    this.#forget(link);
    this.#reportLost(link, CLOSE_NORMAL);
  }

  #answered(link: Link, key: string): void {
    link.unanswered.delete(key);
    if (link.retiring && link.unanswered.size === 0) this.#finish(link);
  }

  /** Gives up on a socket without waiting for the network to notice. */
  #drop(link: Link): void {
    this.#closed(link, 0, "");
  }

  #closed(link: Link, code: number, reason: string): void {
    const wasCurrent = link === this.#current;
    const wasNext = link === this.#next;
    this.#forget(link);
    if (code === CLOSE_POLICY || code === CLOSE_BAD_FRAMES || code === CLOSE_SIGNED_OUT) this.#stop = { code, reason };
    if (wasCurrent && this.world.now() - (link.welcomed ?? 0) >= STABLE_MS) this.#attempt = 0;
    if (wasCurrent || wasNext) this.#comeBack();
    this.#reportLost(link, code);
    if (wasNext && !this.#current) this.listener.onFailed?.(++this.#failures);
  }

  /** Decides what follows after the current or the next socket went away. */
  #comeBack(): void {
    if (this.#stop) {
      this.#clearTimer();
      if (!this.#current) this.#setState({ phase: "stopped", ...this.#stop });
      return;
    }
    if (this.#next) {
      if (!this.#current) this.#setState({ phase: "connecting" });
      return;
    }
    if (this.#current && this.#timer !== undefined) return;
    const wait = backoff(this.#attempt++, () => this.world.random());
    this.#after(wait, () => this.#dial());
    if (!this.#current) this.#setState({ phase: "waiting", until: this.world.now() + wait });
  }

  /** Cuts every tie to a socket, and closes it. */
  #forget(link: Link): void {
    if (this.#current === link) this.#current = undefined;
    if (this.#next === link) this.#next = undefined;
    this.#retiring.delete(link);
    this.world.clearTimeout(link.deadline);
    this.world.clearTimeout(link.watch);
    const { socket } = link;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(CLOSE_NORMAL);
  }

  #reportLost(link: Link, closeCode: number): void {
    if (link.unanswered.size === 0) return;
    const keys = [...link.unanswered];
    link.unanswered.clear();
    this.listener.onLost(keys, closeCode);
  }

  /**
   * A socket can be dead for hours without a close event (a cable pulled beyond the next router).
   * After a long silence ask for something small; no answer, no socket.
   */
  #watch(link: Link): void {
    const silent = this.world.now() - link.heard;
    if (link.probing && silent >= SILENCE_MS) return this.#drop(link);
    if (silent >= SILENCE_MS) {
      link.probing = true;
      this.#send(link, { type: "history", ref: PROBE_REF, limit: 1 });
      link.watch = this.world.setTimeout(() => this.#watch(link), PROBE_DEADLINE_MS);
      return;
    }
    link.watch = this.world.setTimeout(() => this.#watch(link), SILENCE_MS - silent);
  }

  #send(link: Link, frame: ClientFrame): void {
    link.socket.send(JSON.stringify(frame));
  }

  #after(ms: number, run: () => void): void {
    this.#clearTimer();
    this.#timer = this.world.setTimeout(() => {
      this.#timer = undefined;
      run();
    }, ms);
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.world.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.listener.onState(state);
  }
}
