/**
 * The contract's rules of text: one line, blank, address. Pure, and the only place in the page that
 * has them. Server and load lab have their own; all three are tested against the same golden files.
 */

/** Bounds of the wire contract, in Unicode code points. */
export const MAX_NAME = 64;
export const MAX_TOPIC = 64;
export const MAX_EMAIL = 254;
export const MAX_CONTENT = 4000;

const INVISIBLE = String.raw`\p{White_Space}\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800`;
const VISIBLE_CHAR = new RegExp(`[^${INVISIBLE}]`, "u");
/** One character that nobody sees. */
export const INVISIBLE_CHAR = new RegExp(`[${INVISIBLE}]`, "u");

/** What a line does not have at its ends. */
const EDGE = String.raw`[\p{White_Space}\u00ad\u200b\u2060\ufeff\u180e\u115f\u1160\u3164\uffa0\u2800]+`;
const EDGES = new RegExp(`^${EDGE}|${EDGE}$`, "gu");
/** What a line does not have at all: controls, line breaks, what turns the direction of writing. */
const FORBIDDEN_IN_LINE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** Does nobody see anything of this text? */
export function isBlank(text: string): boolean {
  return !VISIBLE_CHAR.test(text);
}

/** Length in code points, as the contract counts. */
export function codePoints(text: string): number {
  let pairs = 0;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      pairs++;
      i++;
    }
  }
  return text.length - pairs;
}

/** A text as it may be posted: halves of characters replaced, U+0000 left out. */
export function wellFormed(text: string): string {
  return text.toWellFormed().replaceAll("\0", "");
}

/** NFC, and without what a line does not have at its ends. */
export function trimLine(text: string): string {
  return text.normalize("NFC").replace(EDGES, "");
}

/** The line as it is stored and compared; undefined where the contract refuses the text. */
export function oneLine(text: string, max: number): string | undefined {
  const line = trimLine(text);
  return isBlank(line) || FORBIDDEN_IN_LINE.test(line) || codePoints(line) > max ? undefined : line;
}

/** The topic that a text names; undefined when there can be none of this name. */
export function topicOf(text: string): string | undefined {
  const line = oneLine(text, MAX_TOPIC);
  return line === "*" ? undefined : line;
}

/** RFC 5322 and 6531, in the contract's cut: no comments, no display name. */
const ATOM = String.raw`(?:[!#-'*+\-/-9=?A-Z^-~]|[^\0-\x7f\p{Cs}${INVISIBLE}])+`;
const DOT_ATOM = String.raw`${ATOM}(?:\.${ATOM})*`;
const BEYOND_ASCII = String.raw`[^\0-\x7f\p{Cs}${INVISIBLE}]`;
const QUOTED = String.raw`"(?:[\t !#-\[\]-~]|${BEYOND_ASCII}|\\[\t -~]|\\${BEYOND_ASCII})*"`;
const LITERAL = String.raw`\[(?:[\t !-Z^-~]|${BEYOND_ASCII})*\]`;
const ADDRESS = new RegExp(`^(?:${DOT_ATOM}|${QUOTED})@(?:${DOT_ATOM}|${LITERAL})$`, "u");

export function isAddress(text: string): boolean {
  return ADDRESS.test(text) && codePoints(text) <= MAX_EMAIL;
}

const keys = new Map<string, string>();

/** The same for two addresses that are the same: NFC and simple case folding. */
export function addressKey(email: string): string {
  let key = keys.get(email);
  if (key === undefined) {
    key = fold(email.normalize("NFC"));
    // Addresses of those who speak; should there be very many, they are folded again.
    if (keys.size > 5_000) keys.clear();
    keys.set(email, key);
  }
  return key;
}

/** Simple case folding: one character becomes one. */
export function fold(text: string): string {
  let folded = "";
  for (const char of text) folded += ODD_FOLDS.get(char) ?? one(one(char.toUpperCase(), char).toLowerCase(), char);
  return folded;
}

/** What going up and down does not find: two that fold in Turkic languages only, and one ligature. */
const ODD_FOLDS: ReadonlyMap<string, string> = new Map([["\u0130", "\u0130"], ["\u0131", "\u0131"], ["\ufb05", "\ufb06"]]);

function one(text: string, otherwise: string): string {
  return codePoints(text) === 1 ? text : otherwise;
}
