/** The chat's words: message, draft, and what keeps a draft from being sent. Pure. */

import { codePoints, isAddress, isBlank, MAX_CONTENT, MAX_EMAIL, MAX_NAME, MAX_TOPIC, oneLine, trimLine } from "./text.ts";

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
  /** The message this one answers. */
  readonly reply_to?: string;
  /** Counts; absent where they are 0. */
  readonly replies?: number;
  readonly up?: number;
  readonly down?: number;
  /** One's own vote, as far as it is known. */
  readonly vote?: number;
  /** Its content is gone. */
  readonly deleted?: boolean;
  /** Posted by this account, which holds the address. */
  readonly account?: string;
  readonly verified?: boolean;
}

/** A message that is kept nowhere: it has no id, no replies and no votes. */
export type Ephemeral = Pick<Message, "key" | "topic" | "name" | "email" | "time" | "content" | "account" | "verified">;

/** What a person wants to post: a message the log has not seen yet. */
export type Draft = Pick<Message, "key" | "topic" | "name" | "email" | "content" | "reply_to">;

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

export type DraftField = "name" | "email" | "topic" | "content";
export interface DraftProblem {
  readonly field: DraftField;
  /** Says what to do. */
  readonly message: string;
}

/** A draft in the form in which it is stored: lines trimmed and in NFC. */
export function tidy(draft: Omit<Draft, "key">): Omit<Draft, "key"> {
  const { name, email, topic } = draft;
  return { ...draft, name: trimLine(name), email: email.trim(), topic: trimLine(topic) };
}

/** The first reason why the server would refuse this (tidy) draft; undefined when there is none. */
export function draftProblem(draft: Omit<Draft, "key">): DraftProblem | undefined {
  const { name, email, topic, content } = draft;
  return contentProblem(content) ?? lineProblem("name", name, MAX_NAME) ?? emailProblem(email) ?? topicProblem(topic);
}

export function contentProblem(content: string): DraftProblem | undefined {
  if (isBlank(content)) return { field: "content", message: "Write a message first." };
  const over = codePoints(content) - MAX_CONTENT;
  if (over <= 0) return undefined;
  return { field: "content", message: `Shorten the message by ${over} ${over === 1 ? "character" : "characters"}.` };
}

export function topicProblem(topic: string): DraftProblem | undefined {
  if (topic === "*") return { field: "topic", message: "Choose another topic: * stands for all of them." };
  if (topic.startsWith("~")) return { field: "topic", message: "Choose another topic: ~ begins the names of private rooms." };
  return lineProblem("topic", topic, MAX_TOPIC);
}

const WHAT = { name: "your name", topic: "a topic" } as const;

function lineProblem(field: "name" | "topic", text: string, max: number): DraftProblem | undefined {
  const what = WHAT[field];
  if (isBlank(text)) return { field, message: `Enter ${what} to send.` };
  if (codePoints(text) > max) return { field, message: `Use at most ${max} characters for ${what}.` };
  if (oneLine(text, max) === undefined) {
    return { field, message: `Remove the control characters from ${what}.` };
  }
  return undefined;
}

function emailProblem(email: string): DraftProblem | undefined {
  if (isBlank(email)) return { field: "email", message: "Enter your email to send." };
  if (codePoints(email) > MAX_EMAIL) return { field: "email", message: `Use at most ${MAX_EMAIL} characters for your email.` };
  return isAddress(email) ? undefined : { field: "email", message: "Enter an email such as ada@example.org." };
}

/** A key for a new attempt: 128 random bits; works without a secure context too. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
