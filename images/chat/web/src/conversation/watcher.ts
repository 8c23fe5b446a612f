/** Filters with a name as views: asks the server now and then which of their matches were not seen. No DOM. */

import { worthRetry, type ErrorFrame, type HistoryFrame } from "../protocol/frames.ts";
import type { Message } from "../protocol/message.ts";
import { addressKey } from "../protocol/text.ts";
import { signal, untracked, type ReadonlySignal } from "../signals.ts";
import { backoff } from "../socket/backoff.ts";
import type { NamedFilter } from "./filters.ts";
import type { Question } from "./questions.ts";

/** So many matches are counted; there may be more. */
export const COUNTED = 100;
/** Views are looked at at most this often. Ms. */
export const LOOK_MS = 5_000;

export interface WatcherWorld {
  /** Times of the newest match seen, by view; of this browser. */
  readonly saved: { get(name: string): string; set(name: string, value: string): void };
  ask(question: Question): Promise<HistoryFrame | ErrorFrame>;
  /** One's own messages are not news. */
  email(): string;
  /** Unread matches that came since the view began, or since the last look. */
  onFresh(name: string, messages: readonly Message[]): void;
  setTimeout(run: () => void, ms: number): unknown;
  random(): number;
}

/** Before all times. */
const EVER = "0";

export class Watcher {
  readonly #unread = signal<ReadonlyMap<string, readonly Message[]>>(new Map());
  #views: readonly NamedFilter[] = [];
  /** Ids of unread matches told before, by view; none for one that was there when the page was loaded. */
  readonly #told = new Map<string, ReadonlySet<string>>();
  /** Something may have come since the last round began. */
  #due = false;
  /** A round is under way, or waits. */
  #busy = false;
  #attempt = 0;

  constructor(private readonly world: WatcherWorld) {}

  /** Matches of each view that were not seen, not one's own; the newest COUNTED at most. */
  get unread(): ReadonlySignal<ReadonlyMap<string, readonly Message[]>> {
    return this.#unread;
  }

  /**
   * These are the views. One that this browser did not know begins now, with everything seen.
   *
   * @param now time of the newest message there is, as the server has it; "" when there is none
   */
  follow(views: readonly NamedFilter[], now: string): void {
    for (const { name } of this.#views) if (!views.some((view) => view.name === name)) this.forget(name);
    this.#views = views;
    for (const { name } of views) if (this.#mark(name) === "") this.begin(name, now);
    this.look();
  }

  /** The view begins, or begins anew: what came up to `time` was seen, whatever comes later is new. */
  begin(name: string, time: string): void {
    this.#setMark(name, time || EVER);
    this.#told.set(name, new Set());
    this.#tell(name, []);
  }

  /** Everything up to this moment was seen. */
  seen(name: string, time: string): void {
    if (time <= this.#mark(name)) return;
    this.#setMark(name, time);
    this.#tell(name, untracked(() => this.#unread.value.get(name)) ?? []);
  }

  forget(name: string): void {
    this.#setMark(name, "");
    this.#told.delete(name);
    this.#tell(name, []);
  }

  /** Something came that may match: looks soon, one view after the other, one round at a time. */
  look(): void {
    this.#due = this.#views.length > 0;
    if (this.#due && !this.#busy) void this.#round();
  }

  async #round(): Promise<void> {
    this.#busy = true;
    this.#due = false;
    let wait: number | undefined;
    for (const view of this.#views) {
      const answer = await this.world.ask({ filter: view.filter, limit: COUNTED });
      if (answer.type === "history") {
        this.#found(view, answer.messages);
      } else if (worthRetry(answer.code)) {
        // What failed may pass: the same again after a while, whether something comes or not.
        wait = (answer.retry_after_ms ?? 0) + backoff(++this.#attempt, () => this.world.random());
        break;
      }
    }
    if (wait === undefined) this.#attempt = 0;
    else this.#due = true;
    this.world.setTimeout(() => {
      this.#busy = false;
      if (this.#due) this.look();
    }, wait ?? LOOK_MS);
  }

  #found(view: NamedFilter, matches: readonly Message[]): void {
    const { name } = view;
    // Removed, or saved anew as another filter, while the answer was under way.
    if (!this.#views.some((now) => now.name === name && now.filter === view.filter)) return;
    const unread = this.#tell(name, matches);
    const told = this.#told.get(name);
    this.#told.set(name, new Set(unread.map(({ id }) => id)));
    const fresh = told ? unread.filter(({ id }) => !told.has(id)) : [];
    if (fresh.length > 0) this.world.onFresh(name, fresh);
  }

  /** Shows those of them that were not seen, and returns them. */
  #tell(name: string, matches: readonly Message[]): readonly Message[] {
    const mark = this.#mark(name);
    const own = addressKey(this.world.email());
    const unread = matches.filter(({ time, email }) => time > mark && addressKey(email) !== own);
    const before = untracked(() => this.#unread.value);
    if (unread.length > 0 || (before.get(name)?.length ?? 0) > 0) this.#unread.value = new Map(before).set(name, unread);
    return unread;
  }

  #mark(name: string): string {
    return this.world.saved.get(markOf(name));
  }

  #setMark(name: string, time: string): void {
    this.world.saved.set(markOf(name), time);
  }
}

function markOf(name: string): string {
  return `seen ${name}`;
}
