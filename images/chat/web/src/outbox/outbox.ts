/**
 * What the person sent and the log has not confirmed: kept in memory with a copy in storage, sent in order, retried with
 * the same key until the log has it or refuses it for good. All tabs of a browser share it; a lock
 * makes one of them the sender at a time. No DOM.
 */

import { worthRetry, type ServerFrame } from "../protocol/frames.ts";
import { newKey, type Draft, type Message } from "../protocol/message.ts";
import { backoff } from "../socket/backoff.ts";
import { statusOf, type Entry, type EntryShelf } from "./entry.ts";

/** An answer that takes longer is taken for lost; the post is repeated with its key. Ms. */
export const ACK_DEADLINE_MS = 10_000;
/**
 * The log recognises a key for 24 h. An entry that went out longer ago than this is not repeated
 * by itself: it might become a second message. Ms.
 */
export const KEY_LIFE_MS = 23 * 3_600_000;
/** Pods' clocks differ by less than this. An entry tried further in the future has no known age. Ms. */
const SKEW_MS = 10 * 60_000;
/** An entry that fails this often by itself, not by an outage, lets those behind it go first. */
const PATIENCE = 3;
/** How long a confirmed entry stays for the other tabs. Ms. */
const LINGER_MS = 5_000;

/**
 * Runs work while no other tab of this browser runs its own. The signal tells the work that another
 * tab took over, because this one seemed to hang: it ends then, and sends nothing more.
 */
export type Lock = (work: (signal: AbortSignal) => Promise<void>) => Promise<void>;

export interface OutboxWorld {
  readonly shelf: EntryShelf;
  readonly lock: Lock;
  /** Sends a post; false when not connected. */
  post(draft: Draft): boolean;
  /** No answer in time: the connection may be dead without knowing it. */
  suspect(): void;
  /** The entries changed, by this tab or another. */
  onChange(entries: readonly Entry[]): void;
  /** Ms since 1970, by the server's clock as far as it is known. */
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  random(): number;
}

type Outcome =
  | { readonly kind: "settled" }
  /** The socket is gone: again at once on the next one. */
  | { readonly kind: "lost" }
  | { readonly kind: "offline" }
  /** The server cannot take posts now: all wait. */
  | { readonly kind: "retry"; readonly after: number }
  /** This one had no answer, or a fault of the server as answer. */
  | { readonly kind: "trouble"; readonly after: number };

export class Outbox {
  #connected = false;
  #draining = false;
  /** Pumped while draining: look again afterwards. */
  #again = false;
  #attempt = 0;
  #retry: unknown;
  /** The post on the wire. */
  #flight: { readonly key: string; resolve(outcome: Outcome): void } | undefined;
  /** Keys not confirmed, as this tab last saw them: spares a look for each message. */
  #open = new Set<string>();
  /** How often in a row each entry was in trouble, and which of them let others go first for now. */
  readonly #troubles = new Map<string, number>();
  readonly #deferred = new Set<string>();

  constructor(private readonly world: OutboxWorld) {}

  /** Shows what an earlier page left and sweeps what it had confirmed. */
  start(): void {
    for (const entry of this.world.shelf.list()) if (entry.sent) this.world.shelf.remove(entry.key);
    this.#publish();
  }

  add(draft: Omit<Draft, "key"> & Pick<Entry, "account">): Entry {
    // Two messages of one millisecond keep their order; so do two around a clock that was set.
    const created = Math.max(this.world.now(), (this.world.shelf.list().at(-1)?.created ?? 0) + 1);
    const entry: Entry = { ...draft, key: newKey(), created };
    this.world.shelf.put(entry);
    this.#publish();
    this.#pump();
    return entry;
  }

  /** Tries an entry that failed or waits again, now, with its key. */
  retry(key: string): void {
    const entry = this.world.shelf.get(key);
    if (!entry || entry.sent) return;
    if (entry.failed) {
      const { failed, ...fresh } = entry;
      // An expired key is unknown to the log: the person decided to post it anew.
      const { tried, ...untried } = fresh;
      this.world.shelf.put(failed.code === EXPIRED ? untried : fresh);
    }
    this.#deferred.delete(key);
    this.#clearRetry();
    this.#publish();
    this.#pump();
  }

