/** The chat's words: message, draft, and the bounds the wire contract sets. Pure. */

/** A message as the log gave it. All strings are plain text: escaping is the view's duty. */
export interface Message {
  /** Given by the log; opaque; compared bytewise within a topic it is delivery order. */
  readonly id: string;
  /** Chosen by the poster; names the attempt. */
  readonly key: string;
  readonly topic: string;
  readonly name: string;
  readonly email: string;
  /** RFC 3339, UTC, milliseconds: always the same length, so it sorts as a string. */
  readonly time: string;
  readonly content: string;
}

/** What a person wants to post: a message the log has not seen yet. */
export type Draft = Pick<Message, "key" | "topic" | "name" | "email" | "content">;

/** Bounds of the wire contract, in Unicode code points. */
export const MAX_NAME = 64;
export const MAX_TOPIC = 64;
export const MAX_EMAIL = 254;
export const MAX_CONTENT = 4000;

export const DEFAULT_TOPIC = "general";

/**
 * The order of the merged list: by time, then id, as the contract's history over all topics has
 * it. Ids and times are ASCII, so comparing UTF-16 units is comparing bytes.
 */
export function compareMerged(a: Message, b: Message): number {
  return compareStrings(a.time, b.time) || compareStrings(a.id, b.id);
}

/** The order within one topic: by id. */
export function compareInTopic(a: Message, b: Message): number {
  return compareStrings(a.id, b.id);
}

function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Length in code points, as the contract counts. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/u;
/**
 * Enough of RFC 5322 to catch a slip of the finger; the server has the last word. Quoted local
 * parts are left to it.
 */
const EMAIL = /^[^\s@"<>(),:;[\]\\]+@[^\s@"<>(),:;[\]\\]+$|^"[^\r\n]+"@[^\s@]+$/u;

export type DraftField = "name" | "email" | "topic" | "content";
export interface DraftProblem {
  readonly field: DraftField;
  /** Says what to do. */
  readonly message: string;
}

/** The first reason why the server would refuse this draft; undefined when there is none. */
export function draftProblem(draft: Omit<Draft, "key">): DraftProblem | undefined {
  if (draft.content.trim() === "") {
    return { field: "content", message: "Write a message first." };
  }
  const length = codePoints(draft.content);
  if (length > MAX_CONTENT) {
    return { field: "content", message: `Shorten the message by ${length - MAX_CONTENT} characters.` };
  }
  return (
    line("name", "your name", draft.name, MAX_NAME) ??
    emailProblem(draft.email) ??
    line("topic", "a topic", draft.topic, MAX_TOPIC)
  );
}

function line(field: DraftField, what: string, text: string, max: number): DraftProblem | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return { field, message: `Enter ${what} to send.` };
  if (CONTROL.test(trimmed)) return { field, message: `Remove the control characters from ${what}.` };
  if (codePoints(trimmed) > max) return { field, message: `Use at most ${max} characters for ${what}.` };
  return undefined;
}

function emailProblem(email: string): DraftProblem | undefined {
  const trimmed = email.trim();
  if (trimmed === "") return { field: "email", message: "Enter your email to send." };
  if (trimmed.length > MAX_EMAIL || !EMAIL.test(trimmed)) {
    return { field: "email", message: "Enter an email such as ada@example.org." };
  }
  return undefined;
}

/** A key for a new attempt: 128 random bits; works without a secure context too. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
