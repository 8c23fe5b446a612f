import { beforeEach, describe, expect, test, vi } from "vitest";
import type { ServerFrame } from "../protocol/frames.ts";
import { backoff, BACKOFF_BASE_MS, BACKOFF_CAP_MS } from "./backoff.ts";
import {
  Connection,
  PROBE_DEADLINE_MS,
  RETIRE_MS,
  SILENCE_MS,
  STABLE_MS,
  WELCOME_DEADLINE_MS,
  type ConnectionState,
  type SocketLike,
  type World,
} from "./connection.ts";

/** A socket whose other end is the test. */
class FakeSocket implements SocketLike {
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  readonly sent: Record<string, unknown>[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.closed = true;
  }
  open(): void {
    this.onopen?.();
  }
  receive(frame: ServerFrame | string): void {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }
  welcome(cursor: string, recovered = false): void {
    this.receive({ type: "welcome", server: "pod", cursor, recovered, messages: [], more: false });
  }
  end(code = 1006): void {
    this.onclose?.({ code, reason: "" });
  }
}

/** Time that moves only when the test says so. */
class FakeWorld implements World {
  sockets: FakeSocket[] = [];
  time = 1_000;
  luck = 0.5;
  #timers: { at: number; run: () => void }[] = [];
  dial(): FakeSocket {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket;
  }
  now(): number {
    return this.time;
  }
  setTimeout(run: () => void, ms: number): unknown {
    const timer = { at: this.time + ms, run };
    this.#timers.push(timer);
    return timer;
  }
  clearTimeout(timer: unknown): void {
    this.#timers = this.#timers.filter((t) => t !== timer);
  }
  random(): number {
    return this.luck;
  }
  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.clearTimeout(due);
      this.time = Math.max(this.time, due.at);
      due.run();
    }
    this.time = end;
  }
  get last(): FakeSocket {
    return this.sockets.at(-1) as FakeSocket;
  }
}

const draft = (key: string) => ({ key, topic: "t", name: "A", email: "a@b.c", content: "x" });

let world: FakeWorld;
let frames: ServerFrame[];
let states: ConnectionState["phase"][];
let lost: string[];
let connection: Connection;

beforeEach(() => {
  world = new FakeWorld();
  frames = [];
  states = [];
  lost = [];
  connection = new Connection("ws://test/ws", world, {
    onFrame: (frame) => frames.push(frame),
    onState: ({ phase }) => states.push(phase),
    onLost: (keys) => lost.push(...keys),
  });
  connection.start();
});

function openFirst(): FakeSocket {
  const socket = world.last;
  socket.open();
  socket.welcome("c1");
  return socket;
}

describe("hello", () => {
  test("asks for the latest first, and resumes by cursor after", () => {
    const first = openFirst();
    expect(first.sent).toEqual([{ type: "hello", topics: ["*"], limit: 50 }]);
    first.receive({ type: "messages", messages: [], cursor: "c2" });
    first.receive({ type: "presence", online: 2, cursor: "c3" });
    first.end();
    world.advance(BACKOFF_BASE_MS);
    world.last.open();
    expect(world.last.sent).toEqual([{ type: "hello", topics: ["*"], cursor: "c3" }]);
  });

  test("a welcome that does not come is a failed attempt", () => {
    world.last.open();
    world.advance(WELCOME_DEADLINE_MS);
    expect(world.sockets[0]?.closed).toBe(true);
    world.advance(BACKOFF_BASE_MS);
    expect(world.sockets).toHaveLength(2);
  });
});

