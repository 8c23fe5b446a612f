/** Navigation between views. */

import type { JSX } from "preact";
import { linkTo } from "../route.ts";
import { ALL } from "../store/state.ts";

export function Topics({ topics, view }: { topics: readonly string[]; view: string }): JSX.Element {
  const entry = (name: string, label: string): JSX.Element => (
    <li key={name}>
      <a href={linkTo(name)} aria-current={name === view ? "page" : undefined}>
        <bdi>{label}</bdi>
      </a>
    </li>
  );
  return (
    <nav class="topics" aria-label="Topics">
      <ul>
        {entry(ALL, "All topics")}
        {topics.map((topic) => entry(topic, topic))}
      </ul>
    </nav>
  );
}
