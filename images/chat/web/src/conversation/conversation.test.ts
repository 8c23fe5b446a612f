import { expect, test } from "vitest";
import type { ErrorFrame, HistoryFrame } from "../protocol/frames.ts";
import type { Message } from "../protocol/message.ts";
import { Deletions, UNDO_MS } from "./deletions.ts";
import { localShelf, MAX_FILTERS } from "./filters.ts";
import { isPlain, lookBack, MAX_PAGES, wordsToMark } from "./look.ts";
import { ANSWER_MS, Questions, type Question } from "./questions.ts";
import { KnownVotes, PATIENCE_MS, SETTLE_MS, Votes } from "./votes.ts";

/** A clock that goes when told to. */
function clock() {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  return {
    setTimeout: (run: () => void, ms: number): unknown => {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return timer;
    },
    clearTimeout: (timer: unknown): void => void (timers = timers.filter((each) => each !== timer)),
    pass(ms: number): void {
      now += ms;
      const due = timers.filter(({ at }) => at <= now);
      timers = timers.filter(({ at }) => at > now);
      for (const { run } of due) run();
    },
  };
}

function storage() {
  const values = new Map<string, string>();
  return { get: (name: string) => values.get(name) ?? "", set: (name: string, value: string) => void values.set(name, value) };
}

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

function votes(online = true) {
  const time = clock();
  const sent: { key: string; id: string; vote: number }[] = [];
  const failures: string[] = [];
  const state = { online };
  const made = new Votes({
    say: (frame) => {
      if (state.online && frame.type === "vote") sent.push(frame);
      return state.online;
    },
    who: () => ({ name: "A", email: "a@b.c" }),
    known: new KnownVotes(storage(), () => "a@b.c"),
    changed: () => undefined,
    failed: ({ code }) => void failures.push(code),
    ...time,
  });
  return { made, sent, failures, time, state };
}

test("a vote is shown at once, whatever numbers come meanwhile, and then what the server tells", () => {
  const { made, sent, time } = votes();
  const before = message(1, { up: 3 });
  made.press(before, 1);
  expect(made.shown(before)).toEqual({ up: 4, down: 0, vote: 1 });
  // These may count it or not.
  expect(made.shown({ ...before, up: 4 })).toEqual({ up: 4, down: 0, vote: 1 });
  made.onFrame({ type: "ack", key: sent[0]?.key ?? "", id: before.id });
  time.pass(SETTLE_MS);
  expect(made.shown({ ...before, up: 9 })).toEqual({ up: 9, down: 0, vote: 1 });
});

test("the other vote replaces it; the same again takes it back; the answer to an older one settles nothing", () => {
  const { made, sent, time } = votes();
  const it = message(1);
  made.press(it, 1);
  made.press(it, -1);
  expect(made.shown(it)).toEqual({ up: 0, down: 1, vote: -1 });
  made.onFrame({ type: "ack", key: sent[0]?.key ?? "", id: it.id });
  time.pass(SETTLE_MS);
  expect(made.shown(it)).toEqual({ up: 0, down: 1, vote: -1 });
  made.press(it, -1);
  expect(made.shown(it)).toEqual({ up: 0, down: 0, vote: 0 });
  expect(sent.map(({ vote }) => vote)).toEqual([1, -1, 0]);
});

test("a vote that is refused is taken back and said; one that may pass is sent again; one never answered fails", () => {
  const { made, sent, failures, time } = votes();
  const it = message(1, { up: 2 });
  made.press(it, 1);
  made.onFrame({ type: "error", code: "rate_limited", message: "", key: sent[0]?.key ?? "", retry_after_ms: 50 });
  time.pass(50);
  expect(sent.map(({ key }) => key)).toEqual([sent[0]?.key, sent[0]?.key]);
  made.onFrame({ type: "error", code: "not_found", message: "", key: sent[0]?.key ?? "" });
  expect([made.shown(it), failures]).toEqual([{ up: 2, down: 0, vote: 0 }, ["not_found"]]);
  made.press(it, 1);
  time.pass(PATIENCE_MS);
  expect([made.shown(it), failures]).toEqual([{ up: 2, down: 0, vote: 0 }, ["not_found", "unavailable"]]);
});

test("a vote without a connection goes out with the next welcome, with its key", () => {
  const { made, sent, state } = votes(false);
  made.press(message(1), -1);
  expect(sent).toEqual([]);
  state.online = true;
  made.onFrame({ type: "welcome", server: "s", cursor: "c", recovered: true, messages: [], more: false });
  expect(sent).toMatchObject([{ id: "0001", vote: -1 }]);
});

test("own votes are remembered for the address they were cast with, and survive nonsense", () => {
  const saved = storage();
  let email = "a@b.c";
  const known = new KnownVotes(saved, () => email);
  known.set("1", 1);
  expect(new KnownVotes(saved, () => "a@b.c").get("1")).toBe(1);
  email = "x@y.z";
  expect(known.get("1")).toBeUndefined();
  for (const broken of ["", "{", "null", '{"email":"x@y.z","votes":[1,["a"]]}']) {
    saved.set("votes", broken);
    expect(new KnownVotes(saved, () => "x@y.z").get("1")).toBeUndefined();
  }
});

