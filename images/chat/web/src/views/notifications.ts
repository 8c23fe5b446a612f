/** Notifications of the system: only after a click, only in a secure context, only while away. */

import { computed, signal } from "../signals.ts";
import type { Message } from "../protocol/message.ts";
import type { Saved } from "../saved.ts";
import { clip, isolate } from "./words.ts";

/** Characters of a message in a notification. */
const MAX_BODY = 200;

const wanted = signal(false);
const permission = signal<NotificationPermission>("default");

/** Can this browser show any? Over plain http it cannot. */
export const possible = isSecureContext && "Notification" in window;

/** Are they shown? */
export const notifying = computed(() => wanted.value && permission.value === "granted");

/** Did the person forbid them in the browser? */
export const forbidden = computed(() => permission.value === "denied");

export function restoreNotifications(saved: Saved): void {
  if (!possible) return;
  permission.value = Notification.permission;
  wanted.value = saved.get("notify") === "yes";
}

/** Asks the person when they were never asked. */
export async function toggleNotifications(saved: Saved): Promise<void> {
  if (!possible) return;
  wanted.value = !notifying.value;
  if (wanted.value && permission.value === "default") permission.value = await Notification.requestPermission();
  saved.set("notify", notifying.value ? "yes" : "");
}

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
    const shown = new Notification(`${isolate(last.name)} in ${isolate(last.topic)}${rest}`, {
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
