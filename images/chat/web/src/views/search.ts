/** Looking for words in loaded messages, and where in a text they are. Pure. */

import type { Message } from "../protocol/message.ts";

/** Folded texts of messages, so that each further letter of a query costs a comparison only. */
const folded = new WeakMap<Message, string>();

/** The messages in which every word of the query occurs, in any field a person sees. */
export function search(messages: readonly Message[], query: string): readonly Message[] {
  const words = wordsOf(query);
  if (words.length === 0) return messages;
  return messages.filter((message) => {
    let text = folded.get(message);
    if (text === undefined) {
      text = fold(`${message.name}\n${message.email}\n${message.topic}\n${message.content}`);
      folded.set(message, text);
    }
    return words.every((word) => text.includes(word));
  });
}

export function wordsOf(query: string): readonly string[] {
  return fold(query).split(/\s+/u).filter(Boolean);
}

/** Case, width and accents do not matter when one looks for something. */
function fold(text: string): string {
  // Ten thousand messages are folded for the first letter: most have nothing to take apart.
  if (isAscii(text)) return text.toLowerCase();
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/u.test(text);
}

/** A text in pieces, those that match at odd places: "before", "match", "between", … */
export function marked(text: string, words: readonly string[]): readonly string[] {
  if (words.length === 0 || text === "") return [text];
  if (isAscii(text) && !words.some((word) => text.toLowerCase().includes(word))) return [text];
  // Folded letter by letter, with the way back: folding may make letters more or fewer.
  let plain = "";
  const from: number[] = [];
  const graphemes = /\P{M}\p{M}*|\p{M}+/gu;
  for (const { 0: piece, index } of text.matchAll(graphemes)) {
    const letters = fold(piece);
    for (let i = 0; i < letters.length; i++) from.push(index);
    plain += letters;
  }
  from.push(text.length);
  const hit = new Uint8Array(text.length);
  for (const word of words) {
    for (let at = plain.indexOf(word); at >= 0; at = plain.indexOf(word, at + word.length)) {
      const end = at + word.length;
      // To the end of the last letter's own piece.
      let next = end;
      while (next < from.length - 1 && from[next] === from[end - 1]) next++;
      hit.fill(1, from[at], from[next]);
    }
  }
  const pieces: string[] = [];
  let start = 0;
  for (let i = 1; i <= text.length; i++) {
    if (i < text.length && hit[i] === hit[i - 1]) continue;
    if (pieces.length === 0 && hit[start] === 1) pieces.push("");
    pieces.push(text.slice(start, i));
    start = i;
  }
  return pieces;
}