test("a deletion can be undone for a while, then the server is told, and a refusal is said", async () => {
  const time = clock();
  const told: string[] = [];
  const gone: string[] = [];
  const said: string[] = [];
  let answer: string | undefined;
  const deletions = new Deletions({
    remove: (id) => (told.push(id), Promise.resolve(answer)),
    gone: (id) => void gone.push(id),
    failed: (why) => void said.push(why),
    changed: () => undefined,
    ...time,
  });
  deletions.add("1");
  time.pass(UNDO_MS - 1);
  deletions.undo();
  time.pass(UNDO_MS);
  expect([told, deletions.has("1")]).toEqual([[], false]);

  deletions.add("2");
  deletions.add("2");
  time.pass(UNDO_MS);
  expect([told, deletions.has("2"), deletions.undoable]).toEqual([["2"], true, 0]);
  await Promise.resolve();
  await Promise.resolve();
  expect([gone, deletions.has("2")]).toEqual([["2"], false]);

  answer = "no";
  deletions.add("3");
  await deletions.flush();
  expect([told, gone, said]).toEqual([["2", "3"], ["2"], ["no"]]);
});

test("every question gets one answer: the server's, or that there is none", async () => {
  const time = clock();
  const refs: string[] = [];
  let online = true;
  const questions = new Questions({ say: (frame) => (frame.type === "history" && refs.push(frame.ref), online), ...time });
  const first = questions.ask({ reply_to: "1" });
  questions.onFrame({ type: "history", ref: refs[0] ?? "", messages: [], more: false });
  expect((await first).type).toBe("history");
  const second = questions.ask({});
  time.pass(ANSWER_MS);
  expect(await second).toMatchObject({ code: "unavailable" });
  // Lost with its socket: asked again on the next one.
  const third = questions.ask({ filter: "x" });
  questions.onFrame({ type: "welcome", server: "s", cursor: "c", recovered: true, messages: [], more: false });
  expect(refs.slice(2)).toEqual([refs[2], refs[2]]);
  questions.onFrame({ type: "history", ref: refs[2] ?? "", messages: [], more: true });
  expect(await third).toMatchObject({ type: "history", more: true });
  online = false;
  expect(await questions.ask({})).toMatchObject({ code: "unavailable" });
});

const page = (messages: readonly Message[], more: boolean, before?: string): HistoryFrame => ({
  type: "history",
  ref: "r",
  messages,
  more,
  ...(before !== undefined && { before }),
});

test("a filter that matches seldom is followed over empty pages, a bounded number of them", async () => {
  const asked: (string | undefined)[] = [];
  let n = 100;
  const endless = ({ before }: Question): Promise<HistoryFrame> => (asked.push(before), Promise.resolve(page([], true, `id${--n}`)));
  expect(await lookBack(endless, { filter: "x" }, undefined)).toEqual({ messages: [], before: "id95" });
  expect(asked).toEqual([undefined, "id99", "id98", "id97", "id96"]);
  expect(asked).toHaveLength(MAX_PAGES);

  const pages = [page([message(5)], true, "0004"), page([message(2)], false)];
  const found = await lookBack(() => Promise.resolve(pages.shift() as HistoryFrame), { filter: "x" }, undefined);
  expect(found).toEqual({ messages: [message(2), message(5)], before: undefined });

  // One that never gets on is no loop.
  const stuck = await lookBack(() => Promise.resolve(page([], true, "same")), { filter: "x" }, "same");
  expect(stuck.before).toBeUndefined();
  const error: ErrorFrame = { type: "error", code: "bad_message", message: "", at: 3, expected: "a )" };
  expect((await lookBack(() => Promise.resolve(error), { filter: "(x" }, "7")).error).toEqual(error);
});

test("plain words, and what is marked of a filter", () => {
  expect(["tea", "tea  cake", "a-b", "https", "ORANGE"].map(isPlain)).toEqual([true, true, true, true, true]);
  expect(["from:a", '"a b"', "a OR b", "-a", "(a)", "#a"].map(isPlain)).toEqual([false, false, false, false, false, false]);
  expect(wordsToMark('tea OR "hot \\"milk\\"" -cake from:ann topic:x (#tag after:-2h) -"no no"')).toEqual(["tea", 'hot "milk"', "ann", "#tag"]);
});

test("a guest's filters: kept by name, so many of them, removed, and nonsense is none", async () => {
  const saved = storage();
  const shelf = localShelf(saved);
  expect(await shelf.put({ name: "b", filter: "x" })).toBeUndefined();
  await shelf.put({ name: "a", filter: "y" });
  await shelf.put({ name: "b", filter: "z" });
  expect(await shelf.list()).toEqual([{ name: "a", filter: "y" }, { name: "b", filter: "z" }]);
  await shelf.remove("a");
  for (let n = 1; n < MAX_FILTERS; n++) expect(await shelf.put({ name: `f${n}`, filter: "x" })).toBeUndefined();
  expect(await shelf.put({ name: "one more", filter: "x" })).toContain("100");
  expect(await shelf.put({ name: "b", filter: "again" })).toBeUndefined();
  saved.set("filters", '[{"name":1},null,"x"]');
  expect(await shelf.list()).toEqual([]);
});
