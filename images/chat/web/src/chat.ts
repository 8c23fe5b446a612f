/**
 * The rooms joined: frames from the connection go to the store, then to the outbox; intents of the
 * views go back as frames. Views see this and nothing behind it.
 */

import { signal, type ReadonlySignal } from "./signals.ts";
import { watchAbsence } from "./absence.ts";
import { ServerClock } from "./clock.ts";
import { History } from "./history.ts";
import { load } from "./lazy.ts";
import { EntryShelf, type Entry } from "./outbox/entry.ts";
import { Outbox, type Lock } from "./outbox/outbox.ts";
import type { ClientFrame, Room, ServerFrame } from "./protocol/frames.ts";
import type { Draft } from "./protocol/message.ts";
import type { ReadOnly } from "./readonly.ts";
import { isRoom, rooms } from "./rooms.ts";
import { renamed, scopeOf, session } from "./session.ts";
import { Connection, type ConnectionState, type SocketLike, type World } from "./socket/connection.ts";
import { viewList } from "./store/select.ts";
import { ALL, type State } from "./store/state.ts";
import { createStore } from "./store/store.ts";
import { topicList } from "./topics.ts";

export interface Chat {
  readonly state: ReadonlySignal<State>;
  readonly connection: ReadonlySignal<ConnectionState>;
  /** Why there is no socket though the server answers: messages are read by HTTP, none are sent. */
  readonly blocked: ReadonlySignal<string | undefined>;
  /** Was the server's list of topics asked for, once? Until then nobody knows their order. */
  readonly listed: ReadonlySignal<boolean>;
  /** What the server that is connected can beyond the chat itself. */
  readonly features: ReadonlySignal<ReadonlySet<string>>;
  send(draft: Omit<Draft, "key">): void;
  /** Tries an entry that failed or waits again, now, with its key. */
  retry(key: string): void;
  /** Takes an entry that was not confirmed out of the outbox and returns it. */
  takeBack(key: string): Entry | undefined;
  /** Asks for messages older than those the view shows. True: an answer is awaited. */
  loadOlder(view: string): boolean;
  /** Asks again for what was refused for good. */
  askAgain(view: string): void;
  /**
   * Forgets the oldest messages when there are too many; history has them. Later for one who reads
   * further up than for one who follows the newest.
   */
  trim(view: string, following: boolean): void;
  reconnectNow(): void;
  /** Sends a frame of the conversation. False: not connected, nothing was sent. */
  say(frame: ClientFrame): boolean;
  /** Every frame passes the listener, once the store has it. */
  hear(listener: (frame: ServerFrame) => void): void;
  /** What is known here before the server tells everybody. */
  tell(frame: ServerFrame): void;
}

/** How many messages one request for history brings. */
const HISTORY_LIMIT = 100;
/** Messages held before the oldest are forgotten, by one who follows the newest and by one who does not. */
const MAX_HELD = 3_000;
const MAX_HELD_READING = 20_000;
/** How many are left then; with half as many of the topic on the screen, not above MAX_HELD. */
const KEEP = 2_000;
/**
 * After so many sockets in a row that were never welcomed, messages are read without one: soon when
 * there never was one, and not in an outage of a moment, which thousands have at once.
 */
const BLOCKED_AFTER = 2;
const BLOCKED_AFTER_OPEN = 6;

