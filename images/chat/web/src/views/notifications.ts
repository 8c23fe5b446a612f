/** Whether the system notifies: only after a click, only in a secure context. */

import { computed, signal } from "../signals.ts";
import type { Saved } from "../saved.ts";

const wanted = signal(false);
export const permission = signal<NotificationPermission>("default");

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
