/** Where one is, who is there, and the few tools. */

import type { JSX } from "preact";
import type { Saved } from "../saved.ts";
import { Icon } from "./Icon.tsx";
import { forbidden, notifying, possible, toggleNotifications } from "./notifications.ts";
import { nextTheme, theme } from "./theme.ts";
import { focusMessage, helpOpen, query } from "./ui.ts";

export function Header(props: { title: string; online: number | undefined; saved: Saved }): JSX.Element {
  const { title, online, saved } = props;
  return (
    <header class="bar">
      <h1 dir="auto">{title}</h1>
      <span class="online">{online === undefined ? "" : `${online} online`}</span>
      <label class="search">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          aria-label="Search loaded messages"
          placeholder="Search"
          autocomplete="off"
          value={query.value}
          onInput={(event) => (query.value = event.currentTarget.value)}
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
      <button type="button" class="tool" aria-label="Help" title="Keys (?)" onClick={() => (helpOpen.value = true)}>
        <Icon name="help" />
      </button>
    </header>
  );
}
