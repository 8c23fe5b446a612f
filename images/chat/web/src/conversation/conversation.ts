/** Replies, votes, deletions, messages that are not kept, filters: everything of them that is shown. */

import type { Chat } from "../chat.ts";
import type { Identity } from "../identity.ts";
import type { Reading } from "../reading.ts";
import type { Saved } from "../saved.ts";
import { Around, Fleeting, listen, Quote } from "../views/Around.tsx";
import { Asked } from "../views/Asked.tsx";
import { Filters, tellOfMatches } from "../views/Filters.tsx";
import { Keep, Over } from "../views/Over.tsx";
import { Thread } from "../views/Thread.tsx";
import { begin } from "./talk.ts";

export interface Conversation extends Pick<ReturnType<typeof begin>, "sendFleeting"> {
  /** Below a message: its numbers, and what can be done with it. */
  readonly Around: typeof Around;
  /** What a message answers. */
  readonly Quote: typeof Quote;
  /** A message that is kept nowhere. */
  readonly Fleeting: typeof Fleeting;
  /** Above the message box: what is answered, what can be undone, what went wrong. */
  readonly Over: typeof Over;
  /** Beside Send: is the next message kept? */
  readonly Keep: typeof Keep;
  /** Saved filters, in the side list. */
  readonly Filters: typeof Filters;
  /** What a search finds, asked of the server. */
  readonly Asked: typeof Asked;
  /** One message with its replies. */
  readonly Thread: typeof Thread;
}

export function openConversation(props: { chat: Chat; identity: Identity; reading: Reading; saved: Saved }): Conversation {
  const { sendFleeting } = begin(props, tellOfMatches);
  listen();
  return { Around, Quote, Fleeting, Over, Keep, Filters, Asked, Thread, sendFleeting };
}
