/** Numbers beside messages: told by updates, by history, and never taken back by older copies. */

import { expect, test } from "vitest";
import type { ServerFrame } from "../protocol/frames.ts";
import type { Message } from "../protocol/message.ts";
import { reduceAll } from "./reducer.ts";
import { INITIAL, MAX_FLEETING, type State } from "./state.ts";

const message = (n: number, more: Partial<Message> = {}): Message => ({
  id: String(n).padStart(4, "0"),
  key: `k${n}`,
  topic: "t",
  name: "A",
  email: "a@b.c",
  time: new Date(1_700_000_000_000 + n * 1000).toISOString(),
  content: `m${n}`,
  ...more,
});
const run = (state: State, ...frames: ServerFrame[]): State =>
  reduceAll(state, frames.map((frame) => ({ type: "frame", frame })));
const start = run(INITIAL, { type: "welcome", server: "s", cursor: "c", recovered: false, more: false, messages: [message(1), message(2)] });

test("updates hold for what is held; the others stay the very same", () => {
  const state = run(start, { type: "updates", updates: [{ id: "0001", up: 2, down: 1, replies: 3 }, { id: "9999", up: 1, down: 0, replies: 0 }] });
  expect(state.messages[0]).toEqual(message(1, { up: 2, down: 1, replies: 3 }));
  expect(state.messages[1]).toBe(start.messages[1]);
  const again = run(state, { type: "updates", updates: [{ id: "0001", up: 2, down: 1, replies: 3 }] });
  expect(again.messages).toBe(state.messages);
  // Numbers can be 0 again.
  expect(run(state, { type: "updates", updates: [{ id: "0001", up: 0, down: 0, replies: 3 }] }).messages[0]?.up).toBe(0);
});

test("a deleted message loses its content for good, whatever copies come", () => {
  const gone = run(start, { type: "updates", updates: [{ id: "0001", up: 0, down: 0, replies: 0, deleted: true }] });
  expect(gone.messages[0]).toMatchObject({ content: "", deleted: true });
  const late = run(gone, { type: "messages", messages: [message(1)] }, { type: "history", ref: "r", messages: [message(1, { up: 1 })], more: false });
  expect(late.messages[0]).toMatchObject({ content: "", deleted: true, up: 1 });
});

test("history and a resumption renew the numbers, live copies and acks do not; an own vote told once stays", () => {
  const told = run(start, { type: "history", ref: "r", messages: [message(1, { up: 5, vote: 1 })], more: false });
  expect(told.messages[0]).toMatchObject({ up: 5, vote: 1 });
  const copy = run(told, { type: "messages", messages: [message(1)] });
  expect(copy.messages).toBe(told.messages);
  const resumed = run(copy, { type: "welcome", server: "s", cursor: "d", recovered: true, more: false, messages: [message(1, { up: 6 }), message(3)] });
  expect(resumed.messages.map(({ up, vote }) => [up, vote])).toEqual([[6, 1], [undefined, undefined], [undefined, undefined]]);
});

test("what is not kept is held beside the list, announced, and bounded", () => {
  const said = (n: number) => {
    const { id: _, ...rest } = message(n);
    return rest;
  };
  const one = run(start, { type: "ephemeral", messages: [said(7)] });
  expect(one.messages).toBe(start.messages);
  expect(one.fleeting).toEqual([said(7)]);
  expect(one.live).toMatchObject([{ key: "k7" }]);
  const many = run(one, ...Array.from({ length: 150 }, (_, n): ServerFrame => ({ type: "ephemeral", messages: [said(100 + n)] })));
  expect(many.fleeting).toHaveLength(MAX_FLEETING);
  expect(many.fleeting.at(-1)?.key).toBe("k249");
});

test("the ack of a vote or of a message that is not kept settles no entry", () => {
  const entry = { key: "k9", topic: "t", name: "A", email: "a@b.c", content: "x", created: 1, reply_to: "0001" };
  const pending = reduceAll(start, [{ type: "outbox", entries: [entry] }]);
  expect(run(pending, { type: "ack", key: "k9", id: "0009" }).pending).toHaveLength(1);
  const sent = run(pending, { type: "ack", key: "k9", id: "0009", time: message(9).time });
  expect([sent.pending.length, sent.messages.at(-1)?.reply_to]).toEqual([0, "0001"]);
});
