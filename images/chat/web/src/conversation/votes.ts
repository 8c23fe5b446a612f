/**
 * Votes: shown at once, sent until they are answered, corrected by what the server says. No DOM.
 *
 * A vote on its way shows the numbers as they were plus itself, whatever comes meanwhile: nobody can
 * tell whether numbers that come before the answer count it. Shortly after the answer the numbers
 * told are shown again; they hold it then.
 */

import { worthRetry, type ClientFrame, type ErrorFrame, type ServerFrame } from "../protocol/frames.ts";
import { newKey, type Message } from "../protocol/message.ts";

export interface Tally {
  readonly up: number;
  readonly down: number;
  /** One's own: 1, 0 or -1. */
  readonly vote: number;
}

export interface VoteWorld {
  say(frame: ClientFrame): boolean;
  /** Who votes; nothing for those signed in, whom the server knows. */
  who(): { readonly name?: string; readonly email?: string };
  /** Own votes that the server does not tell guests again. */
  readonly known: { get(id: string): number | undefined; set(id: string, vote: number): void };
  changed(): void;
  failed(error: Pick<ErrorFrame, "code" | "message">): void;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** Numbers follow a vote's answer within a quarter of a second, and a little more under way. Ms. */
export const SETTLE_MS = 1_000;
/** A vote that is not answered for this long has failed. Ms. */
export const PATIENCE_MS = 20_000;
const RETRY_MS = 1_000;

interface Pending {
  readonly key: string;
  readonly tally: Tally;
  readonly deadline: unknown;
  answered: boolean;
}

export class Votes {
  readonly #pending = new Map<string, Pending>();

  constructor(private readonly world: VoteWorld) {}

  shown(message: Message): Tally {
    return this.#pending.get(message.id)?.tally ?? this.#told(message);
  }

  /** Presses ▲ (1) or ▼ (-1); pressed again, it is taken back. */
  press(message: Message, which: 1 | -1): void {
    const before = this.shown(message);
    const vote = before.vote === which ? 0 : which;
    const tally = {
      up: Math.max(0, before.up - Number(before.vote === 1) + Number(vote === 1)),
      down: Math.max(0, before.down - Number(before.vote === -1) + Number(vote === -1)),
      vote,
    };
    const { id } = message;
    this.#forget(id);
    const deadline = this.world.setTimeout(
      () => this.#fail(id, { code: "unavailable", message: "The vote was not answered." }),
      PATIENCE_MS,
    );
    this.#pending.set(id, { key: newKey(), tally, deadline, answered: false });
    this.world.changed();
    this.#send(id);
  }

  onFrame(frame: ServerFrame): void {
    if (frame.type === "welcome") {
      // What went out on the socket before may be lost; a vote that is counted twice is counted once.
      for (const [id, { answered }] of this.#pending) if (!answered) this.#send(id);
      return;
    }
    if ((frame.type !== "ack" && frame.type !== "error") || frame.key === undefined) return;
    const found = [...this.#pending].find(([, { key }]) => key === frame.key);
    if (!found) return;
    const [id, pending] = found;
    if (frame.type === "ack") {
      pending.answered = true;
      this.world.known.set(id, pending.tally.vote);
      this.world.clearTimeout(pending.deadline);
      this.world.setTimeout(() => {
        if (this.#pending.get(id) !== pending) return;
        this.#pending.delete(id);
        this.world.changed();
      }, SETTLE_MS);
    } else if (worthRetry(frame.code)) {
      this.world.setTimeout(() => {
        if (this.#pending.get(id) === pending && !pending.answered) this.#send(id);
      }, frame.retry_after_ms ?? RETRY_MS);
    } else {
      this.#fail(id, frame);
    }
  }

  #told({ id, up = 0, down = 0, vote }: Message): Tally {
    return { up, down, vote: this.world.known.get(id) ?? vote ?? 0 };
  }

  #send(id: string): void {
    const pending = this.#pending.get(id);
    if (pending) this.world.say({ type: "vote", key: pending.key, id, vote: pending.tally.vote, ...this.world.who() });
  }

  #fail(id: string, error: Pick<ErrorFrame, "code" | "message">): void {
    this.#forget(id);
    this.world.changed();
    this.world.failed(error);
  }

  #forget(id: string): void {
    this.world.clearTimeout(this.#pending.get(id)?.deadline);
    this.#pending.delete(id);
  }
}

/** How many own votes a browser remembers. */
const MAX_KNOWN = 500;

/** A guest's own votes, remembered by this browser for the address they were cast with. */
export class KnownVotes {
  #email = "";
  #votes = new Map<string, number>();

  constructor(
    private readonly saved: { get(name: string): string; set(name: string, value: string): void },
    private readonly email: () => string,
  ) {}

  get(id: string): number | undefined {
    this.#load();
    return this.#votes.get(id);
  }

  set(id: string, vote: number): void {
    this.#load();
    this.#votes.delete(id);
    this.#votes.set(id, vote);
    this.#votes = new Map([...this.#votes].slice(-MAX_KNOWN));
    this.saved.set("votes", JSON.stringify({ email: this.#email, votes: [...this.#votes] }));
  }

  #load(): void {
    const email = this.email();
    if (email === this.#email) return;
    this.#email = email;
    this.#votes = new Map();
    try {
      const value = JSON.parse(this.saved.get("votes")) as { email?: unknown; votes?: unknown } | null;
      if (value?.email !== email || !Array.isArray(value.votes)) return;
      for (const pair of value.votes as unknown[]) {
        if (Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "number") this.#votes.set(pair[0], pair[1]);
      }
    } catch {
      // Nothing was remembered, or something else stands there.
    }
  }
}
