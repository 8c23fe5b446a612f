/** Notifying of messages, while nobody looks. Loaded after the first messages. */

import type { Message } from "../protocol/message.ts";
import { nameOf } from "../rooms.ts";
import { notifying, permission, possible } from "./notifications.ts";
import { clip } from "./clip.ts";
import { isolate } from "./words.ts";

/** Characters of a message in a notification. */
const MAX_BODY = 200;

/** Asks the person when they were never asked: may this page notify? */
export async function mayNotify(): Promise<boolean> {
  if (possible && permission.value === "default") permission.value = await Notification.requestPermission();
  return permission.value === "granted";
}

/** Shows the last of these; several at once are one notification with a count. */
export function notify(messages: readonly Message[], wished = notifying.value): void {
  const last = messages.at(-1);
  if (!wished || !last) return;
  const rest = messages.length > 1 ? ` (and ${messages.length - 1} more)` : "";
  try {
    // The tag makes the tabs of one browser replace each other's notification instead of adding.
    const shown = new Notification(`${isolate(last.name)} in ${isolate(nameOf(last.topic))}${rest}`, {
      body: clip(last.content, MAX_BODY),
      tag: "chat",
      icon: "icon-192.png",
    });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  } catch {
    // Android shows notifications from service workers only; there is none here (docs/page.md).
  }
}
