/**
 * The stretch of a list that stands in the DOM, and how it scrolls: following the newest, or held
 * where a person reads. Who reads never sees a line move that they did not move themselves.
 */

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import type { Message } from "../protocol/message.ts";
import { distanceToBottom, findRow, measureAnchor, restoreAnchor, STICK_PX, type Anchor } from "./scroll.ts";
import { around, bounds, CUT_ROWS, cutTail, follow, hold, stepDown, stepUp, TAIL, TAIL_ROWS, upperBound, type Window } from "./window.ts";

/** Nearer than this to an end of the stretch, more is brought. CSS px. */
const REACH_PX = 800;

/** So many rows at the end are watched for growing. */
const GROWING = 8;

export interface StretchOptions {
  readonly list: readonly Message[];
  readonly compare: (a: Message, b: Message) => number;
  /** Stands for what is shown below the list: when it changes, who follows is taken along. */
  readonly below: string;
  /** False while it is not decided where to begin: then nothing more is brought. */
  readonly ready: RefObject<boolean>;
  /** Asks for what is older than the list. */
  loadOlder(): void;
}

export interface Stretch {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly rows: RefObject<HTMLOListElement | null>;
  /** Index in the list of the first message shown. */
  readonly start: number;
  readonly shown: readonly Message[];
  /** Is the newest message being followed? */
  readonly following: boolean;
  /** How many messages came since it was no longer followed. */
  readonly fresh: number;
  toNewest(): void;
  /** Shows the beginning of the list. More that comes before it later stays out of sight. */
  toOldest(): void;
  /** Brings one message on the screen, this share of its height from the top. */
  bring(id: string, share: number): void;
  onScroll(): void;
}

