/** What the views share with each other and nobody else. */

import { signal } from "@preact/signals";

/** What is looked for in the loaded history; "" when nothing is. */
export const query = signal("");

/** A message to show in its place, asked for from elsewhere; the log that shows it clears it. */
export const target = signal<string | undefined>(undefined);

/** Grows by one each time somebody asks for the newest message. */
export const newestAsked = signal(0);

/** Is the help open? */
export const helpOpen = signal(false);

export function askNewest(): void {
  newestAsked.value++;
}

/** The message box: where the keyboard goes back to. */
export function focusMessage(): void {
  document.getElementById("message")?.focus({ preventScroll: true });
}

export function focusSearch(): void {
  document.getElementById("search")?.focus();
}
