/**
 * The store: state × action → state. Pure. Frames of several sockets, of live flow, resume, history
 * and acks may come in any order and repeat: what is held is the same sorted list.
 */

import type { Entry } from "../outbox/entry.ts";
import { worthRetry, type Numbers, type ServerFrame } from "../protocol/frames.ts";
import { compareMerged, type Message } from "../protocol/message.ts";
import { merge, renew } from "./merge.ts";
import { viewList } from "./select.ts";
import { ALL, MAX_FLEETING, MAX_TOPICS, type Range, type State } from "./state.ts";

export type Action =
  | { readonly type: "frame"; readonly frame: ServerFrame }
  | { readonly type: "asked"; readonly ref: string; readonly view: string }
  /** The latest messages, read without a socket; what was missed before them is not known. */
  | { readonly type: "latest"; readonly messages: readonly Message[]; readonly more: boolean }
  /** A person asks for another try. */
  | { readonly type: "forgive"; readonly view: string }
  /** Answers that were awaited will not come: their socket is gone. */
  | { readonly type: "disconnected" }
  | { readonly type: "outbox"; readonly entries: readonly Entry[] }
  /** These rooms are there no more for who looks: nothing of them stays but what one wrote and did not send. */
  | { readonly type: "left"; readonly rooms: ReadonlySet<string> }
  /** What the server knows of topics: topic and time of its last message. */
  | { readonly type: "topics"; readonly topics: ReadonlyMap<string, string> }
  /** Forget all but the newest `keep`, and half as many of the topic that is on the screen. */
  | { readonly type: "trim"; readonly keep: number; readonly view: string };

/** All actions of one animation frame at once: the views render once. */
export function reduceAll(state: State, actions: readonly Action[]): State {
  const live: Message[] = [];
  for (const action of joinLive(actions)) {
    state = reduce(state, action);
    live.push(...state.live);
  }
  return { ...state, live };
}

/** Runs of `messages` frames as one: a burst costs one merge, not one for each frame. */
function joinLive(actions: readonly Action[]): readonly Action[] {
  const joined: Action[] = [];
  let run: Message[] = [];
  const endRun = (): void => {
    if (run.length > 0) joined.push({ type: "frame", frame: { type: "messages", messages: run } });
    run = [];
  };
  for (const action of actions) {
    if (action.type === "frame" && action.frame.type === "messages") {
      for (const message of action.frame.messages) run.push(message);
    } else {
      endRun();
      joined.push(action);
    }
  }
  endRun();
  return joined;
}

export function reduce(state: State, action: Action): State {
  const next = state.live.length > 0 ? { ...state, live: [] } : state;
  switch (action.type) {
    case "frame":
      return reduceFrame(next, action.frame);
    case "asked":
      return { ...next, requests: new Map(next.requests).set(action.ref, action.view) };
    case "latest":
      return continues(next, action.messages) ? add(next, action.messages) : restart(next, action);
    case "forgive":
      return { ...next, refusals: without(next.refusals, action.view) };
    case "disconnected":
      return next.requests.size === 0 ? next : { ...next, requests: new Map() };
    case "outbox":
      return reduceOutbox(next, action.entries);
    case "topics":
      return { ...next, topics: newest(new Map([...action.topics, ...next.topics])) };
    case "left":
      return leave(next, action.rooms);
    case "trim":
      return trim(next, action.keep, action.view);
  }
}

function reduceFrame(state: State, frame: ServerFrame): State {
  switch (frame.type) {
    case "welcome":
      return frame.recovered ? tell(state, frame.messages) : restart(state, frame);
    case "messages": {
      const next = add(state, frame.messages);
      return next.messages === state.messages ? next : { ...next, live: news(state, frame.messages) };
    }
    case "history": {
      const view = state.requests.get(frame.ref);
      const next = tell(state, frame.messages);
      if (view === undefined) return next;
      const ranges = new Map(next.ranges).set(view, widen(next.ranges.get(view), frame.messages, frame.more));
      return {
        ...next,
        requests: without(next.requests, frame.ref),
        refusals: without(next.refusals, view),
        ranges,
      };
    }
    case "ack": {
      const entry = state.pending.find(({ key }) => key === frame.key);
      const { id, time } = frame;
      return entry && id !== undefined && time !== undefined ? add(state, [messageOf(entry, { id, time })]) : state;
    }
    case "updates":
      return renumber(state, frame.updates);
    case "ephemeral":
      return {
        ...state,
        fleeting: [...state.fleeting, ...frame.messages].slice(-MAX_FLEETING),
        // Announced like any other; nothing that looks at these asks for an id.
        live: frame.messages.map((message) => ({ id: "", ...message })),
      };
    case "presence":
      return state.online === frame.online && state.guests === frame.guests && state.users === frame.users
        ? state
        : { ...state, online: frame.online, guests: frame.guests, users: frame.users };
    case "error": {
      const view = frame.ref === undefined ? undefined : state.requests.get(frame.ref);
      if (frame.ref === undefined || view === undefined) return state;
      const refusal = { code: frame.code, message: frame.message, forGood: !worthRetry(frame.code) };
      return {
        ...state,
        requests: without(state.requests, frame.ref),
        refusals: new Map(state.refusals).set(view, refusal),
      };
    }
    case "rooms":
    case "bye":
      return state;
  }
}