  /** Takes an entry that was not confirmed out and hands it back, to be edited or thrown away. */
  takeBack(key: string): Entry | undefined {
    const entry = this.world.shelf.get(key);
    if (!entry || entry.sent) return undefined;
    this.#remove(key);
    this.#land(key, { kind: "settled" });
    this.#pump();
    return entry;
  }

  /** What waits for these topics cannot be sent there (any more): each entry says why, and can be edited or thrown away. */
  refuse(isGone: (topic: string) => boolean, why: string): void {
    for (const entry of this.world.shelf.list()) {
      if (entry.sent || !isGone(entry.topic)) continue;
      this.#fail(entry.key, "not_found", why);
      this.#land(entry.key, { kind: "settled" });
    }
  }

  /** Tell it when posting becomes possible and when it ends. */
  setConnected(connected: boolean): void {
    this.#connected = connected;
    if (connected) {
      this.#attempt = 0;
      this.#clearRetry();
      this.#pump();
    } else {
      this.#land(undefined, { kind: "offline" });
    }
  }

  /** Posts that died with their socket, and the close code of it. */
  onLost(keys: readonly string[], closeCode: number): void {
    for (const key of keys) {
      // Sent again, they would close the next socket too.
      if (REFUSING_CLOSES.has(closeCode)) this.#fail(key, "bad_frame", "The server could not read this message.");
      this.#land(key, { kind: "lost" });
    }
  }

  /** Another tab changed the storage. */
  onStorage(storageKey: string | null): void {
    if (!this.world.shelf.owns(storageKey)) return;
    if (storageKey === null) this.world.shelf.restore();
    else this.world.shelf.sync();
    this.#publish();
    const flying = this.#flight && this.world.shelf.get(this.#flight.key);
    if (this.#flight && (!flying || flying.sent)) this.#land(this.#flight.key, { kind: "settled" });
    this.#pump();
  }

  /** Every frame passes here, after the store has it in its queue. */
  onFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case "ack":
        if (frame.id !== undefined && frame.time !== undefined) this.#confirm(frame.key, frame.id, frame.time);
        break;
      case "error":
        // One that names nothing and is no outage can only be about what is on the wire.
        if (frame.key !== undefined) this.#refused(frame.key, frame);
        else if (frame.ref === undefined && this.#flight && !worthRetry(frame.code)) this.#refused(this.#flight.key, frame);
        break;
      case "welcome":
      case "messages":
      case "history":
        for (const message of frame.messages) this.#seen(message);
        break;
    }
  }

  /** The own copy is as good as an ack: it came back from the log. */
  #seen(message: Message): void {
    if (this.#open.has(message.key)) this.#confirm(message.key, message.id, message.time);
  }

  #confirm(key: string, id: string, time: string): void {
    const entry = this.world.shelf.get(key);
    if (entry && !entry.sent) {
      const { failed: _, ...rest } = entry;
      this.world.shelf.put({ ...rest, sent: { id, time } });
      this.world.setTimeout(() => this.#remove(key), LINGER_MS);
      this.#publish();
    }
    this.#attempt = 0;
    this.#land(key, { kind: "settled" });
  }

  #refused(key: string, error: { code: string; message: string; retry_after_ms?: number }): void {
    if (!worthRetry(error.code)) {
      this.#fail(key, error.code, error.message);
      this.#land(key, { kind: "settled" });
      return;
    }
    const wait = backoff(this.#attempt++, () => this.world.random());
    const kind = error.code === "internal" ? "trouble" : "retry";
    this.#land(key, { kind, after: Math.max(wait, error.retry_after_ms ?? 0) });
  }

