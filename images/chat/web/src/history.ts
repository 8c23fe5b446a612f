/**
 * Asks for older messages, with manners: one request under way, whichever view it is for; after a
 * failure that may pass a jittered wait, never shorter than the server asked for; after one that
 * will not pass, nothing until a person asks. No DOM.
 */

import { worthRetry, type ClientFrame, type ServerFrame } from "./protocol/frames.ts";
import { backoff } from "./socket/backoff.ts";

export type HistoryRequest = Omit<Extract<ClientFrame, { type: "history" }>, "type">;

export interface HistoryWorld {
  /** What to ask for next in this view; undefined: nothing (no more there, or refused for good). */
  next(view: string): Omit<HistoryRequest, "ref"> | undefined;
  /** Sends it; false when there is no way to. The answer comes to `onFrame`. */
  send(request: HistoryRequest, view: string): boolean;
  /** Nothing came in time: shown as an answer to this ref. */
  onSilence(ref: string): void;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  random(): number;
}

/** No answer for this long is no answer. Ms. */
export const ANSWER_DEADLINE_MS = 15_000;

export class History {
  #refs = 0;
  #underWay: { readonly ref: string; readonly view: string; readonly deadline: unknown } | undefined;
  #attempt = 0;
  /** Runs while nothing may be asked. */
  #wait: unknown;
  /** The view that wants more once something may be asked again. */
  #wanted: string | undefined;

  constructor(private readonly world: HistoryWorld) {}

  /** Asks for what is older in this view, now or as soon as it may. True: an answer is awaited. */
  ask(view: string): boolean {
    const next = this.world.next(view);
    if (!next) return false;
    // A view that needs more than what is coming asks again when that has come.
    if (view === this.#underWay?.view) return true;
    this.#wanted = view;
    if (this.#underWay || this.#wait !== undefined) return true;
    const ref = `history-${++this.#refs}`;
    const deadline = this.world.setTimeout(() => {
      this.world.onSilence(ref);
      this.#failed(0);
    }, ANSWER_DEADLINE_MS);
    // Before sending: an answer may come at once.
    this.#underWay = { ref, view, deadline };
    this.#wanted = undefined;
    if (this.world.send({ ref, ...next }, view)) return true;
    this.reset();
    return false;
  }

  onFrame(frame: ServerFrame): void {
    if ((frame.type !== "history" && frame.type !== "error") || frame.ref !== this.#underWay?.ref) return;
    if (frame.type === "error" && worthRetry(frame.code)) return this.#failed(frame.retry_after_ms ?? 0);
    // An empty page that promises more is no progress: not a reason to ask again at once.
    if (frame.type === "history" && frame.more && frame.messages.length === 0) return this.#failed(0);
    this.#done();
    this.#attempt = 0;
    this.#goOn();
  }

  /** The socket is gone, and with it the answer; or the person asks for another try. */
  reset(): void {
    this.#done();
    this.world.clearTimeout(this.#wait);
    this.#wait = undefined;
  }

  #failed(retryAfter: number): void {
    this.#wanted ??= this.#underWay?.view;
    this.#done();
    const wait = retryAfter + backoff(this.#attempt++, () => this.world.random());
    this.#wait = this.world.setTimeout(() => {
      this.#wait = undefined;
      this.#goOn();
    }, wait);
  }

  #goOn(): void {
    const view = this.#wanted;
    this.#wanted = undefined;
    if (view !== undefined) this.ask(view);
  }

  #done(): void {
    this.world.clearTimeout(this.#underWay?.deadline);
    this.#underWay = undefined;
  }
}
