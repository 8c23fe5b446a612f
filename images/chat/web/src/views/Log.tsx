/**
 * The log: a stretch of the view's messages in the DOM, following the newest or held where a person
 * reads. One instance for each view (and search): it is keyed by them.
 */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
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
import { distanceToBottom, findRow, measureAnchor, restoreAnchor, STICK_PX, type Anchor } from "./scroll.ts";
import { search } from "./search.ts";
import { focusMessage, newestAsked, target } from "./ui.ts";
import {
  around,
  bounds,
  CUT_ROWS,
  cutTail,
  follow,
  hold,
  stepDown,
  stepUp,
  TAIL,
  TAIL_ROWS,
  upperBound,
  type Window,
} from "./window.ts";

/** Messages of one sender this close together share a head. Ms. */
const GROUP_MS = 5 * 60_000;
/** How often history is asked for to find the first unread message. */
const MAX_LOOKS = 5;
/** Nearer than this to an end of the stretch, more is brought. CSS px. */
const REACH_PX = 800;

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
  const compare = view === ALL ? compareMerged : compareInTopic;
  const whole = useMemo(() => viewList(state, view), [state.messages, state.ranges, view]);
  const list = useMemo(() => search(whole.messages, query), [whole, query]);
  const pending = searching ? [] : state.pending.filter((entry) => view === ALL || entry.topic === view);

  const scroller = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLOListElement>(null);
  const [, render] = useReducer<number, void>((n) => n + 1, 0);
  const window = useRef<Window>(TAIL);
  const setWindow = (next: Window): void => {
    window.current = next;
    render();
  };
  /** Following the newest? Changed by scrolling, read between renders. */
  const stuck = useRef(true);
  const anchor = useRef<Anchor | undefined>(undefined);
  /** Where a row is to stand that may not be in the DOM yet. */
  const pinned = useRef<Anchor | undefined>(undefined);
  /** The newest message when it stopped being followed: what comes after is new. */
  const [left, setLeft] = useState<Message | undefined>(undefined);
  /** The first message that was unread when the person came, or went away. */
  const [divider, setDivider] = useState<string | undefined>(undefined);
  const opened = useRef(false);

  if (stuck.current) window.current = follow(list, window.current, compare);
  const stretch = bounds(list, window.current, compare);
  const shown = list.slice(stretch.start, stretch.end);

  /** What stands at the very end; when it changes, who follows the newest is taken along. */
  const newest = `${shown.at(-1)?.id} ${pending.map((entry) => `${entry.key}${entry.failed ? "!" : ""}`).join(" ")}`;
  const followed = useRef("");

  // Read before this render touches the DOM.
  const fromBottom = scroller.current ? distanceToBottom(scroller.current) : 0;
  if (scroller.current && rows.current && !stuck.current) {
    anchor.current = measureAnchor(scroller.current, rows.current.children);
  }

  const settle = (): void => {
    const el = scroller.current;
    if (!el || !rows.current) return;
    if (pinned.current && restoreAnchor(el, rows.current.children, pinned.current)) {
      pinned.current = undefined;
    } else if (!stuck.current) {
      if (anchor.current) restoreAnchor(el, rows.current.children, anchor.current);
    } else {
      // Nothing new: older rows may have come or gone above, the distance stays.
      const keep = followed.current === newest ? fromBottom : 0;
      el.scrollTop = el.scrollHeight - el.clientHeight - keep;
    }
    followed.current = newest;
  };

  const stick = (): void => {
    stuck.current = true;
    // Rows that already stand there stay: cutting them is for a frame of its own.
    setWindow(stretch.end === list.length ? { top: list[stretch.start], bottom: undefined } : TAIL);
    setLeft(undefined);
  };
  const toNewest = (): void => {
    followed.current = "";
    stick();
    // In case nothing renders: it may be a few px only.
    if (scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  };
  const unstick = (from: Window): void => {
    stuck.current = false;
    setWindow(from);
    setLeft((before) => before ?? list.at(-1));
  };

  /** Brings more rows or more history when an end is near. */
  const reach = (): void => {
    const el = scroller.current;
    if (!el || !opened.current) return;
    if (el.scrollTop < REACH_PX && stretch.start > 0) {
      if (!stuck.current || shown.length < TAIL_ROWS) setWindow(stepUp(list, stretch));
    } else if (el.scrollTop < REACH_PX && !searching) {
      chat.loadOlder(view);
    }
    if (distanceToBottom(el) < REACH_PX && stretch.end < list.length && !stuck.current) {
      setWindow(stepDown(list, stretch));
    }
  };

  /**
   * Following the newest, rows are only added; once there are many, the oldest are cut in a frame of
   * their own, in which nothing else moves, and the next frame goes on.
   */
  const cut = (): void => {
    if (!stuck.current) return;
    if (window.current.bottom) setWindow({ top: window.current.top, bottom: undefined });
    else if (shown.length > CUT_ROWS) setWindow(cutTail(list, stretch));
  };
  const cutNow = useRef(cut);
  cutNow.current = cut;
  const cutting = stuck.current && (window.current.bottom !== undefined || shown.length > CUT_ROWS);
  useEffect(() => {
    if (!cutting) return undefined;
    const before = followed.current;
    const frame = requestAnimationFrame(() => {
      // Rows were added in this very frame: the effect of that render asks again.
      if (followed.current === before) cutNow.current();
    });
    return () => cancelAnimationFrame(frame);
  });

  const onScroll = (): void => {
    const el = scroller.current;
    if (!el || !rows.current) return;
    if (stuck.current && window.current.bottom) return;
    const distance = stretch.end === list.length ? distanceToBottom(el) : Infinity;
    // One lets go early and takes hold late: nothing jumps because one comes near.
    if (distance <= 1 && !stuck.current) stick();
    else if (distance > STICK_PX && stuck.current) unstick(hold(list, stretch));
    reach();
  };

  /** Shows one message in the middle, and the keyboard on it. */
  const show = (id: string): void => {
    const index = list.findIndex((message) => message.id === id);
    if (index < 0) return;
    unstick(around(list, index));
    pinned.current = { id, offset: (scroller.current?.clientHeight ?? 0) / 3 };
    requestAnimationFrame(() => rows.current && findRow(rows.current.children, id)?.focus({ preventScroll: true }));
  };

  // Once, with the first messages: open at the first unread, when it is not on the last screen.
  const looks = useRef(0);
  useLayoutEffect(() => {
    if (opened.current || state.epoch === 0) return;
    const first = searching ? undefined : firstUnread(list, reading.marks.value, reading.email.value);
    // All that is loaded is unread: the first may lie further back.
    if (first && first === list[0] && looks.current++ < MAX_LOOKS && chat.loadOlder(view)) return;
    opened.current = true;
    if (target.value !== undefined) {
      show(target.value);
      target.value = undefined;
      return;
    }
    if (!first) return;
    setDivider(first.id);
    const index = upperBound(list, first, compare, true);
    const row = rows.current && findRow(rows.current.children, first.id);
    const height = scroller.current?.clientHeight ?? 0;
    const bottom = scroller.current?.getBoundingClientRect().bottom ?? 0;
    if (row && bottom - row.getBoundingClientRect().top < height * 0.8) return;
    unstick(around(list, index));
    pinned.current = { id: first.id, offset: height / 4 };
  }, [state.epoch, state.requests, list]);

  useLayoutEffect(() => {
    // Something new while the end was in sight: go along with it from now on.
    const near = opened.current && !stuck.current && followed.current !== newest && fromBottom <= STICK_PX;
    if (near && stretch.end === list.length && left) stick();
    settle();
  });

  const attentive = reading.attentive.value;
  useEffect(() => {
    if (stuck.current && opened.current && attentive && !searching) reading.read(whole.messages);
    chat.trim(view, stuck.current);
    reach();
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

  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (scroller.current && stuck.current) scroller.current.scrollTop = scroller.current.scrollHeight;
    });
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);

  const asked = newestAsked.value;
  const askedBefore = useRef(asked);
  useLayoutEffect(() => {
    if (asked === askedBefore.current) return;
    askedBefore.current = asked;
    setDivider(undefined);
    toNewest();
  }, [asked]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = (event.target as Element).closest<HTMLElement>(".row");
    if (event.key === "Enter" && searching && row?.dataset["id"] && event.target === row) onChoose(row.dataset["id"]);
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const up = event.key === "ArrowUp";
    const next = row ? (up ? row.previousElementSibling : row.nextElementSibling) : lastVisible(scroller.current, rows.current);
    (next as HTMLElement | null)?.focus();
  };

  const newCount = left && !stuck.current ? list.length - upperBound(list, left, compare) : 0;
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
        onScroll={onScroll}
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
            const before = i > 0 ? shown[i - 1] : list[stretch.start - 1];
            const time = new Date(message.time);
            const newDay = !before || !sameDay(new Date(before.time), time);
            const firstUnread = message.id === divider;
            return (
              <Row
                key={message.id}
                message={message}
                day={newDay ? dayName(time, now) : undefined}
                firstUnread={firstUnread}
                grouped={!newDay && !firstUnread && follows(before, message)}
                withTopic={view === ALL}
              />
            );
          })}
          {stretch.end === list.length &&
            pending.map((entry, i) => {
              const before = i > 0 ? pending[i - 1] : list.at(-1);
              const newDay = !before || !sameDay(timeOf(before), timeOf(entry));
              return (
              <PendingRow
                key={`pending ${entry.key}`}
                entry={entry}
                day={newDay ? dayName(timeOf(entry), now) : undefined}
                grouped={!newDay && follows(before, entry)}
                withTopic={view === ALL}
                onRetry={chat.retry}
                onTakeBack={(key) => {
                  const taken = chat.takeBack(key);
                  if (taken) onTakeBack(taken);
                }}
              />
              );
            })}
        </ol>
      </div>
      {left && !stuck.current && (
        <button
          type="button"
          class={newCount > 0 ? "newest fresh" : "newest"}
          onClick={() => {
            toNewest();
            focusMessage();
          }}
        >
          <Icon name="down" />
          {newCount > 0 ? `${newCount} new message${newCount === 1 ? "" : "s"}` : "Jump to newest"}
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

function lastVisible(scroller: HTMLElement | null, rows: HTMLElement | null): Element | null {
  if (!scroller || !rows) return null;
  const bottom = scroller.getBoundingClientRect().bottom;
  const all = [...rows.children];
  return all.findLast((row) => row.getBoundingClientRect().bottom <= bottom + 1) ?? null;
}

function timeOf(said: Message | Entry): Date {
  return new Date("time" in said ? said.time : said.created);
}

/** Does `said` follow `before` as one utterance of one sender? */
function follows(before: Message | Entry | undefined, said: Message | Entry): boolean {
  return (
    before !== undefined &&
    before.email === said.email &&
    before.name === said.name &&
    before.topic === said.topic &&
    Math.abs(timeOf(said).getTime() - timeOf(before).getTime()) < GROUP_MS
  );
}
