/** Which day it is, kept right while the page is open. */

import { sameDay } from "./format.ts";
import { today } from "./ui.ts";

/** Keeps `today` right: at midnight, and when somebody looks again after a timer was slowed down. */
export function watchMidnight(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    const now = new Date();
    if (!sameDay(now, today.value)) today.value = now;
    clearTimeout(timer);
    // Not longer than an hour: the clock or the time zone may be set meanwhile.
    timer = setTimeout(look, Math.min(msToMidnight(now) + 50, 3_600_000));
  };
  look();
  addEventListener("focus", look);
  addEventListener("pageshow", look);
  document.addEventListener("visibilitychange", look);
}

/** How long until the next day begins here; days of 23 and 25 hours included. Ms. */
export function msToMidnight(now: Date): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime() - now.getTime();
}
