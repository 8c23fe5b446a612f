/** What the views share with each other and nobody else. */

import { signal } from "../signals.ts";
import type { Conversation } from "../conversation/conversation.ts";
import type { Entry } from "../outbox/entry.ts";
import type { Message } from "../protocol/message.ts";

/** What is looked for in the loaded history; "" when nothing is. */
export const query = signal("");

/** A message to show in its place, asked for from elsewhere; the log that shows it clears it. */
export const target = signal<string | undefined>(undefined);

/** Grows by one each time somebody asks for the newest message. */
export const newestAsked = signal(0);

/** Grows by one each time somebody wants to begin a topic. */
export const newTopicAsked = signal(0);

/** An entry taken out of the outbox, to be gone on with; the composer takes it. */
export const returned = signal<Entry | undefined>(undefined);

/** Replies, votes and all that; loaded after the first messages, where the server knows of them. */
export const conversation = signal<Conversation | undefined>(undefined);

/** What the next message answers. */
export const answered = signal<Message | undefined>(undefined);

/** The message whose replies are shown in place of the log. */
export const thread = signal<Message | undefined>(undefined);

/** Is what is written next kept nowhere? */
export const fleeting = signal(false);

/** Is the help open? */
export const helpOpen = signal(false);

/** Is the dialog of one's account, or for signing in, open? */
export const accountOpen = signal(false);

/** The room whose sheet is open, or NEW_ROOM. */
export const roomOpen = signal<string | undefined>(undefined);
export const NEW_ROOM = "";

/** What happened to what one was looking at; "" when there is nothing to say. */
export const notice = signal("");

/** A moment of the day it is: changes at midnight, and not with each message. */
export const today = signal(new Date());

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
