/**
 * The log: a stretch of the view's messages in the DOM, following the newest or held where a person
 * reads. One instance for each view: it is keyed by the view's name.
 */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import { compareInTopic, compareMerged, type Message } from "../protocol/message.ts";
import { viewList } from "../store/select.ts";
import { ALL } from "../store/state.ts";
import { dayName, sameDay } from "./format.ts";
import { PendingRow, Row } from "./Row.tsx";
import { distanceToBottom, measureAnchor, restoreAnchor, STICK_PX, type Anchor } from "./scroll.ts";
import { bounds, hold, stepDown, stepUp, TAIL, type Window } from "./window.ts";

/** Messages of one sender this close together share a head. Ms. */
const GROUP_MS = 5 * 60_000;
/** Nearer than this to an end of the stretch, more is brought. CSS px. */
const REACH_PX = 800;

export function Log({ chat, view }: { chat: Chat; view: string }): JSX.Element {
  const state = chat.state.value;
  const list = useMemo(() => viewList(state, view), [state.messages, state.ranges, view]);
  const compare = view === ALL ? compareMerged : compareInTopic;
  const pending = state.pending.filter((entry) => view === ALL || entry.topic === view);

  const scroller = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLOListElement>(null);
  const [window, setWindow] = useState<Window>(TAIL);
  /** Following the newest? Read and written between renders. */
  const stuck = useRef(true);
  const anchor = useRef<Anchor | undefined>(undefined);

  const stretch = bounds(list.messages, window, compare);
  const shown = list.messages.slice(stretch.start, stretch.end);

  // Read before this render touches the DOM.
  if (scroller.current && rows.current && !stuck.current) {
    anchor.current = measureAnchor(scroller.current, rows.current.children);
  }

  const settle = (): void => {
    if (!scroller.current || !rows.current) return;
    if (stuck.current) scroller.current.scrollTop = scroller.current.scrollHeight;
    else if (anchor.current) restoreAnchor(scroller.current, rows.current.children, anchor.current);
  };

  /** Brings more rows or more history when an end is near. */
  const reach = (): void => {
    const el = scroller.current;
    if (!el) return;
    if (el.scrollTop < REACH_PX) {
      if (stretch.start > 0 && !stuck.current) setWindow(stepUp(list.messages, stretch));
      else if (stretch.start === 0) chat.loadOlder(view);
    } else if (distanceToBottom(el) < REACH_PX && stretch.end < list.messages.length) {
      setWindow(stepDown(list.messages, stretch));
    }
  };

  const onScroll = (): void => {
    const el = scroller.current;
    if (!el || !rows.current) return;
    const atNewest = stretch.end === list.messages.length;
    const near = atNewest && distanceToBottom(el) <= STICK_PX;
    if (near !== stuck.current) {
      stuck.current = near;
      setWindow(near ? TAIL : hold(list.messages, stretch));
    }
    if (!near) anchor.current = measureAnchor(el, rows.current.children);
    reach();
  };

  useLayoutEffect(settle);
  useEffect(() => {
    if (stuck.current) chat.trim();
    reach();
  });
  useEffect(() => {
    const observer = new ResizeObserver(settle);
    if (scroller.current) observer.observe(scroller.current);
    if (rows.current) observer.observe(rows.current);
    return () => observer.disconnect();
  }, []);

  const now = new Date();
  return (
    <div class="log" role="log" aria-label="Messages" aria-live="off" tabIndex={0} ref={scroller} onScroll={onScroll}>
      <div class="log-start">{list.more ? "Loading older messages…" : shown.length > 0 ? "This is where it begins." : ""}</div>
      <ol ref={rows}>
        {shown.map((message, i) => {
          const before = i > 0 ? shown[i - 1] : list.messages[stretch.start - 1];
          const newDay = !before || !sameDay(new Date(before.time), new Date(message.time));
          return (
            <Row
              key={message.id}
              message={message}
              day={newDay ? dayName(new Date(message.time), now) : undefined}
              firstUnread={false}
              grouped={!newDay && follows(before, message)}
              withTopic={view === ALL}
            />
          );
        })}
        {stretch.end === list.messages.length &&
          pending.map((entry) => (
            <PendingRow
              key={`pending ${entry.key}`}
              entry={entry}
              withTopic={view === ALL}
              onRetry={chat.retry}
              onTakeBack={(key) => void chat.takeBack(key)}
            />
          ))}
      </ol>
    </div>
  );
}

/** Does `message` follow `before` as one utterance of one sender? */
function follows(before: Message | undefined, message: Message): boolean {
  return (
    before !== undefined &&
    before.email === message.email &&
    before.name === message.name &&
    before.topic === message.topic &&
    Math.abs(Date.parse(message.time) - Date.parse(before.time)) < GROUP_MS
  );
}
