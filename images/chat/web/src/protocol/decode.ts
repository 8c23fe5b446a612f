/** From text to frame. Pure; never throws; trusts nothing that came over the network. */

import type { ServerFrame } from "./frames.ts";
import type { Message } from "./message.ts";

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
      ...(str(f["time"]) && { time: f["time"] as string }),
      ...(Array.isArray(features) && { features: features.filter(str) }),
    };
  },
  messages(f) {
    const messages = readMessages(f["messages"]);
    if (!messages) return undefined;
    return { type: "messages", messages, ...(str(f["cursor"]) && { cursor: f["cursor"] as string }) };
  },
  ack(f) {
    if (!str(f["key"]) || !str(f["id"]) || !str(f["time"])) return undefined;
    return { type: "ack", key: f["key"] as string, id: f["id"] as string, time: f["time"] as string };
  },
  history(f) {
    const messages = readMessages(f["messages"]);
    if (!messages || !str(f["ref"]) || typeof f["more"] !== "boolean") return undefined;
    return { type: "history", ref: f["ref"] as string, messages, more: f["more"] };
  },
  presence(f) {
    if (!count(f["online"])) return undefined;
    return {
      type: "presence",
      online: f["online"] as number,
      ...(count(f["guests"]) && { guests: f["guests"] as number }),
      ...(count(f["users"]) && { users: f["users"] as number }),
      ...(str(f["cursor"]) && { cursor: f["cursor"] as string }),
    };
  },
  error(f) {
    if (!str(f["code"]) || !str(f["message"])) return undefined;
    return {
      type: "error",
      code: f["code"] as string,
      message: f["message"] as string,
      ...(str(f["key"]) && { key: f["key"] as string }),
      ...(str(f["ref"]) && { ref: f["ref"] as string }),
      ...(count(f["retry_after_ms"]) && { retry_after_ms: f["retry_after_ms"] as number }),
    };
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
  if (!Array.isArray(value)) return undefined;
  const messages: Message[] = [];
  for (const item of value) {
    const message = readMessage(item);
    if (!message) return undefined;
    messages.push(message);
  }
  return messages;
}

function readMessage(value: unknown): Message | undefined {
  if (!isFields(value)) return undefined;
  const { id, key, topic, name, email, time, content } = value;
  if (!str(id) || !str(key) || !str(topic) || !str(name) || !str(email) || !str(time) || !str(content)) {
    return undefined;
  }
  if (id === "" || Number.isNaN(Date.parse(time))) return undefined;
  return { id, key, topic, name, email, time, content };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function str(value: unknown): value is string {
  return typeof value === "string";
}

function count(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function bad(reason: string): Decoded {
  return { kind: "bad", reason };
}
