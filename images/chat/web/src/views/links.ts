/**
 * Where links are in a text. Pure. A link ends where a person would end it: before punctuation of
 * any script that closes a sentence or a bracket opened outside, and before what nobody sees.
 */

import { INVISIBLE_CHAR } from "../protocol/text.ts";

export interface Link {
  /** As typed. */
  readonly text: string;
  readonly href: string;
}

/** What begins a link; not in the middle of a word. */
export const LINK_START = "(?<![a-z0-9])(?:https?://(?![/?#])|mailto:)";

const LINK_PROTOCOLS: ReadonlySet<string> = new Set(["http:", "https:", "mailto:"]);

/** No link goes past these: they end sentences in scripts that put no space behind them. */
const STOPS = new Set("<>\"`。，、！？；：،؟۔");
/** A link does not end with these, but may hold them. */
const LOOSE_ENDS = new Set(".,;:!?'*_}…”’»");
/** A closing bracket is the link's own only if its opening one is. */
const BRACKETS: ReadonlyMap<string, string> = new Map([[")", "("], ["]", "["], ["）", "（"], ["」", "「"], ["】", "【"], ["》", "《"]]);
/** Of these, those that no link goes past when they are not its own. */
const HARD_BRACKETS = new Set("）」】》");

/** The link that begins at the start of this text; undefined: there is none. */
export function linkAt(text: string): Link | undefined {
  const link = text.slice(0, endOf(text));
  try {
    const url = new URL(link);
    // The pattern finds no others; whoever widens it meets this.
    if (!LINK_PROTOCOLS.has(url.protocol)) return undefined;
    if (url.protocol === "mailto:" ? !url.pathname.includes("@") : url.hostname === "") return undefined;
    return { text: link, href: url.href };
  } catch {
    return undefined;
  }
}

/** Index of the first character that is not the link's. */
function endOf(text: string): number {
  const open = new Map<string, number>();
  let end = 0;
  let index = 0;
  for (const char of text) {
    if (STOPS.has(char) || INVISIBLE_CHAR.test(char)) break;
    index += char.length;
    const opening = BRACKETS.get(char);
    if (opening !== undefined) {
      const unclosed = open.get(opening) ?? 0;
      if (unclosed === 0 && HARD_BRACKETS.has(char)) break;
      // One too many: part of the link only if more of it follows.
      if (unclosed === 0) continue;
      open.set(opening, unclosed - 1);
    } else if (LOOSE_ENDS.has(char)) {
      continue;
    } else {
      open.set(char, (open.get(char) ?? 0) + 1);
    }
    end = index;
  }
  return end;
}
