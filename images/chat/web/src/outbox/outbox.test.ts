import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ServerFrame } from "../protocol/frames.ts";
import { EntryShelf, type Entry, type StorageLike } from "./entry.ts";
import { HUNG_MS, leaseLock, LEASE_MS, webLock, type Beats } from "./lock.ts";
import { ServerClock } from "../clock.ts";
import { ACK_DEADLINE_MS, KEY_LIFE_MS, Outbox, type Lock } from "./outbox.ts";

class FakeStorage implements StorageLike {
  readonly items = new Map<string, string>();
  full = false;
  get length(): number {
    return this.items.size;
  }
  key(i: number): string | null {
    return [...this.items.keys()][i] ?? null;
  }
  getItem(name: string): string | null {
    return this.items.get(name) ?? null;
  }
  setItem(name: string, value: string): void {
    if (this.full) throw new Error("quota");
    this.items.set(name, value);
  }
  removeItem(name: string): void {
    this.items.delete(name);
  }
}

/** A lock as the browser gives it: one holder, the others in line. */
function fairLock(): Lock {
  let tail: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = tail.then(() => work(new AbortController().signal));
    tail = turn.catch(() => undefined);
    return turn;
  };
}

/** One tab: an outbox on shared storage whose posts the test answers. */
class Tab {
  readonly posted: string[] = [];
  entries: readonly Entry[] = [];
  time = 1_000_000;
  suspected = 0;
  connected = true;
  #timers: { at: number; run: () => void }[] = [];
  readonly outbox: Outbox;
  constructor(storage: StorageLike | undefined, lock: Lock) {
    this.outbox = new Outbox({
      shelf: new EntryShelf(storage),
      lock,
      post: ({ key }) => {
        if (this.connected) this.posted.push(key);
        return this.connected;
      },
      suspect: () => this.suspected++,
      onChange: (entries) => (this.entries = entries),
      now: () => this.time,
      setTimeout: (run, ms) => {
        const timer = { at: this.time + ms, run };
        this.#timers.push(timer);
        return timer;
      },
      clearTimeout: (timer) => {
        this.#timers = this.#timers.filter((t) => t !== timer);
      },
      random: () => 0.5,
    });
    this.outbox.start();
  }
  async connect(): Promise<void> {
    this.connected = true;
    this.outbox.setConnected(true);
    await settled();
  }
  async disconnect(): Promise<void> {
    this.connected = false;
    this.outbox.setConnected(false);
    await settled();
  }
  async advance(ms: number): Promise<void> {
    this.time += ms;
    for (const timer of this.#timers.filter(({ at }) => at <= this.time)) {
      this.#timers = this.#timers.filter((t) => t !== timer);
      timer.run();
      await settled();
    }
  }
  async receive(frame: ServerFrame): Promise<void> {
    this.outbox.onFrame(frame);
    await settled();
  }
  ack(key: string): Promise<void> {
    return this.receive({ type: "ack", key, id: `id-${key}`, time: "2024-01-01T00:00:00.000Z" });
  }
  refuse(key: string, code: string, retry_after_ms?: number): Promise<void> {
    return this.receive({ type: "error", code, message: "no", key, ...(retry_after_ms && { retry_after_ms }) });
  }
  async write(content: string): Promise<string> {
    const { key } = this.outbox.add({ topic: "t", name: "A", email: "a@b.c", content });
    await settled();
    return key;
  }
}

