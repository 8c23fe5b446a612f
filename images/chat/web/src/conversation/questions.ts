/** Questions to the server's history that are nobody's scrolling: replies, filters, numbers. No DOM. */

import type { ClientFrame, ErrorFrame, HistoryFrame, ServerFrame } from "../protocol/frames.ts";

export type Question = Omit<Extract<ClientFrame, { type: "history" }>, "type" | "ref">;

export interface QuestionWorld {
  /** False: not connected, nothing was sent. */
  say(frame: ClientFrame): boolean;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** No answer for this long is no answer. Ms. */
export const ANSWER_MS = 15_000;

export class Questions {
  #refs = 0;
  readonly #open = new Map<string, { question: Question; answer(frame: HistoryFrame | ErrorFrame): void; deadline: unknown }>();

  constructor(private readonly world: QuestionWorld) {}

  /** Never rejects: no connection and no answer are errors of the code `unavailable`. */
  ask(question: Question): Promise<HistoryFrame | ErrorFrame> {
    const ref = `ask-${++this.#refs}`;
    return new Promise((answer) => {
      const deadline = this.world.setTimeout(() => this.#settle(ref, noAnswer(ref)), ANSWER_MS);
      this.#open.set(ref, { question, answer, deadline });
      if (!this.world.say({ type: "history", ref, ...question })) this.#settle(ref, noAnswer(ref));
    });
  }

  onFrame(frame: ServerFrame): void {
    // Another socket: answers of the one before may be lost with it.
    if (frame.type === "welcome") for (const [ref, { question }] of this.#open) this.world.say({ type: "history", ref, ...question });
    if (frame.type === "history") this.#settle(frame.ref, frame);
    else if (frame.type === "error" && frame.ref !== undefined) this.#settle(frame.ref, frame);
  }

  #settle(ref: string, frame: HistoryFrame | ErrorFrame): void {
    const open = this.#open.get(ref);
    if (!open) return;
    this.#open.delete(ref);
    this.world.clearTimeout(open.deadline);
    open.answer(frame);
  }
}

function noAnswer(ref: string): ErrorFrame {
  return { type: "error", code: "unavailable", message: "The server did not answer.", ref };
}