describe("coming back", () => {
  test.each([1000, 1001, 1005, 1006, 1011, 1013, 4000, 4001, 4003])("after close %i", (code) => {
    openFirst().end(code);
    expect(connection.state.phase).toBe("waiting");
    world.advance(BACKOFF_BASE_MS);
    expect(world.sockets).toHaveLength(2);
  });

  test.each([1008, 4002])("not after close %i, unless a person asks", (code) => {
    openFirst().end(code);
    expect(connection.state).toMatchObject({ phase: "stopped", code });
    world.advance(10 * BACKOFF_CAP_MS);
    connection.renew();
    expect(world.sockets).toHaveLength(1);
    connection.reconnectNow();
    expect(world.sockets).toHaveLength(2);
  });

  test("waits longer with each failure, never past the cap, and forgets after a stable while", () => {
    world.luck = 0.999_999;
    const waits: number[] = [];
    openFirst().end();
    for (let i = 0; i < 12; i++) {
      const state = connection.state;
      if (state.phase !== "waiting") throw new Error(state.phase);
      waits.push(state.until - world.time);
      world.advance(state.until - world.time);
      world.last.end();
    }
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits[0]).toBeLessThan(BACKOFF_BASE_MS);
    expect(waits.at(-1)).toBe(BACKOFF_CAP_MS - 1);

    world.advance(BACKOFF_CAP_MS);
    world.last.open();
    world.last.welcome("c9", true);
    world.advance(STABLE_MS);
    world.last.end();
    expect(connection.state.phase === "waiting" && connection.state.until - world.time).toBeLessThan(BACKOFF_BASE_MS);
  });

  test("a server that welcomes and drops at once is not hammered", () => {
    world.luck = 0.999_999;
    let last = 0;
    for (let i = 0; i < 8; i++) {
      world.last.open();
      world.last.welcome("c", i > 0);
      world.last.end(1001);
      const state = connection.state;
      last = state.phase === "waiting" ? state.until - world.time : 0;
      world.advance(last);
    }
    expect(last).toBeGreaterThan(10_000);
  });

  test("full jitter covers the whole range", () => {
    expect(backoff(3, () => 0)).toBe(0);
    expect(backoff(3, () => 0.5)).toBe((BACKOFF_BASE_MS * 8) / 2);
    expect(backoff(1000, () => 0.999_999)).toBe(BACKOFF_CAP_MS - 1);
  });

  test("a broken frame is not skipped: the session resumes before it", () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    const first = openFirst();
    first.receive('{"type":"messages","messages":[{"id":5}],"cursor":"c2"}');
    expect(first.closed).toBe(true);
    world.advance(BACKOFF_BASE_MS);
    world.last.open();
    expect(world.last.sent[0]).toMatchObject({ cursor: "c1" });
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
  });
});

describe("bye", () => {
  test("the second socket is welcomed before the first closes; both deliver", () => {
    const first = openFirst();
    first.receive({ type: "bye", reason: "deploy", reconnect_in_ms: 2000 });
    expect(world.sockets).toHaveLength(1);
    world.advance(1000);
    const second = world.last;
    expect(second).not.toBe(first);
    first.receive({ type: "messages", messages: [], cursor: "c2" });
    second.open();
    expect(second.sent[0]).toMatchObject({ type: "hello", cursor: "c2" });
    expect(first.closed).toBe(false);
    expect(connection.post(draft("on-the-first"))).toBe(true);
    expect(first.sent.at(-1)).toMatchObject({ key: "on-the-first" });
    first.receive({ type: "ack", key: "on-the-first", id: "1", time: "2024-01-01T00:00:00.000Z" });
    second.welcome("c3", true);
    expect(first.closed).toBe(true);
    expect(second.closed).toBe(false);
    expect(states).toEqual(["connecting", "open", "open"]);
    expect(lost).toEqual([]);
  });

  test("the old socket stays for answers under way, then the rest is reported lost", () => {
    const first = openFirst();
    connection.post(draft("answered"));
    connection.post(draft("silent"));
    first.receive({ type: "bye", reason: "deploy", reconnect_in_ms: 0 });
    world.advance(0);
    const second = world.last;
    second.open();
    second.welcome("c2", true);
    expect(first.closed).toBe(false);
    first.receive({ type: "ack", key: "answered", id: "1", time: "2024-01-01T00:00:00.000Z" });
    world.advance(RETIRE_MS);
    expect(first.closed).toBe(true);
    expect(lost).toEqual(["silent"]);
  });

  test("a second socket that fails is tried again while the first lives", () => {
    const first = openFirst();
    first.receive({ type: "bye", reason: "deploy", reconnect_in_ms: 0 });
    world.advance(0);
    world.last.end();
    expect(connection.state.phase).toBe("open");
    world.advance(BACKOFF_BASE_MS);
    expect(world.sockets).toHaveLength(3);
    expect(first.closed).toBe(false);
    first.end(1001);
    expect(connection.state.phase).toBe("connecting");
    world.last.open();
    world.last.welcome("c2", true);
    expect(connection.state.phase).toBe("open");
  });

  test("a frame of the retiring socket does not pull the cursor back", () => {
    const first = openFirst();
    connection.post(draft("open"));
    first.receive({ type: "bye", reason: "deploy", reconnect_in_ms: 0 });
    world.advance(0);
    world.last.open();
    world.last.welcome("c5", true);
    first.receive({ type: "messages", messages: [], cursor: "c2" });
    world.last.end();
    world.advance(BACKOFF_BASE_MS + RETIRE_MS);
    world.last.open();
    expect(world.last.sent[0]).toMatchObject({ cursor: "c5" });
  });
});

