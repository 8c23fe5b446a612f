/** Long texts of people, cut at characters. */

import { graphemes } from "./words.ts";

/** The first `max` characters as people count them; an ellipsis stands for the rest. */
export function clip(text: string, max: number): string {
  if (text.length <= max) return text;
  let count = 0;
  for (const { index } of graphemes(text)) {
    if (count++ === max) return `${text.slice(0, index).trimEnd()}…`;
  }
  return text;
}
