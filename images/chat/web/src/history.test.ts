import { beforeEach, expect, test } from "vitest";
import { ANSWER_DEADLINE_MS, History, type HistoryRequest } from "./history.ts";
import type { ServerFrame } from "./protocol/frames.ts";

let time: number;
let timers: { at: number; run: () => void }[];
let sent: HistoryRequest[];
let silences: string[];
let connected: boolean;
let history: History;

beforeEach(() => {
  time = 0;
  timers = [];
  sent = [];
  silences = [];
  connected = true;
  history = new History({
    next: (view) => (view === "refused" ? undefined : { topic: view, limit: 100 }),
    send: (request) => {
      if (connected) sent.push(request);
      return connected;
    },
    onSilence: (ref) => silences.push(ref),
    setTimeout: (run, ms) => {
      const timer = { at: time + ms, run };
      timers.push(timer);
      return timer;
    },
    clearTimeout: (timer) => void (timers = timers.filter((t) => t !== timer)),
    random: () => 0.5,
  });
});

function advance(ms: number): void {
  time += ms;
  for (const timer of timers.filter(({ at }) => at <= time)) {
    timers = timers.filter((t) => t !== timer);
    timer.run();
  }
}

function answer(more = true, count = 1): void {
  const messages = Array.from({ length: count }, () => ({ id: "1", key: "k", topic: "t", name: "A", email: "a@b", time: "", content: "c" }));
  history.onFrame({ type: "history", ref: sent.at(-1)?.ref ?? "", messages, more });
}

function refuse(code: string, retry_after_ms?: number): void {
  const frame: ServerFrame = { type: "error", code, message: "no", ref: sent.at(-1)?.ref ?? "", ...(retry_after_ms && { retry_after_ms }) };
  history.onFrame(frame);
}

test("one request under way, for whichever view; the last that wanted more comes next", () => {
  expect(history.ask("a")).toBe(true);
  for (let i = 0; i < 50; i++) expect(history.ask(i % 2 ? "b" : "c")).toBe(true);
  expect(sent).toHaveLength(1);
  answer();
  expect(sent.map(({ topic }) => topic)).toEqual(["a", "b"]);
  answer();
  expect(sent).toHaveLength(2);
});

test.each(["unavailable", "rate_limited", "internal"])("%s: a wait that grows, and never less than asked for", (code) => {
  history.ask("a");
  for (let i = 0; i < 5; i++) {
    refuse(code, 700);
    for (let j = 0; j < 40; j++) history.ask("a");
    advance(700);
    expect(sent).toHaveLength(i + 1);
    advance(250 * 2 ** i);
    expect(sent).toHaveLength(i + 2);
  }
});

test("a storm of asking for a minute while it fails: a handful of requests", () => {
  for (let i = 0; i < 3_600; i++) {
    history.ask("a");
    if (sent.length > 0) refuse("unavailable");
    advance(1000 / 60);
  }
  expect(sent.length).toBeLessThan(12);
});

test.each(["not_found", "bad_message", "unauthorised", "something_new"])("%s: not asked again by itself", (code) => {
  history.ask("a");
  refuse(code);
  advance(600_000);
  expect(sent).toHaveLength(1);
  expect(history.ask("refused")).toBe(false);
});

test("an empty page that promises more is waited for, not repeated at once", () => {
  history.ask("a");
  answer(true, 0);
  history.ask("a");
  expect(sent).toHaveLength(1);
  advance(250);
  expect(sent).toHaveLength(2);
});

test("who asks while its own answer is on the way is not answered twice", () => {
  history.ask("a");
  history.ask("a");
  answer();
  expect(sent).toHaveLength(1);
});

test("no answer in time counts as a failure", () => {
  history.ask("a");
  advance(ANSWER_DEADLINE_MS);
  expect(silences).toEqual([sent[0]?.ref]);
  history.ask("a");
  expect(sent).toHaveLength(1);
  advance(250);
  expect(sent).toHaveLength(2);
});

test("not connected: nothing is awaited; a new socket starts anew", () => {
  connected = false;
  expect(history.ask("a")).toBe(false);
  connected = true;
  expect(history.ask("a")).toBe(true);
  history.reset();
  expect(history.ask("a")).toBe(true);
  expect(sent).toHaveLength(2);
});