describe("posts", () => {
  test("need a welcomed socket", () => {
    expect(connection.post(draft("early"))).toBe(false);
  });

  test("unanswered ones are reported when the socket goes", () => {
    const socket = openFirst();
    connection.post(draft("a"));
    connection.post(draft("b"));
    socket.receive({ type: "error", code: "unavailable", message: "", key: "a" });
    socket.end();
    expect(lost).toEqual(["b"]);
  });
});

describe("a silent socket", () => {
  test("is asked, and dropped when it does not answer", () => {
    const socket = openFirst();
    world.advance(SILENCE_MS);
    expect(socket.sent.at(-1)).toMatchObject({ type: "history", limit: 1 });
    world.advance(PROBE_DEADLINE_MS);
    expect(socket.closed).toBe(true);
    expect(connection.state.phase).toBe("waiting");
  });

  test("stays when it answers, and the answer is nobody else's", () => {
    const socket = openFirst();
    world.advance(SILENCE_MS);
    const before = frames.length;
    socket.receive({ type: "history", ref: String(socket.sent.at(-1)?.["ref"]), messages: [], more: false });
    world.advance(PROBE_DEADLINE_MS);
    expect(socket.closed).toBe(false);
    expect(frames).toHaveLength(before);
  });

  test("is not asked while frames come", () => {
    const socket = openFirst();
    for (let i = 0; i < 10; i++) {
      world.advance(SILENCE_MS - 1);
      socket.receive({ type: "presence", online: i });
    }
    expect(socket.sent.filter(({ type }) => type === "history")).toEqual([]);
  });
});

test("renew resumes on a fresh socket before it lets the old one go", () => {
  const first = openFirst();
  connection.renew();
  connection.renew();
  expect(world.sockets).toHaveLength(2);
  expect(first.closed).toBe(false);
  world.last.open();
  world.last.welcome("c2", true);
  expect(first.closed).toBe(true);
});

describe("who is signed in", () => {
  function openAs(token: string | undefined): FakeSocket {
    world = new FakeWorld();
    connection = new Connection("ws://chat/ws", world, { onFrame: (f) => frames.push(f), onState: () => undefined, onLost: () => undefined }, token);
    connection.start();
    world.last.open();
    return world.last;
  }
  const frames: ServerFrame[] = [];
  beforeEach(() => void (frames.length = 0));

  test("the token is in every hello; a guest's has none", () => {
    expect(openAs("secret").sent[0]).toMatchObject({ type: "hello", token: "secret" });
    expect(openAs(undefined).sent[0]).not.toHaveProperty("token");
  });

  test("4004: no coming back by itself, and what was refused reaches no entry of the outbox", () => {
    const socket = openAs("over");
    socket.receive({ type: "error", code: "unauthorised", message: "no" });
    socket.end(4004);
    const dialled = world.sockets.length;
    world.advance(3_600_000);
    expect(world.sockets).toHaveLength(dialled);
    expect(connection.state).toMatchObject({ phase: "stopped", code: 4004 });
    expect(frames).toEqual([]);
  });

  test("a hello that cannot be looked up is said again on another socket", () => {
    openAs("secret").receive({ type: "error", code: "unavailable", message: "no store" });
    const dialled = world.sockets.length;
    world.advance(60_000);
    expect(world.sockets.length).toBeGreaterThan(dialled);
  });

  test("restart begins anew, though the cursor moved meanwhile, and keeps the old socket until then", () => {
    const socket = openAs("secret");
    socket.welcome("c1");
    connection.restart();
    socket.receive({ type: "messages", messages: [], cursor: "c2" });
    world.last.open();
    expect(world.last.sent[0]).not.toHaveProperty("cursor");
    expect(socket.closed).toBe(false);
    world.last.welcome("c3");
    expect(socket.closed).toBe(true);
  });
});
