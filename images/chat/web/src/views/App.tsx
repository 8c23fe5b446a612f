/** The page's frame: topics beside, log and composer in the middle, and the keys that reach all. */

import { computed, type ReadonlySignal } from "../signals.ts";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import type { Identity } from "../identity.ts";
import type { Reading } from "../reading.ts";
import { isRoom, nameOf, rooms } from "../rooms.ts";
import { goTo, NOWHERE, viewOf } from "../route.ts";
import { CLOSE_SIGNED_OUT } from "../protocol/frames.ts";
import type { Saved } from "../saved.ts";
import { session } from "../session.ts";
import { ALL, MAX_TOPICS } from "../store/state.ts";
import { Composer } from "./Composer.tsx";
import { ConnectionStrip } from "./ConnectionStrip.tsx";
import { Header } from "./Header.tsx";
import { Log, NoSuchTopic, type LogProps } from "./Log.tsx";
import { usePart } from "./part.ts";
import { Topics } from "./Topics.tsx";
import { accountOpen, answered, askNewest, conversation, focusSearch, helpOpen, query, roomOpen, thread } from "./ui.ts";
import { isolate } from "./words.ts";

export interface AppProps {
  readonly chat: Chat;
  /** Shared by the browser's tabs: the device's, and those of who is signed in. */
  readonly saved: Saved;
  readonly own: Saved;
  /** This tab's own. */
  readonly drafts: Saved;
  readonly identity: Identity;
  readonly reading: Reading;
  readonly route: ReadonlySignal<string>;
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Everything that a server with the feature "conversation" adds, after the first messages. */
function useConversation(props: AppProps, settled: boolean): void {
  const { chat } = props;
  const able = settled && chat.listed.value && chat.features.value.has("conversation");
  const part = usePart(able, () => import("../conversation/conversation.ts").then(({ openConversation }) => openConversation({ ...props, saved: props.own })));
  useEffect(() => void (conversation.value = able ? part : undefined), [able, part]);
}

export function App(props: AppProps): JSX.Element {
  const { chat, saved, drafts, identity, reading, route } = props;
  const settled = useSettled(chat);
  useConversation(props, settled);
  const topicTimes = useMemo(() => computed(() => chat.state.value.topics), [chat]);
  // To a guest no room is there.
  const view = isRoom(route.value) && !session.value ? NOWHERE : route.value;
  const connection = chat.connection.value;
  const signedOut = connection.phase === "stopped" && connection.code === CLOSE_SIGNED_OUT;
  const unread = reading.unread.value;
  const topics = useMemo(() => topicsShown(topicTimes.value, rooms.value, view), [topicTimes.value, rooms.value, view]);

  const mayOnlyRead = usePart(settled && !session.value && chat.features.value.has("people"), () => import("../guests.ts").then((part) => part.guestsOnlyRead()));
  const Announcer = usePart(settled, () => import("./Later.tsx").then((part) => part.Announcer));
  const Help = usePart(helpOpen.value, () => import("./Help.tsx").then((part) => part.Help));

  const peopleWanted = accountOpen.value || signedOut || roomOpen.value !== undefined || rooms.value !== undefined;
  const people = usePart(peopleWanted, () => import("./People.tsx"));

  useEffect(() => {
    let total = 0;
    for (const count of unread.values()) total += count;
    const where = view === ALL || view === NOWHERE ? "" : `${isolate(nameOf(view))} · `;
    document.title = signedOut ? "Chatapp" : `${total > 0 ? `(${total}) ` : ""}${where}Chatapp`;
  }, [unread, view, nameOf(view), signedOut]);

  // A search is for the view it began in.
  useEffect(() => {
    query.value = "";
    thread.value = answered.value = undefined;
  }, [view]);

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
      const writing = (event.target as Element).matches("input, textarea");
      if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        const views = [ALL, ...topics];
        const step = event.key === "ArrowUp" ? -1 : 1;
        // From where the address is: after two quick presses the view is yet to follow the first.
        const here = views.indexOf(viewOf(location.hash));
        goTo(views[(here + step + views.length) % views.length] ?? ALL);
      } else if (event.key === "Escape") {
        query.value = "";
        thread.value = answered.value = undefined;
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

  if (signedOut) {
    return (
      <main class="signed-out">
        <ConnectionStrip chat={chat} />
        {people && <people.Gate />}
      </main>
    );
  }
  return (
    <div class="app">
      <Header chat={chat} view={view} saved={saved} />
      <Topics topics={chat.listed.value ? topics : []} unread={unread} view={view} makesRooms={session.value !== undefined && chat.features.value.has("rooms")} />
      <main>
        <ConnectionStrip chat={chat} />
        {people && <people.RoomKeeper view={view} />}
        {view === NOWHERE ? <NoSuchTopic /> : <Messages chat={chat} reading={reading} view={view} />}
        {mayOnlyRead ? (
          <p class="to-write">
            Guests may read here. To write, <button type="button" onClick={() => (accountOpen.value = true)}>sign in</button>
          </p>
        ) : (
          <Composer chat={chat} drafts={drafts} identity={identity} view={view} />
        )}
      </main>
      {Announcer && <Announcer chat={chat} reading={reading} view={view} />}
      {Help && <Help />}
      {people && (
        <people.Account waiting={chat.state.value.pending.length} guest={{ name: identity.name.value, email: identity.email.value }} />
      )}
      {people && <people.RoomSheet />}
    </div>
  );
}

/** The first messages come first; what announces new ones, and all that is added to them, comes after. Ms. */
const SETTLE_MS = 1_000;

function useSettled(chat: Chat): boolean {
  const [settled, setSettled] = useState(false);
  const { phase } = chat.connection.value;
  useEffect(() => {
    if (phase !== "open" || settled) return undefined;
    const timer = setTimeout(() => setSettled(true), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [phase]);
  return settled;
}

/** The log of a view, or what a search found in it. */
function Messages({ chat, reading, view }: LogProps): JSX.Element {
  const searching = query.value !== "";
  const part = conversation.value;
  if (part && searching) return <part.Asked view={view} />;
  if (part && thread.value) return <part.Thread message={thread.value} />;
  const Found = usePart(searching, () => import("./Found.tsx").then((part) => part.Found));
  // Until it is there, and should it not come, the messages themselves.
  if (searching && Found) return <Found chat={chat} view={view} />;
  return <Log key={view} chat={chat} reading={reading} view={view} />;
}

/** The topics spoken in last, and the one being looked at, by name. */
function topicsShown(
  times: ReadonlyMap<string, string>,
  mine: ReadonlyMap<string, unknown> | undefined,
  view: string,
): readonly string[] {
  const byTime = [...times].sort(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0));
  const names = new Set(byTime.slice(0, MAX_TOPICS).map(([topic]) => topic));
  if (view !== ALL && view !== NOWHERE) names.add(view);
  const own = [...(mine?.keys() ?? [])].sort((a, b) => collator.compare(nameOf(a), nameOf(b)));
  return [...own, ...[...names].filter((topic) => !isRoom(topic)).sort(collator.compare)];
}
