/** Tells a screen reader of new messages: live ones only, each once, and not faster than one hears. */

import { effect, untracked } from "../signals.ts";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import type { Message } from "../protocol/message.ts";
import { addressKey } from "../protocol/text.ts";
import type { Reading } from "../reading.ts";
import { ALL, type State } from "../store/state.ts";
import { notify } from "./notify.ts";
import { clip } from "./clip.ts";
import { isolate } from "./words.ts";

/** Messages within this time are said together. Ms. */
const GATHER_MS = 1_000;
/** More than this many are counted, not read. */
const READ_OUT = 3;
/** Characters of each that are read out. */
const MAX_SAID = 200;

export function Announcer({ chat, reading, view }: { chat: Chat; reading: Reading; view: string }): JSX.Element {
  const { pending } = chat.state.value;
  const [said, setSaid] = useState({ id: 0, text: "" });
  const waiting = useRef<Message[]>([]);
  /** What was read out last, and stands in the page still. */
  const read = useRef<readonly Message[]>([]);
  const timer = useRef<number | undefined>(undefined);
  const say = (text: string, of: readonly Message[] = []): void => {
    read.current = of;
    setSaid(({ id }) => ({ id: id + 1, text }));
  };

  const current = useRef(view);
  current.current = view;

  const hear = (live: readonly Message[]): void => {
    const own = addressKey(reading.email.value);
    const others = live.filter(({ email }) => addressKey(email) !== own);
    if (others.length === 0) return;
    if (!reading.attentive.value) notify(others);
    waiting.current.push(...others.filter(({ topic }) => current.current === ALL || topic === current.current));
    if (waiting.current.length === 0 || timer.current !== undefined) return;
    timer.current = window.setTimeout(() => {
      timer.current = undefined;
      const still = waiting.current.filter((message) => isThere(chat.state.value, message));
      waiting.current = [];
      if (still.length > 0) say(sentence(still), still);
    }, GATHER_MS);
  };
  /** What was deleted since, or belongs to a room that was left, is nowhere to be found. */
  const forget = (state: State): void => {
    if (!read.current.every((message) => isThere(state, message))) say("");
  };
  // At every change of state and of nothing else, also when several come between two renders.
  useEffect(() => {
    // What came before this part did is no news any more.
    let before = chat.state.value;
    return effect(() => {
      const state = chat.state.value;
      if (state === before) return;
      before = state;
      untracked(() => {
        hear(state.live);
        forget(state);
      });
    });
  }, []);

  const failed = pending.filter((entry) => entry.failed).length;
  useEffect(() => {
    if (failed > 0) say(`${failed === 1 ? "A message was" : `${failed} messages were`} not sent.`);
  }, [failed]);

  return (
    <div class="vh" aria-live="polite" aria-relevant="additions" id="announcer">
      <p key={said.id} dir="auto">
        {said.text}
      </p>
    </div>
  );
}

/** One that is not kept has no id. */
function isThere({ messages, fleeting }: State, { id, key }: Message): boolean {
  if (id === "") return fleeting.some((message) => message.key === key);
  const held = messages.findLast((message) => message.id === id);
  return held !== undefined && !held.deleted;
}

function sentence(messages: readonly Message[]): string {
  if (messages.length > READ_OUT) {
    return `${messages.length} new messages, the last from ${isolate(messages.at(-1)?.name ?? "")}`;
  }
  return messages.map(({ name, content }) => `${name}: ${clip(content, MAX_SAID)}`).join(". ");
}
