/**
 * Which stretch of a long list stands in the DOM. Pure. Bounds are messages, not indices, so that
 * messages arriving at either end do not move the stretch.
 */

import type { Message } from "../protocol/message.ts";

/** Undefined `bottom`: up to the newest. Undefined `top`: as few as fit a tall screen. */
export interface Window {
  readonly top: Message | undefined;
  readonly bottom: Message | undefined;
}

/** Follows the newest message. */
export const TAIL: Window = { top: undefined, bottom: undefined };

/** Rows in the DOM: at most, when one begins to follow the newest, and how many one step adds. */
export const MAX_ROWS = 360;
export const TAIL_ROWS = 120;
export const STEP = 120;
/** Following the newest, this many rows are cut back to TAIL_ROWS. Below MAX_ROWS. */
export const CUT_ROWS = 240;

export interface Bounds {
  /** Index of the first row. */
  readonly start: number;
  /** Index after the last row. */
  readonly end: number;
}

type Compare = (a: Message, b: Message) => number;

export function bounds(list: readonly Message[], window: Window, compare: Compare): Bounds {
  const end = window.bottom ? upperBound(list, window.bottom, compare) : list.length;
  if (!window.top) return { start: Math.max(0, end - TAIL_ROWS), end };
  const start = Math.min(upperBound(list, window.top, compare, true), end);
  // Following the newest from a fixed top: the stretch is full, so it stops following.
  return { start, end: Math.min(end, start + MAX_ROWS) };
}

/**
 * The window of one who follows the newest: its top stays while rows are added below. When more
 * came at once than fit, it begins anew.
 */
export function follow(list: readonly Message[], window: Window, compare: Compare): Window {
  const { start, end } = bounds(list, window, compare);
  if (window.bottom && end > start) return window;
  const fits = window.top && end === list.length && end > start;
  return fits ? window : { top: list[Math.max(0, list.length - TAIL_ROWS)], bottom: undefined };
}

/** The last TAIL_ROWS of a stretch, and for now nothing newer. */
export function cutTail(list: readonly Message[], { end }: Bounds): Window {
  return { top: list[Math.max(0, end - TAIL_ROWS)], bottom: list[end - 1] };
}

/** The same stretch, held in place while newer messages arrive. */
export function hold(list: readonly Message[], { start, end }: Bounds): Window {
  return { top: list[start], bottom: end < list.length ? list[end - 1] : undefined };
}

/** A step towards older messages; the far end is cut. */
export function stepUp(list: readonly Message[], { start, end }: Bounds): Window {
  const from = Math.max(0, start - STEP);
  const to = Math.min(end, from + MAX_ROWS);
  return hold(list, { start: from, end: to });
}

/** A step towards newer messages; the far end is cut. */
export function stepDown(list: readonly Message[], { start, end }: Bounds): Window {
  const to = Math.min(list.length, end + STEP);
  const from = Math.max(start, to - MAX_ROWS);
  return hold(list, { start: from, end: to });
}

/** A stretch around one message. */
export function around(list: readonly Message[], index: number): Window {
  const start = Math.max(0, index - STEP);
  return hold(list, { start, end: Math.min(list.length, start + 2 * STEP) });
}

/** Index of the first message after `message`; with `orEqual`, of the first not before it. */
export function upperBound(list: readonly Message[], message: Message, compare: Compare, orEqual = false): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compare(list[middle] as Message, message);
    if (order < 0 || (order === 0 && !orEqual)) low = middle + 1;
    else high = middle;
  }
  return low;
}
