/**
 * The log of a view. One instance for each: it is keyed by it.
 */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import type { Entry } from "../outbox/entry.ts";
import { compareInTopic, compareMerged, type Message } from "../protocol/message.ts";
import type { Reading } from "../reading.ts";
import { linkTo } from "../route.ts";
import { viewList } from "../store/select.ts";
import { ALL, type Refusal } from "../store/state.ts";
import { firstUnread } from "../store/unread.ts";
import { dayName, sameDay } from "./format.ts";
import { Icon } from "./Icon.tsx";
import { PendingRow, Row } from "./Row.tsx";
import { findRow } from "./scroll.ts";
import { useStretch } from "./stretch.ts";
import { conversation, focusMessage, newestAsked, returned, target, today } from "./ui.ts";
import { counted } from "./words.ts";

/** Messages of one sender this close together share a head. Ms. */
const GROUP_MS = 5 * 60_000;
/** How often history is asked for to find the first unread message. */
const MAX_LOOKS = 5;
/** How often history is asked for to find a message that somebody wants to see. */
const MAX_HUNTS = 20;

export interface LogProps {
  readonly chat: Chat;
  readonly reading: Reading;
  readonly view: string;
}

/** The log of an address that names no topic. */
export function NoSuchTopic(): JSX.Element {
  return (
    <div class="log-frame">
      <div class="log" role="log" aria-label="Messages" tabIndex={0}>
        <p class="log-start">
          There is no such topic. <a href={linkTo(ALL)}>See all topics</a>
        </p>
      </div>
    </div>
  );
}

