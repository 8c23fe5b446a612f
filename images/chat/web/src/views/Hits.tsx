/** Messages that a search found, with its words marked: the newest in sight, each leads to its place. */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Message } from "../protocol/message.ts";
import { dayName, sameDay } from "./format.ts";
import type { Mark } from "./RichText.tsx";
import { Row } from "./Row.tsx";
import { marked } from "./search.ts";
import { stepThrough } from "./steps.ts";
import { focusMessage, query, today } from "./ui.ts";

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
  // The newest is what one looks for first, as in the log itself.
  useLayoutEffect(() => {
    if (log.current) log.current.scrollTop = log.current.scrollHeight;
  }, [of]);
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
        {messages.map((message, i) => {
          const time = new Date(message.time);
          const before = messages[i - 1];
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
