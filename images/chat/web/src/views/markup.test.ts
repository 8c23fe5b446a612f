import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseMarkup, type Markup } from "./markup.ts";

/** The text a person sees. */
function shown(nodes: readonly Markup[]): string {
  return nodes.map((node) => (typeof node === "string" ? node : "children" in node ? shown(node.children) : node.text)).join("");
}

const links = (text: string): string[] =>
  parseMarkup(text).flatMap((node) => (typeof node !== "string" && node.kind === "link" ? [node.href] : []));

describe("parseMarkup", () => {
  test.each<[string, Markup[]]>([
    ["plain", ["plain"]],
    ["a `b*c*` d", ["a ", { kind: "code", text: "b*c*" }, " d"]],
    ["**bold** and *it*", [{ kind: "strong", children: ["bold"] }, " and ", { kind: "em", children: ["it"] }]],
    ["_so_ it is", [{ kind: "em", children: ["so"] }, " it is"]],
    ["```\nx < y\n  z\n```\nafter", [{ kind: "fence", text: "x < y\n  z" }, "after"]],
    ["```go\nx\n```", [{ kind: "fence", text: "x" }]],
    ["snake_case_name 2*3*4 ** ` *", ["snake_case_name 2*3*4 ** ` *"]],
    ["```\nnever closed", ["```\nnever closed"]],
    ["**a\nb**", ["**a\nb**"]],
  ])("%j", (text, nodes) => {
    expect(parseMarkup(text)).toEqual(nodes);
  });

  test("links end before the punctuation of the sentence around them", () => {
    expect(links("See https://example.org/a. (Or https://example.org/b_(c)!)")).toEqual([
      "https://example.org/a",
      "https://example.org/b_(c)",
    ]);
    expect(links("**https://example.org**")).toEqual([]);
    expect(links("HTTPS://EXAMPLE.ORG/X mailto:ada@example.org?subject=x")).toEqual([
      "https://example.org/X",
      "mailto:ada@example.org?subject=x",
    ]);
  });

  const shownLinks = (text: string): string[] =>
    parseMarkup(text).flatMap((node) => (typeof node !== "string" && node.kind === "link" ? [node.text] : []));

  test.each([..."。，、！？；：）」】》”’»…،؟۔.,;:!?)]}'*_", "\u200b", "\u2060", "\ufeff", "\u00a0", "\u2800", "\u200e", "\u3164", "。」", "》。", "…»"])(
    "a link ends before %j",
    (end) => {
      for (const link of ["https://example.org/a", "http://example.org", "mailto:ada@example.org", "https://example.org/路径"]) {
        expect(shownLinks(`看 ${link}${end}`)).toEqual([link]);
        expect(shownLinks(`看 ${link}${end} 然后`)).toEqual([link]);
      }
    },
  );

  test.each([
    ["https://zh.wikipedia.org/wiki/日本語", "https://zh.wikipedia.org/wiki/日本語"],
    ["见https://example.org/路径。下一句", "https://example.org/路径"],
    ["（见https://example.org/a）以及", "https://example.org/a"],
    ["https://ja.wikipedia.org/wiki/東京（曖昧さ回避）です", "https://ja.wikipedia.org/wiki/東京（曖昧さ回避）です"],
    ["https://en.wikipedia.org/wiki/Rock_’n’_Roll", "https://en.wikipedia.org/wiki/Rock_’n’_Roll"],
    ["http://[::1]", "http://[::1]"],
    ["[http://[::1]]", "http://[::1]"],
    ["http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/x"],
    ["_https://example.org/a_b_", "https://example.org/a_b"],
    ["(https://example.org/a_(b)).", "https://example.org/a_(b)"],
  ])("%s is a link where one expects it", (text, link) => {
    expect(shownLinks(text)).toEqual([link]);
  });

  test.each([
    "javascript:alert(1)",
    "jAvAsCrIpT://example.org/%0aalert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://example.org",
    "//example.org",
    "https:///example.org",
    "http://",
    "mailto:nobody",
    "xhttps://example.org",
    "[x](https:",
  ])("no link: %s", (text) => {
    expect(links(text)).toEqual([]);
  });

  test("a link never hides a bidirectional control", () => {
    expect(links("https://example.org/\u202egpj.exe")).toEqual(["https://example.org/"]);
  });

  test("nothing of a text without delimiters is lost, and every link is harmless", () => {
    const piece = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("`", "*", "**", "_", "```\n", "\n", "https://a.b/", "mailto:a@b ", "javascript:", "<b>", "(", ")"));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join("");
        const nodes = parseMarkup(text);
        const bare = (s: string): string => s.replace(/[`*_\s]|\p{L}/gu, "");
        expect(bare(shown(nodes)).length).toBeLessThanOrEqual(bare(text).length);
        if (!/[`*_]/u.test(text)) expect(shown(nodes)).toBe(text);
        for (const href of links(text)) expect(new URL(href).protocol).toMatch(/^(https?|mailto):$/);
      }),
      { numRuns: 2000 },
    );
  });

  test("the worst of 4,000 characters costs no more than fifty times common text", () => {
    // Ratios of the same machine in the same second, the best of several: no wall clock is asserted.
    const cost = (text: string): number => {
      let best = Infinity;
      for (let i = 0; i < 20; i++) {
        const start = performance.now();
        parseMarkup(text);
        best = Math.min(best, performance.now() - start);
      }
      return best;
    };
    const words = cost("*word* ".repeat(4000 / 7));
    for (const nasty of ["*a ", "`", "**", "_a", "*", "http://", "```\n", "(", "https://a.b/("]) {
      expect(cost(nasty.repeat(Math.floor(4000 / nasty.length))) / words, nasty).toBeLessThan(50);
    }
  });
});
