/** The page's frame: topics beside, log and composer in the middle. */

import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Chat } from "../chat.ts";
import type { Saved } from "../saved.ts";
import { ALL } from "../store/state.ts";
import { Composer } from "./Composer.tsx";
import { ConnectionStrip } from "./ConnectionStrip.tsx";
import { Log } from "./Log.tsx";
import { Topics } from "./Topics.tsx";

export function App(props: { chat: Chat; saved: Saved; route: ReadonlySignal<string> }): JSX.Element {
  const { chat, saved, route } = props;
  const view = route.value;
  const { online, topics } = chat.state.value;
  const names = useMemo(() => {
    const all = new Set(topics.keys());
    if (view !== ALL) all.add(view);
    return [...all].sort((a, b) => a.localeCompare(b));
  }, [topics, view]);
  return (
    <div class="app">
      <header class="bar">
        <h1 dir="auto">{view === ALL ? "All topics" : view}</h1>
        <span class="online">{online === undefined ? "" : `${online} online`}</span>
      </header>
      <Topics topics={names} view={view} />
      <main>
        <Log key={view} chat={chat} view={view} />
        <ConnectionStrip connection={chat.connection.value} onReconnect={chat.reconnectNow} />
        <Composer chat={chat} saved={saved} view={view} />
      </main>
    </div>
  );
}
