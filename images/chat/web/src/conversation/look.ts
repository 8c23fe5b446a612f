/** Looking through all history by a filter, in pages that may hold little. No DOM. */

import type { ErrorFrame, HistoryFrame } from "../protocol/frames.ts";
import type { Message } from "../protocol/message.ts";
import type { Question } from "./questions.ts";

export interface Finding {
  readonly messages: readonly Message[];
  /** Where to go on; undefined: that was all there is. */
  readonly before: string | undefined;
  readonly error?: Pick<ErrorFrame, "code" | "message" | "at" | "expected">;
}

/** Matches wanted at a time, and how many pages are asked for to get them. */
export const WANTED = 50;
export const MAX_PAGES = 5;

/**
 * Looks for older matches than those before `before`: goes on over pages that hold few, and stops
 * after some of them, since a filter may match once in a million.
 */
export async function lookBack(
  ask: (question: Question) => Promise<HistoryFrame | ErrorFrame>,
  question: Pick<Question, "filter" | "topic">,
  before: string | undefined,
): Promise<Finding> {
  let messages: readonly Message[] = [];
  let next = before;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await ask({ ...question, limit: WANTED, ...(next !== undefined && { before: next }) });
    if (answer.type === "error") return { messages, before: next, error: answer };
    messages = [...answer.messages, ...messages];
    const goOn = answer.more ? (answer.before ?? answer.messages[0]?.id) : undefined;
    // A page that promises more and does not say where is the end: to ask again would be a loop.
    if (goOn === undefined || goOn === next) return { messages, before: undefined };
    next = goOn;
    if (messages.length >= WANTED) break;
  }
  return { messages, before: next };
}

/** Is this words alone, so that the loaded messages can be looked through for them as well? */
export function isPlain(filter: string): boolean {
  return !/[:"()#]|(?:^|\s)-\S|(?:^|\s)OR(?:\s|$)/u.test(filter);
}

/** What of a filter stands in the contents it matches: to be marked there. */
export function wordsToMark(filter: string): readonly string[] {
  const found: string[] = [];
  const terms = /(-?)(?:(from|topic|before|after|during|is):)?(?:"((?:\\.|[^"\\])*)"|([^\s"()]+))/gu;
  for (const [, not, field, phrase, word] of filter.matchAll(terms)) {
    const text = phrase?.replace(/\\(["\\])/gu, "$1") ?? word ?? "";
    if (not || (field !== undefined && field !== "from") || text === "" || (phrase === undefined && text === "OR")) continue;
    found.push(text);
  }
  return found;
}
