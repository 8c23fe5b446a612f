/** What of a very tall message shows at first. Pure. */

/** A message with more than these is folded, to what follows them. */
const MAX_LINES = 24;
const MAX_CHARS = 2_000;
const MAX_GAP = 8;
const SHOWN_LINES = 12;
const SHOWN_CHARS = 1_000;

/** The beginning of a text too tall to show whole at once; undefined for one that is not. */
export function excerpt(text: string): string | undefined {
  const lines = count(text, "\n") + 1;
  if (lines <= MAX_LINES && !isLong(text) && !text.includes("\n".repeat(MAX_GAP))) return undefined;
  // Empty lines in a row are what one wants to see least of.
  let short = text.replace(/^\s*\n/u, "").replace(/(?:[^\S\n]*\n){3,}/gu, "\n\n");
  short = short.split("\n", SHOWN_LINES).join("\n");
  if (short.length > SHOWN_CHARS) short = whole(short.slice(0, SHOWN_CHARS));
  if (short.trim() === "") return "…";
  // Code that is cut is still code.
  const fences = short.match(/^```/gmu)?.length ?? 0;
  return fences % 2 === 1 ? `${short}\n\`\`\`` : `${short.trimEnd()}…`;
}

/** Marks stand over and under letters, not beside them. */
function isLong(text: string): boolean {
  return text.length > MAX_CHARS && text.replace(/\p{M}/gu, "").length > MAX_CHARS;
}

/** Ends with a whole word, or else with a whole character. */
function whole(text: string): string {
  const space = text.lastIndexOf(" ");
  if (space > text.length - 100) return text.slice(0, space);
  const last = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text.slice(-100))].at(-1);
  return text.slice(0, text.length - (last?.segment.length ?? 0));
}

function count(text: string, char: string): number {
  let n = 0;
  for (let i = text.indexOf(char); i >= 0; i = text.indexOf(char, i + 1)) n++;
  return n;
}
