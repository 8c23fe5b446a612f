/** Private rooms as the page knows them. A room's topic is `~` and a name among programs; people see its own. */

import { signal } from "./signals.ts";
import type { Room } from "./protocol/frames.ts";

/** Mine, by their topics; undefined until the server said, and for guests. */
export const rooms = signal<ReadonlyMap<string, Room> | undefined>(undefined);

/** No public topic begins like this. */
export function isRoom(topic: string): boolean {
  return topic.startsWith("~");
}

/** What people call a topic. */
export function nameOf(topic: string): string {
  return isRoom(topic) ? (rooms.value?.get(topic)?.name ?? "Private room") : topic;
}
