/** Leads who is no member any more out of the room, with a word why. */

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isRoom, rooms } from "../rooms.ts";
import { goTo } from "../route.ts";
import { ALL } from "../store/state.ts";
import { signal } from "../signals.ts";
import { notice, roomOpen } from "./ui.ts";
import { isolate } from "./words.ts";

/**
 * The room that one leaves or deletes oneself, from before the server is asked until one looks at
 * something else: the server's frame may be faster than its answer, and whoever asked has the word.
 */
export const leaving = signal<string | undefined>(undefined);

export function RoomKeeper({ view }: { view: string }): JSX.Element | null {
  const lastName = useRef("");
  const inside = rooms.value?.get(view);
  const own = leaving.value === view;
  useEffect(() => () => void (leaving.value = undefined), [view]);
  useEffect(() => {
    if (inside) lastName.current = isolate(inside.name);
    if (inside || own || !isRoom(view) || !rooms.value) return;
    notice.value = lastName.current
      ? `You are no longer a member of “${lastName.current}”, or it was deleted.`
      : "This room is not there for you.";
    lastName.current = "";
    if (roomOpen.value === view) roomOpen.value = undefined;
    goTo(ALL);
  }, [inside, own, view, rooms.value]);
  return notice.value === "" ? null : (
    <p class="notice">
      <span role="status" aria-label="Notice" dir="auto">
        {notice.value}
      </span>
      <button type="button" onClick={() => (notice.value = "")}>
        Close
      </button>
    </p>
  );
}
