/** Where one is, who is there, and the few tools. */

import { computed } from "../signals.ts";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Chat } from "../chat.ts";
import { isRoom, nameOf } from "../rooms.ts";
import { NOWHERE } from "../route.ts";
import type { Saved } from "../saved.ts";
import { session } from "../session.ts";
import { ALL, type State } from "../store/state.ts";
import { typed } from "./field.ts";
import { Icon } from "./Icon.tsx";
import { forbidden, notifying, possible, toggleNotifications } from "./notifications.ts";
import { nextTheme, theme } from "./theme.ts";
import { accountOpen, conversation, focusMessage, helpOpen, query, roomOpen } from "./ui.ts";
import { counted } from "./words.ts";

export function Header({ chat, view, saved }: { chat: Chat; view: string; saved: Saved }): JSX.Element {
  // Nobody knows who is there while there is no connection.
  const online = useMemo(
    () => computed(() => (chat.connection.value.phase === "open" ? present(chat.state.value) : NOBODY_KNOWS)),
    [chat],
  );
  const ofTopic = view !== ALL && view !== NOWHERE;
  const room = isRoom(view);
  return (
    <header class="bar">
      <h1 class={ofTopic && !room ? "of-topic" : ""}>
        {room && <Icon name="lock" />}
        <bdi>{ofTopic ? nameOf(view) : view === ALL ? "All topics" : "No such topic"}</bdi>
      </h1>
      <span class={online.value.length > 1 ? "online told-apart" : "online"}>
        {online.value.map((text) => (
          <span key={text}>{text} </span>
        ))}
      </span>
      {room && (
        <button type="button" class="tool" aria-label="Members" onClick={() => (roomOpen.value = view)}>
          <Icon name="person" />
        </button>
      )}
      <label class="search">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          aria-label={conversation.value ? "Search all messages" : "Search loaded messages"}
          placeholder="Search"
          autocomplete="off"
          dir="auto"
          value={query.value}
          onInput={(event) => (query.value = typed(event.currentTarget))}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            event.stopPropagation();
            query.value = "";
            focusMessage();
          }}
        />
      </label>
      {possible && (
        <button
          type="button"
          class="tool"
          aria-pressed={notifying.value}
          aria-label="Notifications"
          title={
            forbidden.value
              ? "Notifications are forbidden in the browser's settings"
              : notifying.value
                ? "Notifications are on"
                : "Notify me of new messages"
          }
          onClick={() => void toggleNotifications(saved)}
        >
          <Icon name="bell" />
        </button>
      )}
      {!session.value && (
        <button
          type="button"
          class={chat.features.value.has("people") ? "sign-in" : "sign-in not-here"}
          onClick={() => (accountOpen.value = true)}
        >
          Sign in
        </button>
      )}
      <button
        type="button"
        class="tool"
        aria-label={`Theme: ${theme.value}`}
        title={`Theme: ${theme.value}`}
        onClick={() => nextTheme(saved)}
      >
        <Icon name={theme.value} />
      </button>
      <button type="button" class="tool help-button" aria-label="Help" title="Keys (?)" onClick={() => (helpOpen.value = true)}>
        <Icon name="help" />
      </button>
    </header>
  );
}

const NOBODY_KNOWS: readonly string[] = [];

/** How many are there, and who they are, where the server tells guests and users apart. */
function present({ online, guests, users }: State): readonly string[] {
  if (online === undefined) return NOBODY_KNOWS;
  const total = `${online} online`;
  return guests === undefined || users === undefined ? [total] : [total, `${counted(users, "user")}, ${counted(guests, "guest")}`];
}
