/** Messages that a search found, with its words marked: the newest in sight, each leads to its place. */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Message } from "../protocol/message.ts";
import { dayName, sameDay } from "./format.ts";
import type { Mark } from "./RichText.tsx";
import { Row } from "./Row.tsx";
import { marked } from "./search.ts";
import { stepThrough } from "./steps.ts";
import { focusMessage, query, today } from "./ui.ts";

/** So many are there at once, and so many more by and by: a letter typed does not wait for hundreds of rows. */
const AT_ONCE = 40;
/** Between them. Ms. */
const BY_AND_BY_MS = 30;

export interface HitsProps {
  readonly messages: readonly Message[];
  /** What is marked in them; the same array as long as it is the same. */
  readonly words: readonly string[];
  /** What was looked for, and whether it was answered: when it changes, the newest is shown. */
  readonly of: string;
  /** Somebody wants to see a message in its place. */
  onChoose(message: Message): void;
  /** Stands above them. */
  readonly children: ComponentChildren;
}

export function Hits({ messages, words, of, onChoose, children }: HitsProps): JSX.Element {
  const log = useRef<HTMLDivElement>(null);
  const mark = useMemo<Mark>(
    () => (text) => marked(text, words).map((piece, i) => (i % 2 === 1 ? <mark key={i}>{piece}</mark> : piece)),
    [words],
  );
  const [room, setRoom] = useState({ of, rows: AT_ONCE });
  const rows = room.of === of ? room.rows : AT_ONCE;
  const shown = messages.slice(-rows);
  // The newest is what one looks for first, as in the log itself; where nothing is found, what is said of that.
  const nothing = messages.length === 0;
  useLayoutEffect(() => {
    if (log.current) log.current.scrollTop = nothing ? 0 : log.current.scrollHeight;
  }, [of, nothing]);
  // Older ones come above, and nothing that is read moves.
  const below = useRef(0);
  useEffect(() => {
    if (rows >= messages.length) return undefined;
    const timer = setTimeout(() => {
      if (log.current) below.current = log.current.scrollHeight - log.current.scrollTop;
      setRoom({ of, rows: rows + AT_ONCE });
    }, BY_AND_BY_MS);
    return () => clearTimeout(timer);
  }, [of, rows, messages.length]);
  useLayoutEffect(() => {
    if (log.current && below.current > 0) log.current.scrollTop = log.current.scrollHeight - below.current;
    below.current = 0;
  }, [rows]);
  const choose = (row: Element | null): void => {
    const id = (row as HTMLElement | null)?.dataset["id"];
    const message = messages.find((each) => each.id === id);
    if (message) onChoose(message);
  };
  return (
    <div class="log searching" role="log" aria-label="Messages" aria-live="off" tabIndex={0} ref={log} onKeyDown={stepThrough}>
      {children}
      <ol
        onClick={({ target }) => {
          if (!(target as Element).closest("a, button")) choose((target as Element).closest(".row"));
        }}
        onKeyDown={({ key, target }) => {
          if (key === "Enter" && (target as Element).matches(".row")) choose(target as Element);
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
  );
}

export function LeaveSearch(): JSX.Element {
  return (
    <button
      type="button"
      onClick={() => {
        query.value = "";
        focusMessage();
      }}
    >
      Leave search
    </button>
  );
}