/** Lets promises that are ready run. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

let storage: FakeStorage;
let lock: Lock;
let tab: Tab;

beforeEach(async () => {
  storage = new FakeStorage();
  lock = fairLock();
  tab = new Tab(storage, lock);
  await tab.connect();
});

describe("one tab", () => {
  test("sends one after the other, in the order written", async () => {
    const [a, b, c] = [await tab.write("a"), await tab.write("b"), await tab.write("c")];
    expect(tab.posted).toEqual([a]);
    await tab.ack(a);
    expect(tab.posted).toEqual([a, b]);
    await tab.ack(b);
    await tab.ack(c);
    expect(tab.posted).toEqual([a, b, c]);
  });

  test("the own copy is as good as the ack", async () => {
    const key = await tab.write("a");
    const message = { id: "1", key, topic: "t", name: "A", email: "a@b.c", time: "2024-01-01T00:00:00.000Z", content: "a" };
    await tab.receive({ type: "messages", messages: [message] });
    expect(tab.entries[0]?.sent).toEqual({ id: "1", time: message.time });
  });

  test("a topic that is gone: what waits for it, and what is on the wire, fails with the reason; the rest goes on", async () => {
    const [a, b] = [await tab.write("a"), await tab.write("b")];
    const other = tab.outbox.add({ topic: "other", name: "A", email: "a@b.c", content: "c" }).key;
    tab.outbox.refuse((topic) => topic === "t", "gone");
    await settled();
    expect(tab.entries.map(({ failed }) => failed?.message)).toEqual(["gone", "gone", undefined]);
    expect(tab.posted).toEqual([a, other]);
    // The server's own words on the one that was on the wire come late.
    await tab.refuse(a, "not_found");
    expect(tab.entries[0]?.failed?.message).toBe("gone");
    expect(tab.outbox.takeBack(b)?.content).toBe("b");
  });

  test("a lost ack: the same key again on the next socket", async () => {
    const key = await tab.write("a");
    await tab.disconnect();
    await tab.connect();
    expect(tab.posted).toEqual([key, key]);
    await tab.ack(key);
    await tab.disconnect();
    await tab.connect();
    expect(tab.posted).toHaveLength(2);
  });

  test("a socket replaced under a post: the same key at once", async () => {
    const key = await tab.write("a");
    tab.outbox.onLost([key], 1006);
    await settled();
    expect(tab.posted).toEqual([key, key]);
  });

  test("no answer in time: doubts the connection and repeats the key", async () => {
    const key = await tab.write("a");
    await tab.advance(ACK_DEADLINE_MS);
    await tab.advance(0);
    expect(tab.suspected).toBe(1);
    expect(tab.posted).toEqual([key, key]);
  });

  test.each(["rate_limited", "unavailable", "internal"])("%s: waits as told, then the same key, nothing overtakes", async (code) => {
    const a = await tab.write("a");
    const b = await tab.write("b");
    await tab.refuse(a, code, 700);
    await tab.advance(699);
    expect(tab.posted).toEqual([a]);
    await tab.advance(1);
    expect(tab.posted).toEqual([a, a]);
    await tab.ack(a);
    expect(tab.posted).toEqual([a, a, b]);
  });

  test.each(["bad_message", "too_large", "unauthorised", "not_found", "something_new"])(
    "%s: fails for good, the next goes on; Retry takes the same key",
    async (code) => {
      const a = await tab.write("a");
      const b = await tab.write("b");
      await tab.refuse(a, code);
      expect(tab.posted).toEqual([a, b]);
      expect(tab.entries.find(({ key }) => key === a)?.failed).toEqual({ code, message: "no" });
      await tab.ack(b);
      tab.outbox.retry(a);
      await settled();
      expect(tab.posted).toEqual([a, b, a]);
    },
  );

  test("what waits or failed can be taken back, what was sent cannot", async () => {
    const key = await tab.write("a");
    const next = await tab.write("b");
    expect(tab.outbox.takeBack(key)?.content).toBe("a");
    await settled();
    expect(tab.posted).toEqual([key, next]);
    await tab.refuse(next, "bad_message");
    expect(tab.outbox.takeBack(next)?.content).toBe("b");
    expect(storage.items.size).toBe(0);
    const last = await tab.write("c");
    await tab.ack(last);
    expect(tab.outbox.takeBack(last)).toBeUndefined();
  });

  test("what waits for an outage can be tried at once", async () => {
    const key = await tab.write("a");
    await tab.refuse(key, "unavailable", 20_000);
    tab.outbox.retry(key);
    await settled();
    expect(tab.posted).toEqual([key, key]);
  });

  test("a refusal that names nothing is about the post on the wire", async () => {
    const a = await tab.write("a");
    const b = await tab.write("b");
    await tab.receive({ type: "error", code: "bad_frame", message: "no JSON" });
    expect(tab.entries.find(({ key }) => key === a)?.failed?.code).toBe("bad_frame");
    expect(tab.posted).toEqual([a, b]);
    await tab.receive({ type: "error", code: "bad_frame", message: "of a request", ref: "x" });
    expect(tab.entries.find(({ key }) => key === b)?.failed).toBeUndefined();
  });

  test.each([1003, 1007, 1009])("a socket closed with %i because of a post: it failed, the next goes on", async (code) => {
    const a = await tab.write("a");
    const b = await tab.write("b");
    tab.outbox.onLost([a], code);
    await settled();
    expect(tab.entries.find(({ key }) => key === a)?.failed?.code).toBe("bad_frame");
    expect(tab.posted).toEqual([a, b]);
  });

  test("one that the server never answers lets the others go first, and is not given up", async () => {
    const a = await tab.write("a");
    const b = await tab.write("b");
    for (let i = 0; i < 3; i++) {
      await tab.advance(ACK_DEADLINE_MS);
      await tab.advance(0);
    }
    expect(tab.posted).toEqual([a, a, a, b]);
    await tab.ack(b);
    await tab.advance(60_000);
    expect(tab.posted).toEqual([a, a, a, b, a]);
    await tab.ack(a);
  });

  test("the same for one on which the server stumbles", async () => {
    const a = await tab.write("a");
    const b = await tab.write("b");
    for (let i = 0; i < 3; i++) {
      await tab.refuse(a, "internal", 10);
      await tab.advance(2_000);
    }
    expect(tab.posted).toEqual([a, a, a, b]);
  });

  test("a key the log may have forgotten is not repeated by itself", async () => {
    const key = await tab.write("a");
    await tab.disconnect();
    tab.time += KEY_LIFE_MS + 1;
    await tab.connect();
    expect(tab.posted).toEqual([key]);
    expect(tab.entries[0]?.failed?.code).toBe("expired");
    tab.outbox.retry(key);
    await settled();
    expect(tab.posted).toEqual([key, key]);
  });
});

describe("clocks", () => {
  const stored = async (tried: number): Promise<Tab> => {
    const entry = { key: "k", topic: "t", name: "A", email: "a@b.c", content: "c", created: tried, tried };
    storage.setItem("chat.outbox.k", JSON.stringify(entry));
    const next = new Tab(storage, fairLock());
    await next.connect();
    return next;
  };

  test("an entry tried in the future has no known age: the person is asked", async () => {
    const next = await stored(1_000_000 + 2 * 86_400_000);
    expect(next.posted).toEqual([]);
    expect(next.entries[0]?.failed?.code).toBe("expired");
  });

  test("a difference between two servers is no question", async () => {
    const next = await stored(1_000_000 + 30_000);
    expect(next.posted).toEqual(["k"]);
  });

  test("one that was never tried is sent, however old it seems", async () => {
    await tab.disconnect();
    const key = await tab.write("a");
    tab.time += 3 * 86_400_000;
    await tab.connect();
    expect(tab.posted).toEqual([key]);
  });

  test("the clock goes by the server once it spoke, and never by the device's again", () => {
    let monotonic = 50;
    const clock = new ServerClock(() => monotonic, 1_000);
    monotonic += 10;
    expect(clock.now()).toBe(1_010);
    clock.set("2024-01-01T00:00:00.000Z");
    monotonic += 5;
    expect(clock.now()).toBe(Date.parse("2024-01-01T00:00:00.005Z"));
    clock.set("not a time");
    clock.set(undefined);
    expect(clock.now()).toBe(Date.parse("2024-01-01T00:00:00.005Z"));
  });
});

describe("a reload", () => {
  test("keeps what was not confirmed and sends it with its key", async () => {
    const key = await tab.write("a");
    await tab.disconnect();
    const next = new Tab(storage, lock);
    expect(next.entries.map((entry) => entry.key)).toEqual([key]);
    await next.connect();
    expect(next.posted).toEqual([key]);
  });

  test("sweeps what was confirmed", async () => {
    await tab.ack(await tab.write("a"));
    expect(new Tab(storage, lock).entries).toEqual([]);
    expect(storage.items.size).toBe(0);
  });

  test("ignores what is not an entry", () => {
    storage.setItem("chat.outbox.x", "{");
    storage.setItem("chat.outbox.y", '{"key":"y"}');
    storage.setItem("chat.outbox.z", "null");
    expect(new Tab(storage, lock).entries).toEqual([]);
  });
});

describe("two tabs", () => {
  test("send each message once, whoever wrote it", async () => {
    const other = new Tab(storage, lock);
    await other.connect();
    const a = await tab.write("a");
    other.outbox.onStorage(`chat.outbox.${a}`);
    await settled();
    const b = await other.write("b");
    tab.outbox.onStorage(`chat.outbox.${b}`);
    await settled();
    expect([...tab.posted, ...other.posted]).toEqual([a]);
    await tab.ack(a);
    other.outbox.onStorage(`chat.outbox.${a}`);
    await settled();
    for (const t of [tab, other]) if (t.posted.includes(b)) await t.ack(b);
    tab.outbox.onStorage(`chat.outbox.${b}`);
    await settled();
    expect([...tab.posted, ...other.posted].sort()).toEqual([a, b].sort());
    expect(tab.entries.every(({ sent }) => sent)).toBe(true);
  });

  test("one offline: the other sends for it", async () => {
    const other = new Tab(storage, lock);
    await other.connect();
    await tab.disconnect();
    const key = await tab.write("a");
    other.outbox.onStorage(`chat.outbox.${key}`);
    await settled();
    expect(other.posted).toEqual([key]);
  });

  test("a confirmation by one settles the flight of the other", async () => {
    const key = await tab.write("a");
    const stored = JSON.parse(storage.getItem(`chat.outbox.${key}`) ?? "") as Entry;
    storage.setItem(`chat.outbox.${key}`, JSON.stringify({ ...stored, sent: { id: "1", time: "t" } }));
    tab.outbox.onStorage(`chat.outbox.${key}`);
    await settled();
    const next = await tab.write("b");
    expect(tab.posted).toEqual([key, next]);
  });
});

describe("storage that fails", () => {
  test.each([["full", true], ["missing", false]])("%s: entries live in memory", async (_, full) => {
    storage.full = true;
    const poor = new Tab(full ? storage : undefined, fairLock());
    await poor.connect();
    const key = await poor.write("a");
    expect(poor.posted).toEqual([key]);
    await poor.ack(key);
    expect(poor.entries[0]?.sent).toBeDefined();
  });

  test("filled up after the entry was written: one post, and its end is remembered", async () => {
    await tab.disconnect();
    const [a, b, c] = [await tab.write("a"), await tab.write("b"), await tab.write("c")];
    storage.full = true;
    await tab.connect();
    await tab.refuse(a, "bad_message");
    await tab.ack(b);
    await tab.ack(c);
    tab.outbox.onStorage("chat.outbox.other");
    await settled();
    expect(tab.posted).toEqual([a, b, c]);
    expect(tab.entries.map(({ failed, sent }) => [failed?.code, sent?.id])).toEqual([
      ["bad_message", undefined],
      [undefined, `id-${b}`],
      [undefined, `id-${c}`],
    ]);
    // A reload knows nothing of the refusal, and tries once.
    const next = new Tab(storage, fairLock());
    await next.connect();
    expect(next.posted).toEqual([a]);
  });

  test("cleared under the page: what was not sent is written again", async () => {
    await tab.disconnect();
    const key = await tab.write("a");
    storage.items.clear();
    tab.outbox.onStorage(null);
    expect(tab.entries.map((entry) => entry.key)).toEqual([key]);
    expect(storage.items.size).toBe(1);
  });
});

describe("webLock", () => {
  /** Locks and beats as browsers have them, in one place for all tabs. */
  class Browser {
    readonly #held = new Map<string, { reject(error: unknown): void; over: Promise<unknown> }>();
    readonly #listeners = new Set<() => void>();

    beats(hanging: () => boolean = () => false): Beats {
      return {
        // As over a channel: others hear it a moment later.
        beat: () => hanging() || setTimeout(() => this.#listeners.forEach((heard) => heard()), 5),
        listen: (heard) => {
          this.#listeners.add(heard);
          return () => this.#listeners.delete(heard);
        },
      };
    }

    readonly request = async (name: string, options: LockOptions, work: () => Promise<void>): Promise<void> => {
      if (options.steal) this.#held.get(name)?.reject(new DOMException("stolen", "AbortError"));
      else {
        for (let held; (held = this.#held.get(name)); ) {
          const aborted = new Promise((_, reject) =>
            options.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))),
          );
          await Promise.race([held.over, aborted]);
        }
      }
      let held: { reject(error: unknown): void; over: Promise<unknown> } | undefined;
      const over = new Promise<void>((resolve, reject) => {
        work().then(resolve, reject);
        held = { reject, over: Promise.resolve() };
      });
      const end = (): unknown => this.#held.get(name) === held && this.#held.delete(name);
      if (held) this.#held.set(name, Object.assign(held, { over: over.then(end, end) }));
      await over;
    };

    lock(hanging?: () => boolean): Lock {
      return webLock({ request: this.request as LockManager["request"] }, this.beats(hanging));
    }
  }

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("a tab that works is waited for, however long it takes", async () => {
    const browser = new Browser();
    const order: string[] = [];
    let end = (): void => undefined;
    const one = browser.lock()(() => new Promise((resolve) => (end = resolve)));
    const two = browser.lock()(async () => void order.push("two"));
    await vi.advanceTimersByTimeAsync(10 * HUNG_MS);
    expect(order).toEqual([]);
    end();
    await Promise.all([one, two]);
    expect(order).toEqual(["two"]);
  });

  test("a tab that hangs loses it after about 10 s, and is told when it wakes", async () => {
    const browser = new Browser();
    let end = (): void => undefined;
    let told: AbortSignal | undefined;
    const one = browser.lock(() => true)((signal) => {
      told = signal;
      return new Promise((resolve) => (end = resolve));
    });
    let ran = false;
    const two = browser.lock()(async () => void (ran = true));
    await vi.advanceTimersByTimeAsync(HUNG_MS - 1);
    expect([ran, told?.aborted]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1_502);
    expect([ran, told?.aborted]).toEqual([true, true]);
    end();
    await Promise.all([one, two]);
  });

  test("two lose patience in one instant: one takes it, the other waits for that one", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const browser = new Browser();
    let wake = (): void => undefined;
    const hung = browser.lock(() => true)(() => new Promise((resolve) => (wake = resolve)));
    const order: string[] = [];
    const ends: (() => void)[] = [];
    let signal: AbortSignal | undefined;
    const tab = (name: string): Promise<void> =>
      browser.lock()((lost) => {
        order.push(name);
        signal ??= lost;
        return new Promise((resolve) => ends.push(resolve));
      });
    const both = [tab("one"), tab("two")];
    await vi.advanceTimersByTimeAsync(5 * HUNG_MS);
    expect(order).toHaveLength(1);
    expect(signal?.aborted).toBe(false);
    ends[0]?.();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(order).toHaveLength(2);
    ends[1]?.();
    wake();
    await Promise.all([hung, ...both]);
    vi.restoreAllMocks();
  });

  test("what fails in the work is not hidden", async () => {
    await expect(new Browser().lock()(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  });
});

