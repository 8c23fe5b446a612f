/**
 * The log of a view, or what a search found in it. One instance for each: it is keyed by them.
 */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import type { Entry } from "../outbox/entry.ts";
import { compareInTopic, compareMerged, type Message } from "../protocol/message.ts";
import type { Reading } from "../reading.ts";
import { viewList } from "../store/select.ts";
import { ALL } from "../store/state.ts";
import { firstUnread } from "../store/unread.ts";
import { dayName, sameDay } from "./format.ts";
import { Icon } from "./Icon.tsx";
import { PendingRow, Row } from "./Row.tsx";
import { findRow } from "./scroll.ts";
import { search } from "./search.ts";
import { useStretch } from "./stretch.ts";
import { focusMessage, newestAsked, target } from "./ui.ts";

/** Messages of one sender this close together share a head. Ms. */
const GROUP_MS = 5 * 60_000;
/** How often history is asked for to find the first unread message. */
const MAX_LOOKS = 5;

export interface LogProps {
  readonly chat: Chat;
  readonly reading: Reading;
  readonly view: string;
  /** Shows only what holds these words, and no more history; "" shows all. */
  readonly query: string;
  /** A row of a search was chosen. */
  onChoose(id: string): void;
  /** Puts a failed message back where it can be edited. */
  onTakeBack(entry: Entry): void;
}

export function Log({ chat, reading, view, query, onChoose, onTakeBack }: LogProps): JSX.Element {
  const state = chat.state.value;
  const searching = query !== "";
  const whole = useMemo(() => viewList(state, view), [state.messages, state.ranges, view]);
  const list = useMemo(() => search(whole.messages, query), [whole, query]);
  const pending = searching ? [] : state.pending.filter((entry) => view === ALL || entry.topic === view);

  const opened = useRef(false);
  const stretch = useStretch({
    list,
    compare: view === ALL ? compareMerged : compareInTopic,
    below: pending.map((entry) => `${entry.key}${entry.failed ? "!" : ""}`).join(" "),
    ready: opened,
    loadOlder: () => void (searching || chat.loadOlder(view)),
  });
  const { scroller, rows, shown, following } = stretch;
  const atEnd = following || stretch.start + shown.length === list.length;
  /** The first message that was unread when the person came, or went away. */
  const [divider, setDivider] = useState<string | undefined>(undefined);

  // Once, with the first messages: open at the message asked for, or at the first unread when that
  // is not on the last screen.
  const looks = useRef(0);
  useLayoutEffect(() => {
    if (opened.current || state.epoch === 0) return;
    const first = searching ? undefined : firstUnread(list, reading.marks.value, reading.email.value);
    // All that is loaded is unread: the first may lie further back.
    if (first && first === list[0] && looks.current++ < MAX_LOOKS && chat.loadOlder(view)) return;
    opened.current = true;
    const wanted = target.value;
    target.value = undefined;
    if (first) setDivider(first.id);
    if (wanted !== undefined) {
      stretch.bring(wanted, 1 / 3);
      requestAnimationFrame(() => rows.current && findRow(rows.current.children, wanted)?.focus({ preventScroll: true }));
    } else if (first && !isOnLastScreen(first, scroller.current, rows.current)) {
      stretch.bring(first.id, 1 / 4);
    }
  }, [state.epoch, state.requests, list]);

  const attentive = reading.attentive.value;
  useEffect(() => {
    if (following && opened.current && attentive && !searching) reading.read(whole.messages);
    chat.trim(view, following);
  });

  // Nobody looks: the first message that comes now is where they will go on.
  const armed = useRef(false);
  useEffect(() => {
    armed.current = !attentive;
  }, [attentive]);
  useEffect(() => {
    if (!armed.current) return;
    const first = firstUnread(list, reading.marks.value, reading.email.value);
    if (!first) return;
    armed.current = false;
    setDivider(first.id);
  }, [list]);

  const asked = newestAsked.value;
  const askedBefore = useRef(asked);
  useLayoutEffect(() => {
    if (asked === askedBefore.current) return;
    askedBefore.current = asked;
    setDivider(undefined);
    stretch.toNewest();
  }, [asked]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = (event.target as Element).closest<HTMLElement>(".row");
    const id = row?.dataset["id"];
    if (event.key === "Enter" && searching && id && event.target === row) onChoose(id);
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const near = event.key === "ArrowUp" ? row?.previousElementSibling : row?.nextElementSibling;
    const next = row ? near : lastVisible(scroller.current, rows.current);
    (next as HTMLElement | null | undefined)?.focus();
  };

  const now = new Date();
  return (
    <div class="log-frame">
      <div
        class={searching ? "log searching" : "log"}
        role="log"
        aria-label="Messages"
        aria-live="off"
        tabIndex={0}
        ref={scroller}
        onScroll={stretch.onScroll}
        onKeyDown={onKeyDown}
      >
        <p class="log-start">{startText(state.epoch > 0, searching, whole.more, list.length + pending.length)}</p>
        <ol
          ref={rows}
          onClick={(event) => {
            const id = (event.target as Element).closest<HTMLElement>(".row")?.dataset["id"];
            if (searching && id && !(event.target as Element).closest("a")) onChoose(id);
          }}
        >
          {shown.map((message, i) => {
            const firstUnread = message.id === divider;
            const { day, grouped } = layout(list[stretch.start + i - 1], message, now);
            return (
              <Row
                key={message.id}
                message={message}
                day={day}
                firstUnread={firstUnread}
                grouped={grouped && !firstUnread}
                withTopic={view === ALL}
              />
            );
          })}
          {atEnd &&
            pending.map((entry, i) => (
              <PendingRow
                key={`pending ${entry.key}`}
                entry={entry}
                {...layout(i > 0 ? pending[i - 1] : list.at(-1), entry, now)}
                withTopic={view === ALL}
                onRetry={chat.retry}
                onTakeBack={(key) => {
                  const taken = chat.takeBack(key);
                  if (taken) onTakeBack(taken);
                }}
              />
            ))}
        </ol>
      </div>
      {!following && (
        <button
          type="button"
          class={stretch.fresh > 0 ? "newest fresh" : "newest"}
          onClick={() => {
            stretch.toNewest();
            focusMessage();
          }}
        >
          <Icon name="down" />
          {stretch.fresh > 0 ? `${stretch.fresh} new message${stretch.fresh === 1 ? "" : "s"}` : "Jump to newest"}
        </button>
      )}
    </div>
  );
}

