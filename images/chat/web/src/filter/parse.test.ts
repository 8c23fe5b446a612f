import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { filterProblem } from "./parse.ts";

interface Case {
  filter: string;
  canonical?: string;
  at?: number;
  expected?: string;
}

// The cases that server and load lab read too.
const golden = JSON.parse(
  readFileSync(new URL("../../../internal/filter/testdata/filters.json", import.meta.url), "utf8"),
) as { parse: Case[] };

test.each(golden.parse)("$filter", ({ filter, canonical, at, expected }) => {
  expect(filterProblem(filter)).toEqual(at === undefined ? undefined : { at, expected });
  if (canonical !== undefined && Array.from(canonical).length <= 512) {
    expect(filterProblem(canonical)).toBeUndefined();
  }
});
