/** What a search finds in the loaded messages of a view, marked. Loaded with the first search. */

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Chat } from "../chat.ts";
import { viewList } from "../store/select.ts";
import { dayName, sameDay } from "./format.ts";
import type { Mark } from "./RichText.tsx";
import { Row } from "./Row.tsx";
import { marked, search, wordsOf } from "./search.ts";
import { focusMessage, query, target, today } from "./ui.ts";
import { counted } from "./words.ts";

/** The newest of what was found; more than this nobody looks through. */
const MAX_SHOWN = 200;

export function Found({ chat, view }: { chat: Chat; view: string }): JSX.Element {
  const state = chat.state.value;
  const wanted = query.value;
  const { messages } = useMemo(() => viewList(state, view), [state.messages, state.ranges, view]);
  const found = useMemo(() => search(messages, wanted), [messages, wanted]);
  const mark = useMemo<Mark>(() => {
    const words = wordsOf(wanted);
    return (text) => marked(text, words).map((piece, i) => (i % 2 === 1 ? <mark key={i}>{piece}</mark> : piece));
  }, [wanted]);
  const shown = found.slice(-MAX_SHOWN);
  const log = useRef<HTMLDivElement>(null);
  // The newest is what one looks for first, as in the log itself.
  useLayoutEffect(() => {
    if (log.current) log.current.scrollTop = log.current.scrollHeight;
  }, [wanted]);
  const choose = (row: Element | null): void => {
    target.value = (row as HTMLElement | null)?.dataset["id"];
    if (target.value !== undefined) query.value = "";
  };
  return (
    <div class="log-frame">
      <div class="found">
        <p aria-live="polite">
          {found.length === 0 ? "None" : found.length.toLocaleString()} of {counted(messages.length, "loaded message")}
          {found.length > shown.length && `; the newest ${shown.length} are shown`}
        </p>
        <button
          type="button"
          onClick={() => {
            query.value = "";
            focusMessage();
          }}
        >
          Leave search
        </button>
      </div>
      <div class="log searching" role="log" aria-label="Messages" aria-live="off" tabIndex={0} ref={log}>
        <p class="log-start">{found.length === 0 ? "No loaded message holds these words." : ""}</p>
        <ol
          onClick={(event) => {
            if (!(event.target as Element).closest("a, button")) choose((event.target as Element).closest(".row"));
          }}
          onKeyDown={(event) => {
            const row = event.target as Element;
            if (event.key === "Enter" && row.matches(".row")) choose(row);
            const next = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
            const rows = [...event.currentTarget.querySelectorAll<HTMLElement>(".row")];
            if (next !== 0) rows[rows.indexOf(row.closest<HTMLElement>(".row") as HTMLElement) + next]?.focus();
          }}
        >
          {shown.map((message, i) => {
            const time = new Date(message.time);
            const before = shown[i - 1];
            const day = before && sameDay(new Date(before.time), time) ? undefined : dayName(time, today.value);
            return <Row key={message.id} message={message} day={day} firstUnread={false} grouped={false} mark={mark} />;
          })}
        </ol>
      </div>
    </div>
  );
}
