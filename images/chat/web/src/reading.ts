/** How far was read, and whether anybody looks: marks of this browser, shared by its tabs. */

import { computed, effect, signal, untracked, type ReadonlySignal } from "./signals.ts";
import type { Chat } from "./chat.ts";
import type { Identity } from "./identity.ts";
import type { Message } from "./protocol/message.ts";
import type { Saved } from "./saved.ts";
import { viewList } from "./store/select.ts";
import { ALL } from "./store/state.ts";
import { countUnread, decodeMarks, encodeMarks, joinMarks, markRead, type Marks } from "./store/unread.ts";

export interface Reading {
  readonly marks: ReadonlySignal<Marks>;
  /** Unread messages by topic. */
  readonly unread: ReadonlySignal<ReadonlyMap<string, number>>;
  /** Is a person looking at this page? */
  readonly attentive: ReadonlySignal<boolean>;
  /** The address of who writes here; "" before it was given. */
  readonly email: ReadonlySignal<string>;
  /** These were on the screen while somebody looked. */
  read(messages: readonly Message[]): void;
}

/** Marks are written to storage at most this often. Ms. */
const SAVE_MS = 1_000;

export function openReading(chat: Chat, saved: Saved, identity: Identity): Reading {
  const marks = signal(decodeMarks(saved.get("read")));
  const attentive = signal(isAttentive());
  const { email } = identity;
  const unread = computed(() => countUnread(viewList(chat.state.value, ALL).messages, marks.value, email.value));

  const look = (): void => void (attentive.value = isAttentive());
  for (const type of ["focus", "blur"]) addEventListener(type, look);
  document.addEventListener("visibilitychange", look);

  let timer: number | undefined;
  // The first visit begins with everything read: nobody owes a stranger's backlog.
  // At once, before anything of it is rendered.
  let begun = false;
  effect(() => {
    if (begun || chat.state.value.epoch === 0) return;
    begun = true;
    untracked(begin);
  });
  function begin(): void {
    if (marks.value.since !== "") return;
    const newest = chat.state.value.messages.at(-1);
    marks.value = { ...marks.value, since: newest?.time ?? "1970-01-01T00:00:00.000Z" };
    save();
  }

  function save(): void {
    if (timer !== undefined) return;
    timer = window.setTimeout(flush, SAVE_MS);
  }
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    marks.value = joinMarks(decodeMarks(saved.get("read")), marks.value);
    saved.set("read", encodeMarks(marks.value));
  }
  addEventListener("pagehide", flush);
  saved.watch("read", (text) => {
    const joined = joinMarks(decodeMarks(text), marks.value);
    if (encodeMarks(joined) !== encodeMarks(marks.value)) marks.value = joined;
  });

  return {
    marks,
    unread,
    attentive,
    email,
    read(messages) {
      const next = markRead(marks.value, messages);
      if (next === marks.value) return;
      marks.value = next;
      save();
    },
  };
}

function isAttentive(): boolean {
  return document.visibilityState === "visible" && document.hasFocus();
}
