/** Texts of people inside sentences of the page: cut at characters, kept from turning what is around. */

let segmenter: Intl.Segmenter | undefined;

/** Made when first needed: the page's first picture does not wait for it. */
export function graphemes(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return segmenter.segment(text);
}

/** The first character as people see it, accents and joined signs included. */
export function firstGrapheme(text: string): string {
  if (/^[ -~]/u.test(text) && !/^.[^ -~]/u.test(text)) return text.charAt(0);
  for (const { segment } of graphemes(text)) return segment;
  return "";
}

/** Inside a plain text: what follows keeps its direction whatever this is (bdi, where there is no HTML). */
export function isolate(text: string): string {
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}

/** Scripts and signs that run from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** "1 message", "2 messages". */
export function counted(count: number, what: string): string {
  return `${count.toLocaleString()} ${what}${count === 1 ? "" : "s"}`;
}