export function useStretch({ list, compare, below, ready, loadOlder }: StretchOptions): Stretch {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLOListElement>(null);
  const [, render] = useReducer<number, void>((n) => n + 1, 0);
  const window = useRef<Window>(TAIL);
  const setWindow = (next: Window): void => {
    window.current = next;
    render();
  };
  const following = useRef(true);
  /** Where the first visible row stood before this render. */
  const anchor = useRef<Anchor | undefined>(undefined);
  /** Where a row is to stand that may not be in the DOM yet. */
  const pinned = useRef<Anchor | undefined>(undefined);
  /** Begin at the top with the next render. */
  const toTop = useRef(false);
  /** The newest message when it stopped being followed. */
  const [left, setLeft] = useState<Message | undefined>(undefined);

  if (following.current) window.current = follow(list, window.current, compare);
  const stretch = bounds(list, window.current, compare);
  const shown = list.slice(stretch.start, stretch.end);
  const atEnd = stretch.end === list.length;
  /** What stands at the very end, now and after the last render. */
  const end = `${shown.at(-1)?.id} ${below}`;
  const endBefore = useRef("");

  // Read before this render touches the DOM.
  const fromBottom = scroller.current ? distanceToBottom(scroller.current) : 0;
  if (scroller.current && rows.current && !following.current) {
    anchor.current = measureAnchor(scroller.current, rows.current.children);
  }

  const takeHold = (): void => {
    following.current = true;
    // Rows that already stand there stay: cutting them is for a frame of its own.
    setWindow(atEnd ? { top: list[stretch.start], bottom: undefined } : TAIL);
    setLeft(undefined);
  };
  const letGo = (from: Window): void => {
    following.current = false;
    setWindow(from);
    setLeft((before) => before ?? list.at(-1));
  };

  useLayoutEffect(() => {
    const el = scroller.current;
    if (!el || !rows.current) return;
    // Something new while the end was in sight: go along with it from now on.
    if (left && !following.current && atEnd && end !== endBefore.current && fromBottom <= STICK_PX) takeHold();
    if (toTop.current) {
      toTop.current = false;
      el.scrollTop = 0;
    } else if (pinned.current && restoreAnchor(el, rows.current.children, pinned.current)) {
      pinned.current = undefined;
    } else if (!following.current) {
      if (anchor.current) restoreAnchor(el, rows.current.children, anchor.current);
    } else {
      // Nothing new: older rows may have come or gone above, the distance stays.
      el.scrollTop = el.scrollHeight - el.clientHeight - (end === endBefore.current ? fromBottom : 0);
    }
    endBefore.current = end;
  });

  /** Brings more rows, or more history, when an end is near. */
  const reach = (): void => {
    const el = scroller.current;
    if (!el || !ready.current) return;
    if (el.scrollTop < REACH_PX) {
      if (stretch.start === 0) loadOlder();
      else if (!following.current || shown.length < TAIL_ROWS) setWindow(stepUp(list, stretch));
    }
    if (!following.current && !atEnd && distanceToBottom(el) < REACH_PX) setWindow(stepDown(list, stretch));
  };
  useEffect(reach);
  const reachNow = useRef(reach);
  reachNow.current = reach;
  const reaching = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(reaching.current), []);

  // Following, rows are only added; once there are many, the oldest are cut in a frame of their own,
  // in which nothing else moves, and the next frame goes on.
  const cut = (): void => {
    if (!following.current) return;
    if (window.current.bottom) setWindow({ top: window.current.top, bottom: undefined });
    else if (shown.length > CUT_ROWS) setWindow(cutTail(list, stretch));
  };
  const cutNow = useRef(cut);
  cutNow.current = cut;
  const cutting = following.current && (window.current.bottom !== undefined || shown.length > CUT_ROWS);
  useEffect(() => {
    if (!cutting) return undefined;
    const frame = requestAnimationFrame(() => {
      // Otherwise rows were added in this very frame: the effect of that render asks again.
      if (endBefore.current === end) cutNow.current();
    });
    return () => cancelAnimationFrame(frame);
  });

  const resized = useMemo(
    () =>
      new ResizeObserver(() => {
        if (scroller.current && following.current) scroller.current.scrollTop = scroller.current.scrollHeight;
      }),
    [],
  );
  useEffect(() => {
    if (scroller.current) resized.observe(scroller.current);
    return () => resized.disconnect();
  }, []);
  // The last rows can grow by themselves: one that waits says so after a while.
  const last = rows.current?.lastElementChild;
  useEffect(() => {
    const grown = [...(rows.current?.children ?? [])].slice(-GROWING);
    for (const row of grown) resized.observe(row);
    return () => grown.forEach((row) => resized.unobserve(row));
  }, [end, last]);

  return {
    scroller,
    rows,
    start: stretch.start,
    shown,
    following: following.current,
    fresh: left ? list.length - upperBound(list, left, compare) : 0,
    toNewest() {
      endBefore.current = "";
      takeHold();
      // In case nothing renders: it may be a few px only.
      if (scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
    },
    toOldest() {
      if (list.length === 0) return;
      toTop.current = true;
      letGo(around(list, 0));
    },
    bring(id, share) {
      const index = list.findIndex((message) => message.id === id);
      if (index < 0) return;
      letGo(rows.current && findRow(rows.current.children, id) ? hold(list, stretch) : around(list, index));
      pinned.current = { id, offset: (scroller.current?.clientHeight ?? 0) * share };
    },
    onScroll() {
      const el = scroller.current;
      if (!el || (following.current && window.current.bottom)) return;
      const distance = atEnd ? distanceToBottom(el) : Infinity;
      // One lets go late and takes hold at the very end: nothing jumps because one comes near.
      if (distance <= 1 && !following.current) takeHold();
      else if (distance > STICK_PX && following.current) letGo(hold(list, stretch));
      // In a frame of its own: browsers take a correction beside a person's scrolling for a shift.
      clearTimeout(reaching.current);
      reaching.current = setTimeout(() => reachNow.current(), 0);
    },
  };
}
