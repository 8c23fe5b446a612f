import { describe, expect, test } from "vitest";
import { codePoints, draftProblem, newKey } from "./message.ts";

const good = { name: "Ada", email: "ada@example.org", topic: "general", content: "hi" };

describe("draftProblem", () => {
  test("a good draft has none", () => {
    expect(draftProblem(good)).toBeUndefined();
    expect(draftProblem({ ...good, name: "ע".repeat(64), content: "😀".repeat(4000) })).toBeUndefined();
    expect(draftProblem({ ...good, email: '"odd one"@example.org' })).toBeUndefined();
    expect(draftProblem({ ...good, email: "o'hara+chat@sub.example.org" })).toBeUndefined();
  });

  test.each([
    ["content", { content: " \n\t" }],
    ["content", { content: "😀".repeat(4001) }],
    ["name", { name: "  " }],
    ["name", { name: "x".repeat(65) }],
    ["name", { name: "a\u0007b" }],
    ["email", { email: "" }],
    ["email", { email: "ada" }],
    ["email", { email: "Ada <ada@example.org>" }],
    ["email", { email: `${"a".repeat(250)}@b.org` }],
    ["topic", { topic: "" }],
    ["topic", { topic: "a\nb" }],
  ])("%s of %j", (field, change) => {
    expect(draftProblem({ ...good, ...change })?.field).toBe(field);
  });
});

test("codePoints counts as the contract does", () => {
  expect(codePoints("a😀e\u0301")).toBe(4);
});

test("newKey gives keys of the contract's alphabet", () => {
  expect(newKey()).toMatch(/^[A-Za-z0-9._:-]{1,64}$/);
  expect(newKey()).not.toBe(newKey());
});