describe("leaseLock, where the browser has no locks", () => {
  test("one holder at a time; a dead holder's lease runs out", async () => {
    const now = (): number => Date.now();
    const shared = new FakeStorage();
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    shared.setItem("chat.sender", JSON.stringify({ tab: "dead", until: now() + 60 }));
    await Promise.all(["a", "b", "c"].map((name) => leaseLock(shared, name, now)(work)));
    expect(most).toBe(1);
    expect(shared.items.size).toBe(0);
  });

  test("two tabs that write in one instant: the last one holds it", async () => {
    // As browsers do it: a tab sees its own write at once, and everybody's a little later, in one order.
    const views = [new FakeStorage(), new FakeStorage()];
    const deliver = (write: (view: FakeStorage) => void): void => void setTimeout(() => views.forEach(write), 8);
    const lagging = (own: FakeStorage): StorageLike => ({
      get length() {
        return own.length;
      },
      key: (i) => own.key(i),
      getItem: (name) => own.getItem(name),
      setItem(name, value) {
        own.setItem(name, value);
        deliver((view) => view.setItem(name, value));
      },
      removeItem(name) {
        own.removeItem(name);
        deliver((view) => view.removeItem(name));
      },
    });
    let inside = 0;
    let most = 0;
    let done = 0;
    await Promise.all(
      views.map((view, i) =>
        leaseLock(lagging(view), `tab-${i}`, () => Date.now())(async () => {
          most = Math.max(most, ++inside);
          await new Promise((resolve) => setTimeout(resolve, 40));
          inside--;
          done++;
        }),
      ),
    );
    expect([most, done]).toEqual([1, 2]);
  });

  test("a lease from a clock ahead of ours is no lease", async () => {
    const shared = new FakeStorage();
    shared.setItem("chat.sender", JSON.stringify({ tab: "x", until: Date.now() + 100 * LEASE_MS }));
    let ran = false;
    await leaseLock(shared, "a", () => Date.now())(async () => {
      ran = true;
    });
    expect(ran).toBe(true);
  });
});
