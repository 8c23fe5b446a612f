/** Leads who is no member any more out of the room, with a word why. */

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isRoom, rooms } from "../rooms.ts";
import { goTo } from "../route.ts";
import { ALL } from "../store/state.ts";
import { notice, roomOpen } from "./ui.ts";
import { isolate } from "./words.ts";

export function RoomKeeper({ view }: { view: string }): JSX.Element | null {
  const lastName = useRef("");
  const inside = rooms.value?.get(view);
  useEffect(() => {
    if (inside) lastName.current = isolate(inside.name);
    if (inside || !isRoom(view) || !rooms.value) return;
    notice.value = lastName.current
      ? `You are no longer a member of “${lastName.current}”, or it was deleted.`
      : "This room is not there for you.";
    lastName.current = "";
    if (roomOpen.value === view) roomOpen.value = undefined;
    goTo(ALL);
  }, [inside, view, rooms.value]);
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
