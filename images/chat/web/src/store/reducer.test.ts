/** Whatever the order of frames, the list is sorted, without repeats, and equal for all. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Entry } from "../outbox/entry.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import { compareInTopic, compareMerged, type Message } from "../protocol/message.ts";
import { merge } from "./merge.ts";
import { reduce, reduceAll, type Action } from "./reducer.ts";
import { viewList } from "./select.ts";
import { ALL, INITIAL, type State } from "./state.ts";

/** The n-th message of a log: ids and times grow together, some times repeat. */
function message(n: number, topic = `t${n % 3}`): Message {
  return {
    id: n.toString(16).padStart(24, "0"),
    key: `key-${n}`,
    topic,
    name: "Ada",
    email: "ada@example.org",
    time: new Date(1_700_000_000_000 + Math.floor(n / 2) * 1000).toISOString(),
    content: `message ${n}`,
  };
}

const logOf = (length: number): readonly Message[] => Array.from({ length }, (_, n) => message(n));
const frame = (f: ServerFrame): Action => ({ type: "frame", frame: f });
const live = (...messages: Message[]): Action => frame({ type: "messages", messages });
const welcome = (messages: readonly Message[], more = false, recovered = false): Action =>
  frame({ type: "welcome", server: "a", cursor: "c", recovered, messages, more });
const entryOf = ({ id: _, time: __, ...draft }: Message, created = 1): Entry => ({ ...draft, created });

function run(actions: readonly Action[], state: State = INITIAL): State {
  return actions.reduce(reduce, state);
}

function expectSound(messages: readonly Message[]): void {
  for (let i = 1; i < messages.length; i++) {
    expect(compareMerged(messages[i - 1] as Message, messages[i] as Message)).toBeLessThan(0);
  }
}

/**
 * Every message of a log carried by at least one frame, each frame of a random kind with random
 * messages, in random order.
 */
const deliveries = fc.integer({ min: 1, max: 40 }).chain((length) => {
  const log = logOf(length);
  const some = fc.subarray(log as Message[]);
  const own = fc.subarray(log as Message[], { maxLength: Math.min(4, length) });
  const action = fc.oneof(
    some.map((messages) => live(...messages)),
    some.chain((messages) => fc.shuffledSubarray(messages)).map((messages) => live(...messages)),
    some.map((messages) => welcome(messages, true, true)),
    fc.tuple(some, fc.boolean()).map(([messages, more]) => frame({ type: "history", ref: "r", messages, more })),
    fc.constant(frame({ type: "presence", online: 3 })),
    fc.constant<Action>({ type: "disconnected" }),
    fc.constant<Action>({ type: "asked", ref: "r", view: ALL }),
  );
  return fc
    .tuple(fc.array(action, { maxLength: 12 }), own)
    .chain(([actions, posted]) => {
      const acks = posted.map(({ key, id, time }) => frame({ type: "ack", key, id, time }));
      const sent = posted.map((m): Action => ({ type: "outbox", entries: [{ ...entryOf(m), sent: { id: m.id, time: m.time } }] }));
      const whole = [...actions, ...acks, ...sent, live(...log)];
      return fc.record({
        log: fc.constant(log),
        posted: fc.constant(posted),
        actions: fc.shuffledSubarray(whole, { minLength: whole.length }),
      });
    });
});

