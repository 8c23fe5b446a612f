// Reads a filter as the server does (wire contract, "Filters"), so that the
// search field can say at once what is wrong and where. Matching is the
// server's.

/** Where a filter can't be read (code point, from 1; one past the end when something is missing there). */
export interface FilterProblem {
  at: number;
  expected: string;
}

const maxLength = 512;
const maxTerms = 32;
const maxDepth = 8;

const expect = {
  shorter: "at most 512 characters",
  fewer: "at most 32 terms",
  shallow: "at most 8 parentheses open",
  text: "text without NUL, in UTF-8",
  term: 'a term: a word, "a phrase", #tag, field:value or (…)',
  quote: 'a closing "',
  closing: "a closing )",
  opening: "an opening ( before this )",
  phrase: 'a character between "…"',
  value: "a value directly after the colon",
  is: "is: with reply, verified or mine",
  during: "during: with two different times, such as 09:00-17:30 or 22:00-06:00+02:00",
  instant: "an instant such as 2026-01-31T15:04:05Z, a date such as 2026-01-31, or -15m, -2h, -7d",
  empty: "a filter between ( and )",
} as const;

const whiteSpace = /^\p{White_Space}$/u;
const blank =
  /^[\p{White_Space}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u0001-\u001f\u007f-\u009f\u2800]*$/u;
const field = /^(from|topic|before|after|during|is):(.*)$/su;
const clock = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
const during = new RegExp(`^(${clock})-(${clock})(?:[+-]${clock})?$`);
const instant = new RegExp(
  `^(\\d{4})-(\\d{2})-(\\d{2})(?:[Tt]${clock}:[0-5]\\d(?:\\.\\d+)?(?:[Zz]|[+-]${clock}))?$`,
);

/** What is wrong with a filter; undefined when the server will read it. */
export function filterProblem(text: string): FilterProblem | undefined {
  const chars = Array.from(text);
  if (chars.length > maxLength) return { at: maxLength + 1, expected: expect.shorter };
  if (blank.test(text)) return undefined;
  const parser = new Parser(chars);
  parser.filter(0);
  if (parser.pos < chars.length) parser.fail(parser.pos, "opening");
  return parser.problem;
}

/** Recursive descent. After the first problem it stands still at the end. */
class Parser {
  pos = 0;
  problem: FilterProblem | undefined;
  private terms = 0;

  constructor(private readonly chars: readonly string[]) {}

  fail(pos: number, what: keyof typeof expect): void {
    this.problem ??= { at: pos + 1, expected: expect[what] };
    this.pos = this.chars.length;
  }

  filter(depth: number): void {
    this.clause(depth);
    while (this.problem === undefined && this.run() === "OR") {
      this.pos += 2;
      this.clause(depth);
    }
  }

  private clause(depth: number): void {
    let terms = 0;
    for (;;) {
      this.skipSpace();
      if (this.problem !== undefined || this.ended() || this.at() === ")" || this.run() === "OR") break;
      this.term(depth);
      terms++;
    }
    if (terms === 0) this.fail(this.pos, depth === 0 && this.at() === ")" ? "opening" : "term");
  }

  private term(depth: number): void {
    const start = this.pos;
    const next = this.chars[start + 1];
    if (this.at() === "-" && next !== undefined && next !== ")" && !whiteSpace.test(next)) this.pos++;
    if (this.at() === "(") return this.group(start, depth + 1);
    if (++this.terms > maxTerms) return this.fail(start, "fewer");
    if (this.at() === '"') {
      this.phrase(start);
      return;
    }
    const run = this.run();
    if (run.includes("\0")) return this.fail(start, "text");
    const [, name, plain] = field.exec(run) ?? [];
    if (name === undefined) {
      this.pos += Array.from(run).length;
      return;
    }
    let value = plain ?? "";
    this.pos += name.length + 1;
    if (value === "" && this.at() === '"') value = this.phrase(start);
    else this.pos += Array.from(value).length;
    if (value === "") return this.fail(start, "value");
    this.field(start, name, value);
  }

  private group(start: number, depth: number): void {
    if (depth > maxDepth) return this.fail(start, "shallow");
    this.pos++;
    this.skipSpace();
    if (this.at() === ")") return this.fail(start, "empty");
    if (!this.ended()) this.filter(depth);
    if (this.ended()) return this.fail(this.pos, "closing");
    this.pos++;
  }

  private phrase(start: number): string {
    let found = "";
    for (this.pos++; !this.ended() && this.at() !== '"'; this.pos++) {
      const next = this.chars[this.pos + 1];
      if (this.at() === "\\" && (next === '"' || next === "\\")) this.pos++;
      found += this.at();
    }
    if (this.ended()) this.fail(this.pos, "quote");
    else if (found === "") this.fail(start, "phrase");
    else if (found.includes("\0")) this.fail(start, "text");
    else this.pos++;
    return found;
  }

  private field(start: number, name: string, value: string): void {
    if (name === "is" && !["reply", "verified", "mine"].includes(value)) this.fail(start, "is");
    if (name === "during") {
      const [, first, last] = during.exec(value) ?? [];
      if (first === last) this.fail(start, "during");
    }
    if ((name === "before" || name === "after") && !/^-\d+[mhd]$/.test(value) && !isInstant(value)) {
      this.fail(start, "instant");
    }
  }

  private at(): string | undefined {
    return this.chars[this.pos];
  }

  private ended(): boolean {
    return this.pos >= this.chars.length;
  }

  private skipSpace(): void {
    while (whiteSpace.test(this.at() ?? "")) this.pos++;
  }

  /** The longest stretch from here on that can be part of a word. */
  private run(): string {
    let end = this.pos;
    for (let c = this.chars[end]; c !== undefined && !/^["()\p{White_Space}]$/u.test(c); c = this.chars[end]) end++;
    return this.chars.slice(this.pos, end).join("");
  }
}

function isInstant(value: string): boolean {
  const [, year, month, day] = instant.exec(value) ?? [];
  if (year === undefined) return false;
  // Is there such a day? The calendar repeats every 400 years.
  const date = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}