export function Log({ chat, reading, view }: LogProps): JSX.Element {
  const state = chat.state.value;
  const whole = useMemo(() => viewList(state, view), [state.messages, state.ranges, view]);
  /** Known, but not shown while older ones may come: nobody knows yet what stands above it. */
  const first = whole.more && whole.messages.length > 1 ? whole.messages[0] : undefined;
  const list = useMemo(() => (first ? whole.messages.slice(1) : whole.messages), [whole]);
  const pending = state.pending.filter((entry) => view === ALL || entry.topic === view);

  const part = conversation.value;
  const passing = part ? state.fleeting.filter(({ topic }) => view === ALL || topic === view) : [];

  const opened = useRef(false);
  const stretch = useStretch({
    list,
    compare: view === ALL ? compareMerged : compareInTopic,
    below: pending.map((entry) => `${entry.key}${entry.failed ? "!" : ""}`).join(" ") + passing.length,
    ready: opened,
    loadOlder: () => void chat.loadOlder(view),
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
    const unread = firstUnread(list, reading.marks.value, reading.email.value);
    // All that is loaded is unread: the first may lie further back.
    if (unread && unread === list[0] && looks.current++ < MAX_LOOKS && chat.loadOlder(view)) return;
    opened.current = true;
    if (unread) setDivider(unread.id);
    if (target.value === undefined && unread && !isOnLastScreen(unread, scroller.current, rows.current)) {
      stretch.bring(unread.id, 1 / 4);
    }
  }, [state.epoch, state.requests, list]);

  const wanted = target.value;
  const hunts = useRef(0);
  useLayoutEffect(() => {
    if (!opened.current || wanted === undefined) return;
    const held = list.some(({ id }) => id === wanted);
    if (!held && hunts.current++ < MAX_HUNTS && chat.loadOlder(view)) return;
    hunts.current = 0;
    target.value = undefined;
    if (!held) return;
    stretch.bring(wanted, 1 / 3);
    requestAnimationFrame(() => rows.current && findRow(rows.current.children, wanted)?.focus({ preventScroll: true }));
  }, [wanted, list, state.epoch]);

  const attentive = reading.attentive.value;
  useEffect(() => {
    if (following && opened.current && attentive) reading.read(whole.messages);
    chat.trim(view, following);
  });

  // Nobody looks: the first message that comes now is where they will go on.
  const armed = useRef(false);
  useEffect(() => {
    armed.current = !attentive;
  }, [attentive]);
  useEffect(() => {
    if (!armed.current) return;
    const unread = firstUnread(list, reading.marks.value, reading.email.value);
    if (!unread) return;
    armed.current = false;
    setDivider(unread.id);
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
    if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      if (event.key === "Home") stretch.toOldest();
      else stretch.toNewest();
    }
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const next = row ? rowBeside(row, event.key === "ArrowUp") : lastVisible(scroller.current, rows.current);
    (next as HTMLElement | null | undefined)?.focus();
  };

  const now = today.value;
  const items: JSX.Element[] = [];
  let passed = 0;
  /** What is kept nowhere stands where it came. */
  const passTo = (time: string): void => {
    for (let said = passing[passed]; part && said && said.time < time; said = passing[++passed]) {
      items.push(<part.Fleeting key={`fleeting ${said.key} ${said.time}`} message={said} />);
    }
  };
  const above = list[stretch.start - 1];
  if (above) while ((passing[passed]?.time ?? "~") < above.time) passed++;
  shown.forEach((message, i) => {
    const firstUnread = message.id === divider;
    const { day, grouped } = layout(list[stretch.start + i - 1] ?? first, message, now);
    const before = items.length;
    passTo(message.time);
    items.push(
      <Row
        key={message.id}
        message={message}
        day={day}
        firstUnread={firstUnread}
        grouped={grouped && !firstUnread && before === items.length}
      />,
    );
  });
  if (atEnd) passTo("~");
  return (
    <div class="log-frame">
      <div
        class="log"
        role="log"
        aria-label="Messages"
        aria-live="off"
        tabIndex={0}
        ref={scroller}
        onScroll={stretch.onScroll}
        onKeyDown={onKeyDown}
      >
        <p class="log-start">
          <Start
            welcomed={state.epoch > 0}
            more={whole.more}
            count={list.length + pending.length + passing.length}
            refusal={state.refusals.get(view)}
            onAskAgain={() => chat.askAgain(view)}
          />
        </p>
        <ol ref={rows}>
          {items}
          {atEnd &&
            pending.map((entry, i) => (
              <PendingRow
                key={`pending ${entry.key}`}
                entry={entry}
                {...layout(i > 0 ? pending[i - 1] : list.at(-1), entry, now)}
                onRetry={chat.retry}
                onEdit={(key) => {
                  const taken = chat.takeBack(key);
                  if (taken) returned.value = taken;
                }}
                onDiscard={(key) => {
                  chat.takeBack(key);
                  focusMessage();
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
          {stretch.fresh > 0 ? counted(stretch.fresh, "new message") : "Jump to newest"}
        </button>
      )}
    </div>
  );
}

function Start(props: {
  welcomed: boolean;
  more: boolean;
  count: number;
  refusal: Refusal | undefined;
  onAskAgain: () => void;
}): JSX.Element {
  const { welcomed, more, count, refusal, onAskAgain } = props;
  if (!welcomed) return <></>;
  const text = more
    ? refusal
      ? "Older messages cannot be had just now. Trying again…"
      : "Loading older messages…"
    : count === 0
      ? "No messages yet. Say hello."
      : "This is where it begins.";
  // Another text is another node: it did not move there, it was not there.
  if (!more || !refusal?.forGood) return <span key={text}>{text}</span>;
  return (
    <>
      {refusal.code === "not_found" ? "There is no such topic." : `Older messages were refused: ${refusal.message}.`}{" "}
      <button type="button" onClick={onAskAgain}>
        Try again
      </button>
    </>
  );
}

/** What is said after `before`: the heading of a new day, or one utterance with it. */
export function layout(
  before: Message | Entry | undefined,
  said: Message | Entry,
  now: Date,
): { readonly day: string | undefined; readonly grouped: boolean } {
  const time = timeOf(said);
  if (!before || !sameDay(timeOf(before), time)) return { day: dayName(time, now), grouped: false };
  const grouped =
    before.email === said.email &&
    before.name === said.name &&
    before.account === said.account &&
    before.topic === said.topic &&
    said.reply_to === undefined &&
    Math.abs(time.getTime() - timeOf(before).getTime()) < GROUP_MS;
  return { day: undefined, grouped };
}

function timeOf(said: Message | Entry): Date {
  return new Date("time" in said ? said.time : said.created);
}

/** The nearest message above or below: headings of days stand between. */
function rowBeside(row: Element, above: boolean): Element | null {
  let next: Element | null = row;
  do next = above ? next.previousElementSibling : next.nextElementSibling;
  while (next && !next.classList.contains("row"));
  return next;
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
  return [...rows.querySelectorAll(".row")].findLast((row) => row.getBoundingClientRect().bottom <= bottom + 1) ?? null;
}
