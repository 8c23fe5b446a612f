/** Looking for words in loaded messages. Pure. */

import type { Message } from "../protocol/message.ts";

/** The messages in which every word of the query occurs, in any field a person sees. */
export function search(messages: readonly Message[], query: string): readonly Message[] {
  const words = fold(query).split(/\s+/u).filter(Boolean);
  if (words.length === 0) return messages;
  return messages.filter((message) => {
    const text = fold(`${message.name}\n${message.email}\n${message.topic}\n${message.content}`);
    return words.every((word) => text.includes(word));
  });
}

/** Case, width and accents do not matter when one looks for something. */
function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
