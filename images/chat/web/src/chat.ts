/**
 * The rooms joined: frames from the connection go to the store, then to the outbox; intents of the
 * views go back as frames. Views see this and nothing behind it.
 */

import { signal, type ReadonlySignal } from "@preact/signals";
import { EntryShelf, type Entry } from "./outbox/entry.ts";
import { leaseLock, noLock, webLock, type Lock } from "./outbox/lock.ts";
import { Outbox } from "./outbox/outbox.ts";
import { newKey, type Draft } from "./protocol/message.ts";
import { Connection, type ConnectionState, type SocketLike, type World } from "./socket/connection.ts";
import { viewList } from "./store/select.ts";
import { ALL, type State } from "./store/state.ts";
import { createStore } from "./store/store.ts";

export interface Chat {
  readonly state: ReadonlySignal<State>;
  readonly connection: ReadonlySignal<ConnectionState>;
  send(draft: Omit<Draft, "key">): void;
  /** Tries a failed entry again, with its key. */
  retry(key: string): void;
  /** Takes a failed entry out of the outbox and returns it. */
  takeBack(key: string): Entry | undefined;
  /** Asks for messages older than those the view shows, once at a time. True: an answer is awaited. */
  loadOlder(view: string): boolean;
  /**
   * Forgets the oldest messages when there are too many; history has them. Later for one who reads
   * further up than for one who follows the newest.
   */
  trim(view: string, following: boolean): void;
  reconnectNow(): void;
}

/** How many messages one request for history brings. */
const HISTORY_LIMIT = 100;
/** Messages held before the oldest are forgotten, by one who follows the newest and by one who does not. */
const MAX_HELD = 3_000;
const MAX_HELD_READING = 20_000;
/** How many are left then; with half as many of the topic on the screen, not above MAX_HELD. */
const KEEP = 2_000;
/** Hidden for this long, the connection is renewed: it may have died unnoticed. Ms. */
const HIDDEN_MS = 60_000;
/** A timer this late means that the machine slept. Ms. */
const SLEPT_MS = 15_000;
const TICK_MS = 5_000;

export function openChat(storage: Storage | undefined): Chat {
  const store = createStore();
  const connectionState = signal<ConnectionState>({ phase: "connecting" });

  const connection = new Connection(socketUrl(), browserWorld, {
    onFrame(frame) {
      store.enqueue({ type: "frame", frame });
      if (frame.type === "welcome") void fetchTopics();
      outbox.onFrame(frame);
    },
    onState(state) {
      const wasOpen = connectionState.value.phase === "open";
      connectionState.value = state;
      if (wasOpen && state.phase !== "open") store.enqueue({ type: "disconnected" });
      outbox.setConnected(state.phase === "open");
    },
    onLost: (keys) => outbox.onLost(keys),
  });

  const outbox = new Outbox({
    shelf: new EntryShelf(storage),
    lock: chooseLock(storage),
    post: (draft) => connection.post(draft),
    suspect: () => connection.renew(),
    onChange: (entries) => store.enqueue({ type: "outbox", entries }),
    ...browserWorld,
    now: () => Date.now(),
  });

  async function fetchTopics(): Promise<void> {
    try {
      const response = await fetch("api/v1/topics");
      if (!response.ok) return;
      const body = (await response.json()) as { topics?: { topic?: unknown; last?: unknown }[] };
      const topics = new Map<string, string>();
      for (const { topic, last } of body.topics ?? []) {
        if (typeof topic === "string" && typeof last === "string") topics.set(topic, last);
      }
      store.enqueue({ type: "topics", topics });
    } catch {
      // Live messages and history name their topics too; the next welcome asks again.
    }
  }

  let refs = 0;
  const chat: Chat = {
    state: store.state,
    connection: connectionState,
    send: (draft) => void outbox.add(draft),
    retry: (key) => outbox.retry(key),
    takeBack: (key) => outbox.takeBack(key),
    loadOlder(view) {
      const state = store.state.value;
      if ([...state.requests.values()].includes(view)) return true;
      const { messages, more } = viewList(state, view);
      if (!more) return false;
      const ref = `${view === ALL ? "all" : "topic"}-${++refs}`;
      const before = messages[0]?.id;
      const sent = connection.history({
        ref,
        limit: HISTORY_LIMIT,
        ...(view !== ALL && { topic: view }),
        ...(before !== undefined && { before }),
      });
      if (!sent) return false;
      store.enqueue({ type: "asked", ref, view });
      store.flush();
      return true;
    },
    trim(view, following) {
      const limit = following ? MAX_HELD : MAX_HELD_READING;
      if (store.state.value.messages.length > limit) store.enqueue({ type: "trim", keep: KEEP, view });
    },
    reconnectNow: () => connection.reconnectNow(),
  };

  addEventListener("storage", (event) => outbox.onStorage(event.key));
  renewAfterAbsence(() => connection.renew());
  outbox.start();
  connection.start();
  return chat;
}

/** Calls `renew` after sleep, after a long time hidden, and when the network comes back. */
function renewAfterAbsence(renew: () => void): void {
  let hiddenAt: number | undefined;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hiddenAt = Date.now();
    } else if (hiddenAt !== undefined) {
      if (Date.now() - hiddenAt >= HIDDEN_MS) renew();
      hiddenAt = undefined;
    }
  });
  let tick = Date.now();
  setInterval(() => {
    const late = Date.now() - tick - TICK_MS;
    tick = Date.now();
    // Timers of hidden pages are slowed down: lateness means sleep only while visible.
    if (late >= SLEPT_MS && !document.hidden) renew();
  }, TICK_MS);
  addEventListener("online", renew);
  addEventListener("pageshow", (event) => {
    if (event.persisted) renew();
  });
}

function chooseLock(storage: Storage | undefined): Lock {
  if (!storage) return noLock;
  // Undefined over plain http, whatever the types say.
  const locks = navigator.locks as LockManager | undefined;
  return locks ? webLock(locks) : leaseLock(storage, newKey(), () => Date.now());
}

function socketUrl(): string {
  const url = new URL("ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}

const browserWorld: World = {
  dial: (url, subprotocol) => new WebSocket(url, subprotocol) as SocketLike,
  /** Monotonic: the clock of countdowns and silences. */
  now: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as number),
  random: Math.random,
};