function startText(welcomed: boolean, searching: boolean, more: boolean, count: number): string {
  if (!welcomed) return "";
  if (searching) return count === 0 ? "No loaded message holds these words." : "";
  if (more) return "Loading older messages…";
  return count === 0 ? "No messages yet. Say hello." : "This is where it begins.";
}

/** What is said after `before`: the heading of a new day, or one utterance with it. */
function layout(
  before: Message | Entry | undefined,
  said: Message | Entry,
  now: Date,
): { readonly day: string | undefined; readonly grouped: boolean } {
  const time = timeOf(said);
  if (!before || !sameDay(timeOf(before), time)) return { day: dayName(time, now), grouped: false };
  const grouped =
    before.email === said.email &&
    before.name === said.name &&
    before.topic === said.topic &&
    Math.abs(time.getTime() - timeOf(before).getTime()) < GROUP_MS;
  return { day: undefined, grouped };
}

function timeOf(said: Message | Entry): Date {
  return new Date("time" in said ? said.time : said.created);
}

/** With a little room above it, so that one sees what it follows. */
function isOnLastScreen(message: Message, scroller: HTMLElement | null, rows: HTMLElement | null): boolean {
  const row = rows && findRow(rows.children, message.id);
  if (!row || !scroller) return false;
  return scroller.getBoundingClientRect().bottom - row.getBoundingClientRect().top < scroller.clientHeight * 0.8;
}

function lastVisible(scroller: HTMLElement | null, rows: HTMLElement | null): Element | null {
  if (!scroller || !rows) return null;
  const bottom = scroller.getBoundingClientRect().bottom;
  return [...rows.children].findLast((row) => row.getBoundingClientRect().bottom <= bottom + 1) ?? null;
}