describe("the list", () => {
  test("is sorted, without repeats, and equal for all, whatever the order of frames", () => {
    fc.assert(
      fc.property(deliveries, ({ log, posted, actions }) => {
        const outbox: Action = { type: "outbox", entries: posted.map((m) => entryOf(m)) };
        const state = run([welcome([]), outbox, ...actions]);
        expect(state.messages.map(({ id }) => id)).toEqual(log.map(({ id }) => id));
        expectSound(state.messages);
        // Nothing pending is left that stands in the list: no optimistic twin.
        const keys = new Set(state.messages.map(({ key }) => key));
        expect(state.pending.filter(({ key }) => keys.has(key))).toEqual([]);
        expect(viewList(state, ALL).messages).toEqual(log);
      }),
      { numRuns: 400 },
    );
  });

  test("is sound after every single step", () => {
    fc.assert(
      fc.property(deliveries, ({ posted, actions }) => {
        let state = run([welcome([]), { type: "outbox", entries: posted.map((m) => entryOf(m)) }]);
        for (const action of actions) {
          state = reduce(state, action);
          expectSound(state.messages);
          const keys = new Set(state.messages.map(({ key }) => key));
          expect(state.pending.some(({ key }) => keys.has(key))).toBe(false);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("is the same applied one by one or a frame's worth at once", () => {
    fc.assert(
      fc.property(deliveries, ({ posted, actions }) => {
        const start = run([welcome([]), { type: "outbox", entries: posted.map((m) => entryOf(m)) }]);
        const { live: _, ...one } = run(actions, start);
        const { live: __, ...all } = reduceAll(start, actions);
        expect(all).toEqual(one);
      }),
      { numRuns: 200 },
    );
  });
});

describe("merge", () => {
  const list = fc.array(fc.integer({ min: 0, max: 60 }).map((n) => message(n)));
  const sortedUnique = list.map((messages) => merge([], messages));

  test("idempotent: what is held changes nothing, not even identity", () => {
    fc.assert(
      fc.property(sortedUnique, list, (held, incoming) => {
        const merged = merge(held, incoming);
        expect(merge(merged, incoming)).toBe(merged);
      }),
    );
  });

  test("commutative and complete", () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const ab = merge(merge([], a), b);
        expect(ab).toEqual(merge(merge([], b), a));
        expectSound(ab);
        expect(new Set(ab.map(({ id }) => id))).toEqual(new Set([...a, ...b].map(({ id }) => id)));
      }),
    );
  });
});

describe("views", () => {
  const log = logOf(30);

  test("hide what lies beyond a gap", () => {
    // The newest ten are known, then a topic's history reaches further down for that topic only.
    const asked: Action = { type: "asked", ref: "h", view: "t1" };
    const topical = log.slice(0, 20).filter(({ topic }) => topic === "t1");
    const state = run([
      welcome(log.slice(20), true),
      asked,
      frame({ type: "history", ref: "h", messages: topical.slice(-4), more: true }),
    ]);
    expect(viewList(state, ALL)).toEqual({ messages: log.slice(20), more: true });
    const shown = viewList(state, "t1");
    expect(shown.messages).toEqual([...topical.slice(-4), ...log.slice(20).filter(({ topic }) => topic === "t1")]);
    expect(shown.more).toBe(true);
    expect(viewList(state, "t2").messages).toEqual(log.slice(20).filter(({ topic }) => topic === "t2"));
  });

  test("history down to the first ends the view", () => {
    const state = run([
      welcome(log.slice(20), true),
      { type: "asked", ref: "h", view: ALL },
      frame({ type: "history", ref: "h", messages: log.slice(0, 20), more: false }),
    ]);
    expect(viewList(state, ALL)).toEqual({ messages: log, more: false });
    expect(viewList(state, "t0").more).toBe(false);
  });

  test("a log that could not be resumed starts anew", () => {
    const state = run([welcome(log.slice(0, 5)), welcome(log.slice(20), true)]);
    expect(state.messages).toEqual(log.slice(20));
    expect(state.epoch).toBe(2);
    expect(viewList(state, ALL).more).toBe(true);
  });

  test("an answer that nobody awaits any more widens nothing", () => {
    const state = run([
      welcome(log.slice(20), true),
      { type: "asked", ref: "h", view: ALL },
      { type: "disconnected" },
      frame({ type: "history", ref: "h", messages: log.slice(5, 8), more: true }),
    ]);
    expect(viewList(state, ALL).messages).toEqual(log.slice(20));
  });

  test("a topic keeps the order of ids when the clock went back", () => {
    const early = { ...message(5, "t"), time: new Date(1_700_000_900_000).toISOString() };
    const late = { ...message(6, "t"), time: new Date(1_700_000_100_000).toISOString() };
    const state = run([welcome([]), live(early), live(late)]);
    const shown = viewList(state, "t").messages;
    expect(shown).toEqual([early, late]);
    expect([...shown].sort(compareInTopic)).toEqual(shown);
  });

  test("trim keeps the newest and says that older ones exist", () => {
    const state = run([welcome(log), { type: "trim", keep: 10, view: ALL }]);
    expect(viewList(state, ALL)).toEqual({ messages: log.slice(20), more: true });
  });

  test("trim takes nothing from a quiet topic on the screen", () => {
    const quiet = [message(0, "quiet"), message(1, "quiet")];
    const loud = logOf(40).slice(2);
    for (const more of [true, false]) {
      let state = run([welcome([...quiet, ...loud], more)]);
      const before = viewList(state, "quiet");
      for (let i = 0; i < 3; i++) state = reduce(state, { type: "trim", keep: 10, view: "quiet" });
      expect(viewList(state, "quiet")).toEqual(before);
      expect(viewList(state, ALL)).toEqual({ messages: loud.slice(-10), more: true });
      expectSound(state.messages);
    }
  });
});

describe("pending entries", () => {
  const mine = message(7);

  test("become messages by their ack, in place", () => {
    const state = run([
      welcome(logOf(7)),
      { type: "outbox", entries: [entryOf(mine)] },
      live(message(8)),
      frame({ type: "ack", key: mine.key, id: mine.id, time: mine.time }),
    ]);
    expect(state.messages).toEqual(logOf(9));
    expect(state.pending).toEqual([]);
  });

  test("do not come back when another tab's note arrives after the message", () => {
    const state = run([welcome([]), live(mine), { type: "outbox", entries: [entryOf(mine)] }]);
    expect(state.pending).toEqual([]);
  });

  test("stay while they are nobody's", () => {
    const state = run([welcome([]), { type: "outbox", entries: [entryOf(mine)] }, live(message(8))]);
    expect(state.pending).toHaveLength(1);
  });
});

test("live messages are told apart from history and resume, once each", () => {
  const log = logOf(6);
  const one = reduceAll(INITIAL, [welcome(log.slice(0, 2)), live(...log.slice(2, 4))]);
  expect(one.live).toEqual(log.slice(2, 4));
  const two = reduceAll(one, [live(...log.slice(3, 5)), welcome([log[5] as Message], false, true)]);
  expect(two.live).toEqual([log[4]]);
  expect(reduceAll(two, [frame({ type: "presence", online: 1 })]).live).toEqual([]);
});

test("hostile topics are only names", () => {
  const state = run([welcome([]), live(message(1, "__proto__"), message(2, "constructor"))]);
  expect([...state.topics.keys()]).toEqual(["__proto__", "constructor"]);
  expect(viewList(state, "__proto__").messages).toHaveLength(1);
});

test("of a room that was left nothing stays but what was not sent, and of the rest everything", () => {
  const room = "~aaaaaaaaaaaaaaaa";
  const secret = message(3, room);
  const before = run([
    welcome([message(1, "tea"), secret]),
    { type: "outbox", entries: [entryOf(message(9, room)), entryOf(message(10, "tea"))] },
    { type: "asked", ref: "r", view: room },
  ]);
  const after = reduce(before, { type: "left", rooms: new Set([room]) });
  expect(JSON.stringify([after.messages, [...after.topics], [...after.requests]])).not.toContain(room);
  expect(after.messages).toEqual([message(1, "tea")]);
  expect(after.pending).toHaveLength(2);
});
