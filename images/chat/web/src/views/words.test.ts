import { describe, expect, test } from "vitest";
import { clip } from "./clip.ts";
import { initials } from "./format.ts";
import { msToMidnight } from "./midnight.ts";
import { excerpt } from "./fold.ts";
import { marked, search, wordsOf } from "./search.ts";
import { counted } from "./words.ts";

const FAMILY = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}";
const FLAG = "\u{1f1e8}\u{1f1e6}";

describe("clip", () => {
  test.each([FAMILY, FLAG, "e\u0301", "\u{1f600}", "각"])("never cuts inside %s", (character) => {
    for (let length = 1; length < 8; length++) {
      const clipped = clip(`${"a".repeat(4)}${character.repeat(6)}`, length);
      expect(clipped.replace(/…$/u, "").replace(/^a*/u, "").replaceAll(character, "")).toBe("");
    }
  });
  test("says that something is left out, and only then", () => {
    expect(clip("abc", 3)).toBe("abc");
    expect(clip("abcd", 3)).toBe("abc…");
    expect(clip(FAMILY.repeat(3), 3)).toBe(FAMILY.repeat(3));
  });
});

test("initials are whole characters", () => {
  expect(initials("Ada Lovelace")).toBe("AL");
  expect(initials("e\u0301tienne")).toBe("E\u0301");
  expect(initials("\u{1f600}")).toBe("?");
  expect(initials("李小龍")).toBe("李");
});

test("one message, two messages", () => {
  expect([counted(1, "message"), counted(2, "message"), counted(0, "message")]).toEqual(["1 message", "2 messages", "0 messages"]);
});

describe("excerpt", () => {
  test("a message of common height is not folded", () => {
    for (const text of ["hi", "a\nb\nc", "x".repeat(1_999), "line\n".repeat(20)]) expect(excerpt(text)).toBeUndefined();
  });
  test("a tall one is short, and shows something", () => {
    for (const text of [`a${"\n".repeat(3_998)}b`, `${"\n".repeat(400)}b`, "line\n".repeat(400), "x".repeat(4_000), "word ".repeat(800), `a${"\n".repeat(10)}b`]) {
      const short = excerpt(text) ?? "";
      expect(short.split("\n").length).toBeLessThanOrEqual(14);
      expect(short.length).toBeLessThanOrEqual(1_010);
      expect(short.trim()).not.toBe("");
      expect(short).not.toMatch(/\n\n\n/u);
    }
    expect(excerpt(`${"\n".repeat(400)}b`)).toMatch(/^b/u);
  });
  test("cut code stays code; a character is not cut", () => {
    expect(excerpt(`\`\`\`\n${"x\n".repeat(100)}\`\`\``)).toMatch(/^```\n[^]*\n```$/u);
    expect(excerpt(FAMILY.repeat(400))?.replaceAll(FAMILY, "")).toBe("…");
  });
});

describe("search", () => {
  const message = (content: string) => ({ id: "1", key: "k", topic: "t", name: "Ada", email: "a@b", time: "", content });
  test("words in any order, without regard to case, width and accents", () => {
    const list = [message("Crème brûlée"), message("tea")];
    expect(search(list, "BRULEE creme")).toEqual([list[0]]);
    expect(search(list, "  ")).toEqual(list);
  });
  test.each([
    ["Crème brûlée", "BRULEE", ["Crème ", "brûlée"]],
    ["cre\u0300me", "creme", ["", "cre\u0300me"]],
    ["ab ab", "ab", ["", "ab", " ", "ab"]],
    ["ﬁne", "fi", ["", "ﬁ", "ne"]],
    ["ﬁne", "f", ["", "ﬁ", "ne"]],
    ["abcabc", "bc ca", ["a", "bcabc"]],
    ["nothing", "x", ["nothing"]],
    ["\u{1f600} smile", "smile", ["\u{1f600} ", "smile"]],
  ])("marks in %j what %j found", (text, query, pieces) => {
    expect(marked(text, wordsOf(query))).toEqual(pieces);
    expect(marked(text, wordsOf(query)).join("")).toBe(text);
  });
});

test("midnight comes at midnight, also over a change of clocks", () => {
  for (const time of ["2024-03-31T00:30:00", "2024-10-27T00:30:00", "2024-06-01T23:59:59.500", "2024-06-01T00:00:00"]) {
    const now = new Date(time);
    const then = new Date(now.getTime() + msToMidnight(now));
    expect([then.getHours(), then.getMinutes(), then.getSeconds(), then.getMilliseconds()]).toEqual([0, 0, 0, 0]);
    expect(then.getDate()).not.toBe(now.getDate());
  }
});
