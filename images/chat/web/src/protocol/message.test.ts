import { describe, expect, test } from "vitest";
import { contentProblem, draftProblem, newKey, tidy } from "./message.ts";

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

test.each([["*"], ["~abcdefghijklmnop"]])("no topic is called %s", (topic) => {
  expect(draftProblem({ ...good, topic })?.field).toBe("topic");
});

test("by 1 character, by 2 characters", () => {
  expect(contentProblem("x".repeat(4001))?.message).toBe("Shorten the message by 1 character.");
  expect(contentProblem("x".repeat(4002))?.message).toBe("Shorten the message by 2 characters.");
});

test("a draft is put into the form in which it is stored", () => {
  const typed = { name: "\u200b Ada ", email: " ada@example.org ", topic: "e\u0301 ", content: " as typed " };
  expect(tidy(typed)).toEqual({ name: "Ada", email: "ada@example.org", topic: "\u00e9", content: " as typed " });
});

test("newKey gives keys of the contract's alphabet", () => {
  expect(newKey()).toMatch(/^[A-Za-z0-9._:-]{1,64}$/);
  expect(newKey()).not.toBe(newKey());
});
