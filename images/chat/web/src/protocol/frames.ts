/** Frames of the wire contract, version 1, as types. */

import type { Draft, Ephemeral, Message } from "./message.ts";

export type ErrorCode =
  | "bad_frame"
  | "bad_message"
  | "too_large"
  | "rate_limited"
  | "unavailable"
  | "unauthorised"
  | "not_found"
  | "internal";

/** Close codes with a meaning of their own; after every other one the client reconnects. */
export const CLOSE_NORMAL = 1000;
export const CLOSE_POLICY = 1008;
export const CLOSE_BAD_FRAMES = 4002;
/** Not signed in (any more): sign in, then connect. */
export const CLOSE_SIGNED_OUT = 4004;

export const SUBPROTOCOL = "chat.v1";

/** Client to server. */
export type ClientFrame =
  | { readonly type: "hello"; readonly token?: string; readonly topics?: readonly string[]; readonly cursor?: string; readonly limit?: number }
  | { readonly type: "subscribe"; readonly topics: readonly string[] }
  | ({ readonly type: "post"; readonly ephemeral?: true } & Draft)
  | {
      readonly type: "vote";
      readonly key: string;
      readonly id: string;
      readonly vote: number;
      readonly name?: string;
      readonly email?: string;
    }
  | {
      readonly type: "history";
      readonly ref: string;
      readonly topic?: string;
      readonly before?: string;
      readonly limit?: number;
      /** The direct replies to this message only. */
      readonly reply_to?: string;
      readonly filter?: string;
    };

export interface WelcomeFrame {
  readonly type: "welcome";
  readonly server: string;
  /** The server's clock, RFC 3339; servers before it was introduced leave it out. */
  readonly time?: string;
  /** What this server can beyond the chat itself: of "people", "rooms", "conversation", "archive". */
  readonly features?: readonly string[];
  /** Who is signed in, as the server has it. */
  readonly you?: Person;
  readonly cursor: string;
  /** True: this and the `messages` frames that follow hold all that was missed since the cursor. */
  readonly recovered: boolean;
  readonly messages: readonly Message[];
  /** Older history exists. */
  readonly more: boolean;
  /** False: more numbers changed since the cursor than are told; history has them. */
  readonly numbers?: boolean;
  /** Where a filtered page goes on, when it holds less than it could. */
  readonly before?: string;
}

export interface Person {
  readonly account: string;
  readonly email: string;
  readonly name: string;
}

/** A private room of mine. `room` is its topic. */
export interface Room {
  readonly room: string;
  readonly name: string;
  /** The account that made it, or was given it. */
  readonly creator: string;
  /** How many members. */
  readonly count: number;
}

/** All rooms of mine, after each `welcome` and when something in them changed. */
export interface RoomsFrame {
  readonly type: "rooms";
  readonly rooms: readonly Room[];
}

export interface MessagesFrame {
  readonly type: "messages";
  readonly messages: readonly Message[];
  readonly cursor?: string;
}

export interface AckFrame {
  readonly type: "ack";
  readonly key: string;
  /** Missing for a message that is not kept; the time for a vote. */
  readonly id?: string;
  readonly time?: string;
}

export interface HistoryFrame {
  readonly type: "history";
  readonly ref: string;
  readonly messages: readonly Message[];
  readonly more: boolean;
  /** Where a filtered page goes on, also when it holds nothing. */
  readonly before?: string;
}

/** The numbers of one message as they are. */
export interface Numbers {
  readonly id: string;
  readonly up: number;
  readonly down: number;
  readonly replies: number;
  readonly deleted?: boolean;
}

export interface UpdatesFrame {
  readonly type: "updates";
  readonly updates: readonly Numbers[];
  readonly cursor?: string;
}

export interface EphemeralFrame {
  readonly type: "ephemeral";
  readonly messages: readonly Ephemeral[];
}

export interface PresenceFrame {
  readonly type: "presence";
  readonly online: number;
  /** Connections of guests, and different accounts; older servers leave both out. */
  readonly guests?: number;
  readonly users?: number;
  readonly cursor?: string;
}

export interface ErrorFrame {
  readonly type: "error";
  readonly code: ErrorCode | (string & {});
  readonly message: string;
  readonly key?: string;
  readonly ref?: string;
  readonly retry_after_ms?: number;
  /** Where a filter can't be read (code point, from 1), and what could stand there. */
  readonly at?: number;
  readonly expected?: string;
}

export interface ByeFrame {
  readonly type: "bye";
  readonly reason: string;
  readonly reconnect_in_ms: number;
}

/** Server to client. */
export type ServerFrame =
  | WelcomeFrame
  | MessagesFrame
  | AckFrame
  | HistoryFrame
  | PresenceFrame
  | UpdatesFrame
  | EphemeralFrame
  | ErrorFrame
  | RoomsFrame
  | ByeFrame;

/** The codes after which the same key may be tried again without asking a person. */
export function worthRetry(code: string): boolean {
  return code === "rate_limited" || code === "unavailable" || code === "internal";
}
