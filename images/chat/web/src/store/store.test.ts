import { effect } from "../signals.ts";
import { expect, test } from "vitest";
import type { Message } from "../protocol/message.ts";
import { createStore } from "./store.ts";

const message = (n: number): Message => ({
  id: String(n).padStart(6, "0"),
  key: `k${n}`,
  topic: "t",
  name: "A",
  email: "a@b.c",
  time: "2024-01-01T00:00:00.000Z",
  content: "",
});
const live = (n: number) => ({ type: "frame", frame: { type: "messages", messages: [message(n)] } }) as const;

test("a burst is one change of state for each frame of the screen", () => {
  const flushes: (() => void)[] = [];
  const store = createStore({ soon: (flush) => flushes.push(flush), overdue: () => false, now: () => 0 });
  let changes = -1;
  const stop = effect(() => {
    void store.state.value;
    changes++;
  });
  for (let n = 0; n < 500; n++) store.enqueue(live(n));
  expect([changes, flushes.length]).toEqual([0, 1]);
  flushes[0]?.();
  expect([changes, store.state.value.messages.length]).toEqual([1, 500]);
  for (let n = 500; n < 510; n++) store.enqueue(live(n));
  expect(flushes).toHaveLength(2);
  flushes[1]?.();
  expect([changes, store.state.value.messages.length]).toEqual([2, 510]);
  stop();
});

test("nobody looks and timers sleep: what comes after a while is applied with what waited", () => {
  let time = 0;
  const store = createStore({ soon: () => undefined, overdue: (since) => since >= 250, now: () => time });
  store.enqueue(live(1));
  expect(store.state.value.messages).toHaveLength(1);
  time = 100;
  store.enqueue(live(2));
  store.enqueue(live(3));
  expect(store.state.value.messages).toHaveLength(1);
  time = 300;
  store.enqueue(live(4));
  expect(store.state.value.messages).toHaveLength(4);
});
