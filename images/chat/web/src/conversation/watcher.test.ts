/** Views count what came after they began, whatever fails meanwhile. */

import { expect, test } from "vitest";
import type { ErrorFrame } from "../protocol/frames.ts";
import type { Message } from "../protocol/message.ts";
import type { NamedFilter } from "./filters.ts";
import { LOOK_MS, Watcher } from "./watcher.ts";

const message = (n: number, email = "a@b.c"): Message => ({
  id: String(n).padStart(4, "0"),
  key: `k${n}`,
  topic: "t",
  name: "A",
  email,
  time: new Date(1_700_000_000_000 + n * 1000).toISOString(),
  content: `m${n}`,
});
const timeOf = (n: number): string => message(n).time;
const view: NamedFilter = { name: "f", filter: "m" };

/** A server whose matches and moods the test sets, and a clock that goes when told to. */
function world(values = new Map<string, string>()) {
  let timers: { run: () => void; ms: number }[] = [];
  const it = {
    matches: [] as readonly Message[],
    /** Answers of errors, each once, before the matches. */
    errors: [] as ErrorFrame[],
    asked: [] as (string | undefined)[],
    fresh: [] as string[],
    waits: () => timers.map(({ ms }) => ms),
    /** Lets answers arrive; then lets waits end, if wished. */
    async settle(): Promise<void> {
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
    async pass(): Promise<void> {
      const due = timers;
      timers = [];
      for (const { run } of due) run();
      await it.settle();
    },
    watcher: undefined as unknown as Watcher,
    unread: (name = "f"): readonly string[] => (it.watcher.unread.value.get(name) ?? []).map(({ content }) => content),
  };
  it.watcher = new Watcher({
    saved: { get: (name) => values.get(name) ?? "", set: (name, value) => void values.set(name, value) },
    ask({ filter }) {
      it.asked.push(filter);
      const error = it.errors.shift();
      return Promise.resolve(error ?? { type: "history", ref: "r", messages: it.matches, more: false });
    },
    email: () => "me@x.y",
    onFresh: (name, messages) => void it.fresh.push(`${name}: ${messages.map(({ content }) => content).join()}`),
    setTimeout: (run, ms) => timers.push({ run, ms }),
    random: () => 0.5,
  });
  return it;
}

const unavailable: ErrorFrame = { type: "error", code: "unavailable", message: "" };

test("a view begins when it is saved: what comes between that and the first answer is unread", async () => {
  const it = world();
  it.watcher.begin("f", timeOf(1));
  it.matches = [message(1), message(2)];
  it.watcher.follow([view], timeOf(2));
  await it.settle();
  expect([it.unread(), it.fresh]).toEqual([["m2"], ["f: m2"]]);
});

test("a look that fails is tried again by itself, later each time, and not before the server says", async () => {
  const it = world();
  it.watcher.begin("f", timeOf(1));
  it.matches = [message(1), message(2)];
  it.errors = [unavailable, { ...unavailable, retry_after_ms: 10_000 }];
  it.watcher.follow([view], timeOf(1));
  await it.settle();
  expect([it.unread(), it.waits()]).toEqual([[], [500]]);
  await it.pass();
  expect([it.unread(), it.waits()]).toEqual([[], [11_000]]);
  await it.pass();
  expect([it.unread(), it.waits(), it.asked.length]).toEqual([["m2"], [LOOK_MS], 3]);
});

test("a view that this browser did not know begins with everything seen, also when its first look fails", async () => {
  const it = world();
  it.errors = [unavailable];
  it.matches = [message(1)];
  it.watcher.follow([view], timeOf(1));
  await it.settle();
  it.matches = [message(1), message(2), message(3, "ME@x.y")];
  await it.pass();
  expect(it.unread()).toEqual(["m2"]);
  // Where nothing was said yet, everything is new.
  const empty = world();
  empty.watcher.follow([view], "");
  await empty.settle();
  empty.matches = [message(1)];
  empty.watcher.look();
  await empty.pass();
  expect(empty.unread()).toEqual(["m1"]);
});

test("what comes during a round or soon after it is looked for once, when its time has come; without news nobody asks", async () => {
  const it = world();
  it.watcher.follow([view, { name: "g", filter: "n" }], timeOf(1));
  for (let i = 0; i < 5; i++) it.watcher.look();
  await it.settle();
  for (let i = 0; i < 5; i++) it.watcher.look();
  expect([it.asked, it.waits()]).toEqual([["m", "n"], [LOOK_MS]]);
  await it.pass();
  expect(it.asked).toEqual(["m", "n", "m", "n"]);
  await it.pass();
  expect(it.asked).toHaveLength(4);
});

test("a filter that the server refuses for good keeps the others from nothing", async () => {
  const it = world();
  it.errors = [{ type: "error", code: "bad_message", message: "", at: 1, expected: "a word" }];
  it.matches = [message(2)];
  it.watcher.follow([{ name: "bad", filter: ")" }, view], timeOf(1));
  await it.settle();
  expect([it.unread(), it.waits()]).toEqual([["m2"], [LOOK_MS]]);
});

test("what was seen is not unread, also when an answer from before comes late; news are told once, and not after a reload", async () => {
  const values = new Map<string, string>();
  const it = world(values);
  it.watcher.follow([view], timeOf(1));
  await it.settle();
  it.matches = [message(2), message(3)];
  it.watcher.look();
  await it.pass();
  expect([it.unread(), it.fresh]).toEqual([["m2", "m3"], ["f: m2,m3"]]);
  it.watcher.seen("f", timeOf(2));
  expect(it.unread()).toEqual(["m3"]);
  it.watcher.look();
  it.watcher.seen("f", timeOf(3));
  await it.pass();
  expect([it.unread(), it.fresh.length]).toEqual([[], 1]);

  const reloaded = world(values);
  reloaded.matches = [message(3), message(4)];
  reloaded.watcher.follow([view], timeOf(4));
  await reloaded.settle();
  expect([reloaded.unread(), reloaded.fresh]).toEqual([["m4"], []]);
});

test("a view that was removed leaves nothing; saved again it begins anew", async () => {
  const it = world();
  // Nothing to look at: no round that a view would wait for.
  it.watcher.look();
  it.watcher.follow([view], timeOf(1));
  await it.settle();
  it.matches = [message(2)];
  it.watcher.look();
  await it.pass();
  expect(it.unread()).toEqual(["m2"]);
  it.watcher.follow([], timeOf(2));
  expect(it.unread()).toEqual([]);
  it.watcher.follow([view], timeOf(5));
  await it.pass();
  expect(it.unread()).toEqual([]);
});
