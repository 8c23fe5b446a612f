/** The grammar of filters by examples; each can be tried. */

import type { JSX } from "preact";
import { focusSearch, query } from "./ui.ts";

const EXAMPLES: readonly (readonly [filter: string, what: string])[] = [
  ["tea cake", "both words"],
  ['"no message lost"', "these words in this order"],
  ["tea OR coffee", "one of the two"],
  ["tea -milk", "the first and not the second"],
  ["from:grace", "by whom: part of the name, or the address"],
  ["topic:general", "in this topic, or room"],
  ["#release", "with this hashtag in its text"],
  ["after:-2h", "in the last two hours; -15m, -7d, a date"],
  ["before:2026-01-31", "before that day, UTC"],
  ["during:09:00-17:30", "at that time of day, UTC"],
  ["is:reply", "replies; also is:verified, is:mine"],
  ["(tea OR coffee) -from:alan", "together"],
];

export function FilterHelp({ open }: { open: boolean }): JSX.Element {
  return (
    <details class="grammar" open={open}>
      <summary>How to search</summary>
      <ul>
        {EXAMPLES.map(([filter, what]) => (
          <li key={filter}>
            <button
              type="button"
              onClick={() => {
                query.value = filter;
                focusSearch();
              }}
            >
              <code>{filter}</code>
            </button>{" "}
            {what}
          </li>
        ))}
      </ul>
    </details>
  );
}
