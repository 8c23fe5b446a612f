import { expect, test } from "vitest";
import { linkTo, NOWHERE, viewOf } from "./route.ts";
import { ALL } from "./store/state.ts";

test.each(["tea", "日本語 & more/less", "__proto__", "/../%2e%2e#?&", "#", "All topics"])("there and back: %s", (topic) => {
  expect(viewOf(linkTo(topic))).toBe(topic);
});

test("every topic", () => {
  for (const hash of ["", "#", "#/"]) expect(viewOf(hash)).toBe(ALL);
  expect(viewOf(linkTo(ALL))).toBe(ALL);
});

test("a topic in another form is the stored one", () => {
  expect(viewOf("#/%20tea%20")).toBe("tea");
  expect(viewOf("#/e%CC%81")).toBe("\u00e9");
});

test.each([`#/${"a".repeat(65)}`, "#/a%0Ab", "#/%00", "#/*", "#/%", "#/%ff", "#/%20", "#/a%E2%80%AEb"])("nowhere: %s", (hash) => {
  expect(viewOf(hash)).toBe(NOWHERE);
});
