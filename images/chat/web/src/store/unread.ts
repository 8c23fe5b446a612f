/** What has been read, and what has not. Pure. */

import type { Message } from "../protocol/message.ts";
import { addressKey } from "../protocol/text.ts";

/** How far a person has read. */
export interface Marks {
  /** Messages of topics without a mark are unread when newer than this time; "" before the first visit. */
  readonly since: string;
  /** Topic to the id of its last message that was read. */
  readonly topics: ReadonlyMap<string, string>;
}

export const NO_MARKS: Marks = { since: "", topics: new Map() };

export function isUnread(message: Message, marks: Marks): boolean {
  const read = marks.topics.get(message.topic);
  return read === undefined ? message.time > marks.since : message.id > read;
}

/** Unread messages by topic; one's own never count. */
export function countUnread(messages: readonly Message[], marks: Marks, ownEmail: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const own = addressKey(ownEmail);
  for (const message of messages) {
    if (addressKey(message.email) === own || !isUnread(message, marks)) continue;
    counts.set(message.topic, (counts.get(message.topic) ?? 0) + 1);
  }
  return counts;
}

/** The first message that is unread and somebody else's. */
export function firstUnread(messages: readonly Message[], marks: Marks, ownEmail: string): Message | undefined {
  const own = addressKey(ownEmail);
  return messages.find((message) => addressKey(message.email) !== own && isUnread(message, marks));
}

/** Marks moved forward over `messages`; the same object when nothing moved. */
export function markRead(marks: Marks, messages: readonly Message[]): Marks {
  let topics: Map<string, string> | undefined;
  for (const { topic, id } of messages) {
    if (id <= ((topics ?? marks.topics).get(topic) ?? "")) continue;
    topics ??= new Map(marks.topics);
    topics.set(topic, id);
  }
  return topics ? { ...marks, topics } : marks;
}

/** The further of two sets of marks, topic by topic: tabs read independently. */
export function joinMarks(a: Marks, b: Marks): Marks {
  const topics = new Map(a.topics);
  for (const [topic, id] of b.topics) if (id > (topics.get(topic) ?? "")) topics.set(topic, id);
  return { since: a.since > b.since ? a.since : b.since, topics };
}

/** Marks kept at most in storage: topics come and go, marks of the least recent ones are let go. */
const MAX_MARKS = 500;

export function encodeMarks(marks: Marks): string {
  return JSON.stringify({ since: marks.since, topics: [...marks.topics].slice(-MAX_MARKS) });
}

export function decodeMarks(text: string): Marks {
  try {
    const value = JSON.parse(text) as { since?: unknown; topics?: unknown } | null;
    if (typeof value?.since !== "string" || !Array.isArray(value.topics)) return NO_MARKS;
    const pairs = value.topics.filter(
      (pair): pair is [string, string] =>
        Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "string",
    );
    return { since: value.since, topics: new Map(pairs) };
  } catch {
    return NO_MARKS;
  }
}
