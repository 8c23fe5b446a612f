/** The rooms of the conversation joined; what its views share. Loaded after the first messages. */

import type { Chat } from "../chat.ts";
import type { Identity } from "../identity.ts";
import { newKey, type Draft, type Message } from "../protocol/message.ts";
import type { Reading } from "../reading.ts";
import type { Saved } from "../saved.ts";
import { rooms } from "../rooms.ts";
import { signal } from "../signals.ts";
import { account, api, reason } from "./caller.ts";
import { Deletions } from "./deletions.ts";
import { localShelf, serverShelf, type FilterShelf } from "./filters.ts";
import { Questions } from "./questions.ts";
import { KnownVotes, Votes } from "./votes.ts";
import { Watcher } from "./watcher.ts";

export interface Talk {
  readonly chat: Chat;
  readonly reading: Reading;
  readonly saved: Saved;
  readonly questions: Questions;
  readonly votes: Votes;
  readonly deletions: Deletions;
  readonly shelf: FilterShelf;
  readonly watcher: Watcher;
  /** May who is here delete this message? */
  mayDelete(message: Message): boolean;
  /** Can who is here vote? Guests are asked for their address first. */
  known(): boolean;
  /** Sends a message that is kept nowhere. Why it could not be sent, in words; undefined when it was. */
  sendFleeting(draft: Omit<Draft, "key">): string | undefined;
}

/** Grows by one when a vote or a deletion changed here. */
export const changes = signal(0);
/** Something to be said to the person; "" when there is nothing. */
export const notice = signal("");

export let talk: Talk;

const timers = {
  setTimeout: (run: () => void, ms: number): unknown => setTimeout(run, ms),
  clearTimeout: (timer: unknown): void => clearTimeout(timer as number),
};

/** Pages of history asked for when too many numbers changed to be told. */
const MAX_RENEWED = 10;

/** @param onFresh told of matches of a view that are new */
export function begin(
  { chat, identity, reading, saved }: { chat: Chat; identity: Identity; reading: Reading; saved: Saved },
  onFresh: (view: string, matches: readonly Message[]) => void,
): Talk {
  const changed = (): void => void changes.value++;
  const failed = (what: string): void => void (notice.value = what);
  const questions = new Questions({ say: (frame) => chat.say(frame), ...timers });
  const who = (): { name?: string; email?: string } =>
    account() === undefined ? { name: identity.name.value, email: identity.email.value } : {};
  const votes = new Votes({
    say: (frame) => chat.say(frame),
    who,
    known: new KnownVotes(saved, () => account() ?? identity.email.value),
    changed,
    failed: ({ code, message }) =>
      failed(code === "not_found" ? "The vote was not counted: the message is gone." : `The vote was not counted: ${message}`),
    ...timers,
  });
  const deletions = new Deletions({
    async remove(id) {
      const response = await api(`messages/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true }).catch(() => undefined);
      if (!response) return "Not deleted: the server cannot be reached.";
      return response.ok ? undefined : `Not deleted: ${await reason(response)}`;
    },
    gone(id) {
      const { up = 0, down = 0, replies = 0 } = chat.state.value.messages.find((message) => message.id === id) ?? {};
      chat.tell({ type: "updates", updates: [{ id, up, down, replies, deleted: true }] });
    },
    failed,
    changed,
    ...timers,
  });
  addEventListener("pagehide", () => void deletions.flush());

  /** Keys of fleeting messages on their way. */
  const flying = new Set<string>();
  chat.hear((frame) => {
    questions.onFrame(frame);
    votes.onFrame(frame);
    if (frame.type === "ack") flying.delete(frame.key);
    if (frame.type === "error" && frame.key !== undefined && flying.delete(frame.key)) failed(`Not sent: ${frame.message}`);
    if (frame.type === "welcome") {
      flying.clear();
      if (frame.recovered && frame.numbers === false) void renew();
    }
  });

  /** More numbers changed than were told: asks for those of what is held. */
  async function renew(): Promise<void> {
    let before: string | undefined;
    for (let page = 0; page < MAX_RENEWED; page++) {
      const answer = await questions.ask({ limit: 200, ...(before !== undefined && { before }) });
      if (answer.type === "error" || !answer.more) return;
      before = answer.messages[0]?.id;
      const oldest = chat.state.value.messages[0];
      if (before === undefined || (oldest && (answer.messages[0]?.time ?? "") <= oldest.time)) return;
    }
  }

  talk = {
    chat,
    reading,
    saved,
    questions,
    votes,
    deletions,
    shelf: account() === undefined ? localShelf(saved) : serverShelf(api, reason),
    watcher: new Watcher({
      saved,
      ask: (question) => questions.ask(question),
      email: () => identity.email.value,
      onFresh,
      random: Math.random,
      ...timers,
    }),
    mayDelete: (message) => {
      const own = account();
      if (own === undefined || message.deleted) return false;
      return message.account === own || rooms.value?.get(message.topic)?.creator === own;
    },
    known: () => account() !== undefined || identity.email.value !== "",
    sendFleeting(draft) {
      const key = newKey();
      flying.add(key);
      if (chat.say({ type: "post", ...draft, key, ephemeral: true })) return undefined;
      flying.delete(key);
      return "Not connected: a message that is not kept cannot wait. Send it later, or keep it.";
    },
  };
  return talk;
}