/** The log could not be resumed: what is held may have a gap before the newest, so start anew. */
function restart(state: State, latest: { readonly messages: readonly Message[]; readonly more: boolean }): State {
  const range: Range = { floor: latest.more ? latest.messages[0] : undefined, more: latest.more };
  return add(
    { ...state, messages: [], ranges: new Map([[ALL, range]]), requests: new Map(), epoch: state.epoch + 1 },
    latest.messages,
  );
}

/** Do these follow what is held without a gap? They do when they begin with something held. */
function continues(state: State, latest: readonly Message[]): boolean {
  const first = latest[0];
  return first !== undefined && state.messages.some(({ id }) => id === first.id);
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  if (!map.has(key)) return map;
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

/** Merges messages in, settles the pending entries they confirm, learns their topics. */
function add(state: State, messages: readonly Message[]): State {
  const merged = merge(state.messages, messages);
  if (merged === state.messages) return state;
  let { pending } = state;
  if (pending.length > 0) {
    const keys = new Set(messages.map(({ key }) => key));
    if (pending.some(({ key }) => keys.has(key))) pending = pending.filter(({ key }) => !keys.has(key));
  }
  return { ...state, messages: merged, pending, topics: withTopics(state.topics, messages) };
}

/** Merges messages in that carry their numbers as they are now. */
function tell(state: State, messages: readonly Message[]): State {
  return renumber(add(state, messages), messages);
}

/** Numbers as they are now; of messages that are not held nothing is known. */
function renumber(state: State, told: readonly (Message | Numbers)[]): State {
  const messages = renew(state.messages, told);
  return messages === state.messages ? state : { ...state, messages };
}

/** Which of these the list did not hold, in order. */
function news(before: State, messages: readonly Message[]): readonly Message[] {
  const last = before.messages.at(-1);
  const maybeHeld = messages.filter((message) => last && compareMerged(message, last) <= 0);
  if (maybeHeld.length === 0) return messages;
  const held = new Set(before.messages.map(({ id }) => id));
  return messages.filter(({ id }) => !held.has(id));
}

function withTopics(
  topics: ReadonlyMap<string, string>,
  messages: readonly Message[],
): ReadonlyMap<string, string> {
  const next = new Map(topics);
  for (const { topic, time } of messages) if (time > (next.get(topic) ?? "")) next.set(topic, time);
  return newest(next);
}

/** The topics spoken in last, when there are too many to list. */
function newest(topics: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  if (topics.size <= 2 * MAX_TOPICS) return topics;
  const byTime = [...topics].sort(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0));
  return new Map(byTime.slice(0, MAX_TOPICS));
}

function reduceOutbox(state: State, entries: readonly Entry[]): State {
  const sent = entries.flatMap((entry) => (entry.sent ? [messageOf(entry, entry.sent)] : []));
  const next = add(state, sent);
  const keys = new Set(entries.map(({ key }) => key));
  // Rare and short: an entry may show up after its message did (another tab sent it).
  const held = new Set<string>();
  if (keys.size > 0) for (const { key } of next.messages) if (keys.has(key)) held.add(key);
  const pending = entries.filter((entry) => !entry.sent && !held.has(entry.key));
  return { ...next, pending };
}

/** The message that the log made of an entry. */
function messageOf(entry: Entry, { id, time }: { readonly id: string; readonly time: string }): Message {
  const { key, topic, name, email, content, reply_to, account } = entry;
  return {
    id,
    key,
    topic,
    name,
    email,
    time,
    content,
    ...(reply_to !== undefined && { reply_to }),
    ...(account !== undefined && { account, verified: true }),
  };
}

function leave(state: State, rooms: ReadonlySet<string>): State {
  const staying = ({ topic }: { readonly topic: string }): boolean => !rooms.has(topic);
  const rest = <V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> =>
    new Map([...map].filter(([topic]) => !rooms.has(topic)));
  return {
    ...state,
    messages: state.messages.filter(staying),
    topics: rest(state.topics),
    ranges: rest(state.ranges),
    refusals: rest(state.refusals),
    requests: new Map([...state.requests].filter(([, view]) => !rooms.has(view))),
    live: state.live.filter(staying),
    fleeting: state.fleeting.filter(staying),
  };
}

function widen(range: Range | undefined, messages: readonly Message[], more: boolean): Range {
  if (!more || range?.more === false) return { floor: undefined, more: false };
  const oldest = messages[0] ?? range?.floor;
  if (range?.floor && oldest && isBelow(range.floor, oldest)) return range;
  return { floor: oldest, more: true };
}

function isBelow(a: Pick<Message, "time" | "id">, b: Pick<Message, "time" | "id">): boolean {
  return compareMerged(a as Message, b as Message) < 0;
}

function trim(state: State, keep: number, view: string): State {
  if (state.messages.length <= keep) return state;
  const newest = state.messages.slice(-keep);
  const ranges = new Map<string, Range>([[ALL, { floor: newest[0], more: true }]]);
  let messages: readonly Message[] = newest;
  if (view !== ALL) {
    // A quiet topic on the screen does not lose its messages because others are loud.
    const { messages: shown, more } = viewList(state, view);
    const kept = shown.slice(-Math.floor(keep / 2));
    messages = merge(newest, kept);
    ranges.set(view, kept.length < shown.length || more ? { floor: kept[0], more: true } : { floor: undefined, more: false });
  }
  // Answers under way begin below the new floor, with a gap between: they count for no range.
  return { ...state, messages, requests: new Map(), ranges };
}