export function openChat(storage: Storage | undefined): Chat {
  const store = createStore();
  const clock = new ServerClock(() => performance.now(), Date.now());
  const connectionState = signal<ConnectionState>({ phase: "connecting" });
  const blocked = signal<string | undefined>(undefined);
  const features = signal<ReadonlySet<string>>(new Set());
  const listed = signal(false);
  const who = session.value;
  const askTopics = topicList(
    (topics) => {
      store.enqueue({ type: "topics", topics });
      store.flush();
    },
    () => void (listed.value = true),
  );

  /** Rooms that are gone take what was said in them along; new ones have a past to be asked for. */
  function setRooms(list: readonly Room[]): void {
    const before = rooms.value;
    rooms.value = new Map(list.map((room) => [room.room, room]));
    outbox.refuse((topic) => isRoom(topic) && rooms.value?.has(topic) !== true, "You are not in this room any more.");
    if (!before) return;
    const left = new Set([...before.keys()].filter((room) => !rooms.value?.has(room)));
    if (left.size > 0) {
      store.enqueue({ type: "left", rooms: left });
      store.flush();
    }
    if (list.some(({ room }) => !before.has(room))) connection.restart();
  }

  const onFrame = (frame: ServerFrame): void => {
    if (frame.type === "welcome") {
      clock.set(frame.time);
      features.value = new Set(frame.features);
      if (frame.you) renamed(storage, frame.you.name);
      askTopics();
    }
    if (frame.type === "rooms") setRooms(frame.rooms);
    store.enqueue({ type: "frame", frame });
    outbox.onFrame(frame);
    // The store must know of an answer before the next question is made from it.
    if (frame.type === "history" || (frame.type === "error" && frame.ref !== undefined)) store.flush();
    history.onFrame(frame);
    for (const hear of listeners) hear(frame);
  };
  const listeners: ((frame: ServerFrame) => void)[] = [];

  const connection = new Connection(socketUrl(), browserWorld, {
    onFrame,
    onState(state) {
      const wasOpen = connectionState.value.phase === "open";
      connectionState.value = state;
      if (state.phase === "open") stopReading();
      else if (wasOpen) {
        history.reset();
        store.enqueue({ type: "disconnected" });
      }
      outbox.setConnected(state.phase === "open");
    },
    onLost: (keys, closeCode) => outbox.onLost(keys, closeCode),
    onFailed(attempts) {
      if (attempts >= (store.state.value.epoch === 0 ? BLOCKED_AFTER : BLOCKED_AFTER_OPEN)) void readOnly();
    },
  }, who?.token);

  const outbox = new Outbox({
    shelf: new EntryShelf(storage, scopeOf(who)),
    lock: lateLock(storage),
    post: (draft) => connection.post(draft),
    suspect: () => connection.renew(),
    onChange: (entries) => store.enqueue({ type: "outbox", entries }),
    ...browserWorld,
    now: () => clock.now(),
  });

  let reader: ReadOnly | undefined;
  async function readOnly(): Promise<void> {
    const part = await load(() => import("./readonly.ts")).catch(() => undefined);
    if (!part || connectionState.value.phase === "open" || reader) return;
    const { ReadOnly } = part;
    reader = new ReadOnly(
      (page) => store.enqueue({ type: "latest", ...page }),
      onFrame,
      (cause) => (blocked.value = cause),
    );
    await reader.start();
  }
  function stopReading(): void {
    reader?.stop();
    reader = undefined;
    blocked.value = undefined;
  }

  const history = new History({
    next(view) {
      const state = store.state.value;
      const { messages, more } = viewList(state, view);
      if (!more || state.refusals.get(view)?.forGood) return undefined;
      const before = messages[0]?.id;
      return { limit: HISTORY_LIMIT, ...(view !== ALL && { topic: view }), ...(before !== undefined && { before }) };
    },
    send(request, view) {
      const sent = connection.history(request);
      if (!sent && !reader) return false;
      store.enqueue({ type: "asked", ref: request.ref, view });
      store.flush();
      if (!sent) void reader?.history(request);
      return true;
    },
    onSilence: (ref) => {
      store.enqueue({ type: "frame", frame: { type: "error", code: "unavailable", message: "no answer", ref } });
    },
    ...browserWorld,
  });

  addEventListener("storage", (event) => outbox.onStorage(event.key));
  watchAbsence(connection);
  outbox.start();
  connection.start();

  return {
    state: store.state,
    connection: connectionState,
    blocked,
    listed,
    features,
    send: (draft) => void outbox.add({ ...draft, ...(who && { account: who.account }) }),
    retry(key) {
      if (connectionState.value.phase !== "open") connection.reconnectNow();
      outbox.retry(key);
    },
    takeBack: (key) => outbox.takeBack(key),
    loadOlder: (view) => history.ask(view),
    askAgain(view) {
      history.reset();
      store.enqueue({ type: "forgive", view });
    },
    trim(view, following) {
      const limit = following ? MAX_HELD : MAX_HELD_READING;
      if (store.state.value.messages.length > limit) store.enqueue({ type: "trim", keep: KEEP, view });
    },
    reconnectNow: () => connection.reconnectNow(),
    say: (frame) => connection.say(frame),
    hear: (listener) => void listeners.push(listener),
    tell: (frame) => store.enqueue({ type: "frame", frame }),
  };
}

/** No storage, no other tab to share with. */
const noLock: Lock = (work) => work(new AbortController().signal);

/** Loaded with the first message that goes out, at the latest. Where it cannot be had, the log still takes each key once. */
function lateLock(storage: Storage | undefined): Lock {
  if (!storage) return noLock;
  let lock: Promise<Lock> | undefined;
  return async (work) => {
    lock ??= load(() => import("./outbox/lock.ts")).then(
      (part) => part.chooseLock(storage),
      () => noLock,
    );
    return (await lock)(work);
  };
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
