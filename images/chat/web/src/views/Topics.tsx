/** Navigation between views. */

import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { linkTo } from "../route.ts";
import { ALL } from "../store/state.ts";

export interface TopicsProps {
  /** In the order shown. */
  readonly topics: readonly string[];
  readonly unread: ReadonlyMap<string, number>;
  readonly view: string;
}

export function Topics({ topics, unread, view }: TopicsProps): JSX.Element {
  const nav = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [view]);
  let total = 0;
  for (const count of unread.values()) total += count;
  const entry = (name: string, label: string, count: number): JSX.Element => (
    <li key={name}>
      <a href={linkTo(name)} aria-current={name === view ? "page" : undefined}>
        <bdi>{label}</bdi>
        {count > 0 && (
          <span class="badge">
            {count > 99 ? "99+" : count}
            <span class="vh"> unread</span>
          </span>
        )}
      </a>
    </li>
  );
  return (
    <nav class="topics" aria-label="Topics" ref={nav}>
      <p class="brand" aria-hidden="true">
        Chatapp
      </p>
      <ul>
        {entry(ALL, "All topics", total)}
        {topics.map((topic) => entry(topic, topic, unread.get(topic) ?? 0))}
      </ul>
    </nav>
  );
}