  #fail(key: string, code: string, message: string): void {
    const entry = this.world.shelf.get(key);
    // The first reason stands until the person tries again.
    if (!entry || entry.sent || entry.failed) return;
    this.world.shelf.put({ ...entry, failed: { code, message } });
    this.#publish();
  }

  #remove(key: string): void {
    this.world.shelf.remove(key);
    this.#troubles.delete(key);
    this.#deferred.delete(key);
    this.#publish();
  }

  #pump(): void {
    if (this.#draining) {
      this.#again = true;
      return;
    }
    if (!this.#connected || this.#retry !== undefined || !this.#nextEntry()) return;
    this.#draining = true;
    this.#again = false;
    void this.world
      .lock((signal) => this.#drain(signal))
      .finally(() => {
        this.#draining = false;
        if (this.#again) this.#pump();
      });
  }

  #nextEntry(): Entry | undefined {
    return this.world.shelf.list().find((entry) => statusOf(entry) === "pending" && !this.#deferred.has(entry.key));
  }

  /** Sends one after the other: with several on the wire a refused one would be overtaken. */
  async #drain(signal: AbortSignal): Promise<void> {
    while (this.#connected && !signal.aborted) {
      // The tab that held the lock before may have sent what this one does not know of yet.
      this.world.shelf.sync();
      const entry = this.#nextEntry();
      if (!entry) return this.#publish();
      if (entry.tried !== undefined && !this.#keyLives(entry.tried)) {
        this.#fail(entry.key, EXPIRED, "Nobody knows whether this was sent. Look for it before you send it again.");
        continue;
      }
      const outcome = await this.#fly(entry);
      if (outcome.kind === "offline") return;
      if (outcome.kind === "retry") return this.#pumpAfter(outcome.after);
      if (outcome.kind === "trouble") {
        const times = (this.#troubles.get(entry.key) ?? 0) + 1;
        this.#troubles.set(entry.key, times);
        if (times < PATIENCE) return this.#pumpAfter(outcome.after);
        this.#defer(entry.key, Math.max(outcome.after, backoff(times + 2, () => this.world.random())));
      }
    }
  }

  #keyLives(tried: number): boolean {
    const age = this.world.now() - tried;
    return age <= KEY_LIFE_MS && age >= -SKEW_MS;
  }

  #pumpAfter(ms: number): void {
    this.#retry = this.world.setTimeout(() => {
      this.#retry = undefined;
      this.#pump();
    }, ms);
  }

  #clearRetry(): void {
    this.world.clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #defer(key: string, ms: number): void {
    this.#deferred.add(key);
    this.world.setTimeout(() => {
      if (this.#deferred.delete(key)) this.#pump();
    }, ms);
  }

  #fly(entry: Entry): Promise<Outcome> {
    if (entry.tried === undefined) this.world.shelf.put({ ...entry, tried: this.world.now() });
    return new Promise((resolve) => {
      const deadline = this.world.setTimeout(() => {
        this.world.suspect();
        this.#land(entry.key, { kind: "trouble", after: 0 });
      }, ACK_DEADLINE_MS);
      this.#flight = {
        key: entry.key,
        resolve: (outcome) => {
          this.world.clearTimeout(deadline);
          resolve(outcome);
        },
      };
      if (this.world.post(entry)) return;
      this.world.shelf.put(entry); // It did not go out after all.
      this.#land(entry.key, { kind: "offline" });
    });
  }

  /** Ends the flight; with no key, whichever it is. */
  #land(key: string | undefined, outcome: Outcome): void {
    const flight = this.#flight;
    if (!flight || (key !== undefined && flight.key !== key)) return;
    this.#flight = undefined;
    flight.resolve(outcome);
  }

  #publish(): void {
    const entries = this.world.shelf.list();
    this.#open = new Set(entries.filter((entry) => !entry.sent).map((entry) => entry.key));
    this.world.onChange(entries);
  }
}

const EXPIRED = "expired";
/** Closes that say "what you sent cannot be read": unsupported, not UTF-8, too big. */
const REFUSING_CLOSES: ReadonlySet<number> = new Set([1003, 1007, 1009]);
