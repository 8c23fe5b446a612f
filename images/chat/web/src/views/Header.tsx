/** Where one is, who is there, and the few tools. */

import { computed } from "../signals.ts";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Chat } from "../chat.ts";
import { NOWHERE } from "../route.ts";
import type { Saved } from "../saved.ts";
import { ALL } from "../store/state.ts";
import { typed } from "./field.ts";
import { Icon } from "./Icon.tsx";
import { forbidden, notifying, possible, toggleNotifications } from "./notifications.ts";
import { nextTheme, theme } from "./theme.ts";
import { conversation, focusMessage, helpOpen, query } from "./ui.ts";

export function Header({ chat, view, saved }: { chat: Chat; view: string; saved: Saved }): JSX.Element {
  // Nobody knows who is there while there is no connection.
  const online = useMemo(
    () => computed(() => (chat.connection.value.phase === "open" ? chat.state.value.online : undefined)),
    [chat],
  );
  const ofTopic = view !== ALL && view !== NOWHERE;
  return (
    <header class="bar">
      <h1 class={ofTopic ? "of-topic" : ""}>
        <bdi>{ofTopic ? view : view === ALL ? "All topics" : "No such topic"}</bdi>
      </h1>
      <span class="online">{online.value === undefined ? "" : `${online.value} online`}</span>
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
