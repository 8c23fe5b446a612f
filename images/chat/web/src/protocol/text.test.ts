import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { addressKey, codePoints, INVISIBLE_CHAR, isAddress, isBlank, oneLine, topicOf, wellFormed } from "./text.ts";

/** The golden cases that server, page and load lab share. */
function golden<T>(name: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, "../../../internal/chat/testdata", `${name}.json`), "utf8")) as T;
}

describe("golden cases", () => {
  const { limit, cases } = golden<{ limit: number; cases: { name: string; text: string; line: string | null }[] }>("line");
  test.each(cases)("line: $name $text", ({ text, line }) => {
    expect(oneLine(text, limit)).toBe(line ?? undefined);
  });

  const blank = golden<{ invisible: [number, number][]; cases: { name: string; text: string; blank: boolean }[] }>("blank");
  test.each(blank.cases)("blank: $name", ({ text, blank }) => {
    expect(isBlank(text)).toBe(blank);
  });
  test("invisible: every code point", () => {
    const wrong: string[] = [];
    for (let c = 0; c <= 0x10ffff; c++) {
      if (c >= 0xd800 && c <= 0xdfff) continue;
      const wanted = blank.invisible.some(([first, last]) => c >= first && c <= last);
      if (INVISIBLE_CHAR.test(String.fromCodePoint(c)) !== wanted) wrong.push(c.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  const address = golden<{
    cases: { name: string; address: string; valid: boolean }[];
    same: { name: string; a: string; b: string; same: boolean }[];
  }>("address");
  test.each(address.cases)("address: $name $address", ({ address, valid }) => {
    expect(isAddress(address)).toBe(valid);
  });
  test.each(address.same)("same address: $name $a $b", ({ a, b, same }) => {
    expect(addressKey(a) === addressKey(b)).toBe(same);
  });
});

test("topics: * is no name, the form is the stored one", () => {
  expect(topicOf(" tea ")).toBe("tea");
  expect(topicOf("*")).toBeUndefined();
  expect(topicOf("a".repeat(65))).toBeUndefined();
  expect(topicOf("a\nb")).toBeUndefined();
  expect(topicOf("\0")).toBeUndefined();
});

test("half a character is replaced, U+0000 left out, the rest stays", () => {
  expect(wellFormed("cut \ud83d")).toBe("cut \ufffd");
  expect(wellFormed("\ude00a\0b\ud83d\ude00")).toBe("\ufffdab\ud83d\ude00");
});

test("code points are counted as the contract counts", () => {
  for (const text of ["", "a", "\ud83d\ude00", "a\ud83d\ude00b", "\ud83d", "\ude00\ud83d", "\ud83d\ud83d\ude00"]) {
    expect(codePoints(text)).toBe([...text].length);
  }
});
