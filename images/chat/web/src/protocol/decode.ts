/** From text to frame. Pure; never throws; trusts nothing that came over the network. */

import type { Numbers, Person, Room, ServerFrame } from "./frames.ts";
import type { Ephemeral, Message } from "./message.ts";

/** What became of a text: a frame, a frame of a later version to ignore, or a broken one. */
export type Decoded =
  | { readonly kind: "frame"; readonly frame: ServerFrame }
  | { readonly kind: "unknown"; readonly type: string }
  | { readonly kind: "bad"; readonly reason: string };

type Fields = Readonly<Record<string, unknown>>;

export function decode(text: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad("not JSON");
  }
  if (!isFields(value)) return bad("not a JSON object");
  const { type } = value;
  if (typeof type !== "string") return bad("no type");
  if (!Object.hasOwn(readers, type)) return { kind: "unknown", type };
  const frame = readers[type as ServerFrame["type"]](value);
  return frame ? { kind: "frame", frame } : bad(`malformed ${type}`);
}

const readers: { readonly [T in ServerFrame["type"]]: (f: Fields) => ServerFrame | undefined } = {
  welcome(f) {
    const messages = readMessages(f["messages"]);
    if (!str(f["server"]) || !str(f["cursor"]) || !messages) return undefined;
    if (typeof f["recovered"] !== "boolean" || typeof f["more"] !== "boolean") return undefined;
    const { server, cursor, recovered, more } = f as { server: string; cursor: string; recovered: boolean; more: boolean };
    const features = f["features"];
    return {
      type: "welcome",
      server,
      cursor,
      recovered,
      messages,
      more,
      ...picked(f, str, "time", "before"),
      ...picked(f, flag, "numbers"),
      ...(Array.isArray(features) && { features: features.filter(str) }),
      ...(isPerson(f["you"]) && { you: f["you"] }),
    };
  },
  messages(f) {
    const messages = readMessages(f["messages"]);
    if (!messages) return undefined;
    return { type: "messages", messages, ...picked(f, str, "cursor") };
  },
  ack(f) {
    if (!str(f["key"]) || (!str(f["id"]) && !str(f["time"]))) return undefined;
    return { type: "ack", key: f["key"], ...picked(f, str, "id", "time") };
  },
  history(f) {
    const messages = readMessages(f["messages"]);
    if (!messages || !str(f["ref"]) || typeof f["more"] !== "boolean") return undefined;
    return { type: "history", ref: f["ref"] as string, messages, more: f["more"], ...picked(f, str, "before") };
  },
  presence(f) {
    if (!count(f["online"])) return undefined;
    return {
      type: "presence",
      online: f["online"] as number,
      ...picked(f, count, "guests", "users"),
      ...picked(f, str, "cursor"),
    };
  },
  updates(f) {
    const updates = all(f["updates"], readNumbers);
    return updates && { type: "updates", updates, ...picked(f, str, "cursor") };
  },
  ephemeral(f) {
    const messages = all(f["messages"], readSaid);
    return messages && { type: "ephemeral", messages };
  },
  error(f) {
    if (!str(f["code"]) || !str(f["message"])) return undefined;
    return {
      type: "error",
      code: f["code"] as string,
      message: f["message"] as string,
      ...picked(f, str, "key", "ref", "expected"),
      ...picked(f, count, "retry_after_ms", "at"),
    };
  },
  rooms(f) {
    const { rooms } = f;
    return Array.isArray(rooms) && rooms.every(isRoom) ? { type: "rooms", rooms } : undefined;
  },
  bye(f) {
    if (!str(f["reason"]) || !count(f["reconnect_in_ms"])) return undefined;
    return { type: "bye", reason: f["reason"] as string, reconnect_in_ms: f["reconnect_in_ms"] as number };
  },
};

/**
 * The messages of a frame; undefined when one of them is malformed: a frame is taken whole or not
 * at all, since dropping one message of it would be a silent gap.
 */
export function readMessages(value: unknown): readonly Message[] | undefined {
  return all(value, readMessage);
}

function all<T>(value: unknown, read: (item: Fields) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const found: T[] = [];
  for (const item of value) {
    const one = isFields(item) ? read(item) : undefined;
    if (one === undefined) return undefined;
    found.push(one);
  }
  return found;
}

function readMessage(f: Fields): Message | undefined {
  const { id } = f;
  const said = readSaid(f);
  if (!said || !str(id) || id === "") return undefined;
  return {
    id,
    ...said,
    ...picked(f, str, "reply_to"),
    ...picked(f, count, "replies", "up", "down"),
    ...picked(f, flag, "deleted"),
    ...(f["vote"] === 1 || f["vote"] === -1 ? { vote: f["vote"] } : undefined),
  };
}

/** What every message has, kept or not. */
function readSaid(f: Fields): Ephemeral | undefined {
  const { key, topic, name, email, time, content } = f;
  if (!str(key) || !str(topic) || !str(name) || !str(email) || !str(time) || !str(content)) return undefined;
  if (Number.isNaN(Date.parse(time))) return undefined;
  return { key, topic, name, email, time, content, ...picked(f, str, "account"), ...picked(f, flag, "verified") };
}

function readNumbers(f: Fields): Numbers | undefined {
  const { id, up, down, replies } = f;
  if (!str(id) || !count(up) || !count(down) || !count(replies)) return undefined;
  return { id, up, down, replies, ...picked(f, flag, "deleted") };
}

/** Those of the named fields that are there and of this kind. */
function picked<T, K extends string>(f: Fields, is: (value: unknown) => value is T, ...names: readonly K[]): { [N in K]?: T } {
  const found: { [N in K]?: T } = {};
  for (const name of names) {
    const value = f[name];
    if (is(value)) found[name] = value;
  }
  return found;
}

/** What is used of them is looked at. */
function isPerson(value: unknown): value is Person {
  return isFields(value) && str(value["name"]);
}

function isRoom(value: unknown): value is Room {
  return isFields(value) && str(value["room"]) && str(value["name"]);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function str(value: unknown): value is string {
  return typeof value === "string";
}

function flag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function count(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function bad(reason: string): Decoded {
  return { kind: "bad", reason };
}
