/** Navigation between views, and where a topic begins. */

import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { isRoom, nameOf } from "../rooms.ts";
import { linkTo } from "../route.ts";
import { ALL } from "../store/state.ts";
import { Icon } from "./Icon.tsx";
import { conversation, NEW_ROOM, newTopicAsked, roomOpen } from "./ui.ts";

export interface TopicsProps {
  /** In the order shown. */
  readonly topics: readonly string[];
  readonly unread: ReadonlyMap<string, number>;
  readonly view: string;
  /** May one make private rooms here? */
  readonly makesRooms: boolean;
}

const ALL_TOPICS = "All topics";

export function Topics({ topics, unread, view, makesRooms }: TopicsProps): JSX.Element {
  const nav = useRef<HTMLElement>(null);
  const before = useRef(ALL);
  useLayoutEffect(() => {
    // When one comes, the first entry is in sight: to look would cost a layout.
    if (view === before.current) return;
    before.current = view;
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [view]);
  const part = conversation.value;
  let total = 0;
  for (const count of unread.values()) total += count;
  return (
    <nav class="topics" aria-label="Topics" ref={nav}>
      <p class="brand" aria-hidden="true">
        Chatapp
      </p>
      <button type="button" class="new-topic" onClick={() => newTopicAsked.value++}>
        <Icon name="plus" />
        <span>New topic</span>
      </button>
      {makesRooms && (
        <button type="button" class="new-topic" onClick={() => (roomOpen.value = NEW_ROOM)}>
          <Icon name="lock" />
          <span>New room</span>
        </button>
      )}
      <ul>
        <Entry view={ALL} label={ALL_TOPICS} count={total} current={view === ALL} />
        {topics.map((topic) => (
          <Entry key={topic} view={topic} label={nameOf(topic)} count={unread.get(topic) ?? 0} current={topic === view} />
        ))}
      </ul>
      {part && <part.Filters />}
    </nav>
  );
}

function Entry(props: { view: string; label: string; count: number; current: boolean }): JSX.Element {
  const { view, label, count, current } = props;
  const room = isRoom(view);
  return (
    <li>
      <a class={view === ALL ? "every" : room ? "" : "of-topic"} href={linkTo(view)} aria-current={current ? "page" : undefined}>
        {room && <Icon name="lock" />}
        <bdi>{label}</bdi>
        {room && <span class="vh"> private room</span>}
        {/* Who listens cannot see the sign before topics. */}
        {view !== ALL && label === ALL_TOPICS && <span class="vh">, a topic of this name</span>}
        {count > 0 && (
          <span class="badge">
            {count > 99 ? "99+" : count}
            <span class="vh"> unread</span>
          </span>
        )}
      </a>
    </li>
  );
}
