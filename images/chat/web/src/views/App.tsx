/** The page's frame: topics beside, log and composer in the middle, and the keys that reach all. */

import { computed, type ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import type { Entry } from "../outbox/entry.ts";
import type { Reading } from "../reading.ts";
import { goTo, viewOf } from "../route.ts";
import type { Saved } from "../saved.ts";
import { ALL, MAX_TOPICS } from "../store/state.ts";
import { Announcer } from "./Announcer.tsx";
import { Composer } from "./Composer.tsx";
import { ConnectionStrip } from "./ConnectionStrip.tsx";
import { Header } from "./Header.tsx";
import { Help } from "./Help.tsx";
import { Log } from "./Log.tsx";
import { Topics } from "./Topics.tsx";
import { askNewest, focusSearch, helpOpen, query, target } from "./ui.ts";

export interface AppProps {
  readonly chat: Chat;
  readonly saved: Saved;
  readonly reading: Reading;
  readonly route: ReadonlySignal<string>;
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

export function App({ chat, saved, reading, route }: AppProps): JSX.Element {
  const online = useMemo(() => computed(() => chat.state.value.online), [chat]);
  const topicTimes = useMemo(() => computed(() => chat.state.value.topics), [chat]);
  const [returned, setReturned] = useState({ id: 0, text: "" });
  const view = route.value;
  const unread = reading.unread.value;
  const topics = useMemo(() => topicsShown(topicTimes.value, view), [topicTimes.value, view]);
  const title = view === ALL ? "All topics" : view;

  useEffect(() => {
    let total = 0;
    for (const count of unread.values()) total += count;
    document.title = `${total > 0 ? `(${total}) ` : ""}${view === ALL ? "" : `${view} · `}Chatapp`;
  }, [unread, view]);

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || helpOpen.value) return;
      const writing = (event.target as Element).matches("input, textarea");
      if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        const views = [ALL, ...topics];
        const step = event.key === "ArrowUp" ? -1 : 1;
        // From where the address is: after two quick presses the view is yet to follow the first.
        const here = views.indexOf(viewOf(location.hash));
        goTo(views[(here + step + views.length) % views.length] ?? ALL);
      } else if (event.key === "Escape") {
        askNewest();
      } else if (event.key === "/" && !writing) {
        focusSearch();
      } else if (event.key === "?" && !writing) {
        helpOpen.value = true;
      } else {
        return;
      }
      event.preventDefault();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [topics, view]);

  return (
    <div class="app">
      <Header title={title} online={online.value} saved={saved} />
      <Topics topics={topics} unread={unread} view={view} />
      <main>
        <Log
          key={`${query.value === "" ? "" : "search "}${view}`}
          chat={chat}
          reading={reading}
          view={view}
          query={query.value}
          onChoose={(id) => {
            target.value = id;
            query.value = "";
          }}
          onTakeBack={(entry: Entry) => setReturned(({ id }) => ({ id: id + 1, text: entry.content }))}
        />
        <ConnectionStrip connection={chat.connection.value} onReconnect={chat.reconnectNow} />
        <Composer chat={chat} saved={saved} reading={reading} view={view} returned={returned} />
      </main>
      <Announcer chat={chat} reading={reading} view={view} />
      <Help />
    </div>
  );
}

/** The topics spoken in last, and the one being looked at, by name. */
function topicsShown(times: ReadonlyMap<string, string>, view: string): readonly string[] {
  const byTime = [...times].sort(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0));
  const names = new Set(byTime.slice(0, MAX_TOPICS).map(([topic]) => topic));
  if (view !== ALL) names.add(view);
  return [...names].sort(collator.compare);
}
