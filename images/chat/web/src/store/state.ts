/** Everything the page knows, as one immutable value. */

import type { Entry } from "../outbox/entry.ts";
import type { Ephemeral, Message } from "../protocol/message.ts";

/** The view of every topic, merged. A topic's name is never empty, so this is none. */
export const ALL = "";

/** Where a view's unbroken stretch of messages, which ends at the newest, begins. */
export interface Range {
  /** The oldest message of the stretch; undefined: nothing older than what will come. */
  readonly floor: Pick<Message, "time" | "id"> | undefined;
  /** Older messages exist before the floor. */
  readonly more: boolean;
}

/** How many topics are kept at least, the newest, once there are twice as many. */
export const MAX_TOPICS = 200;

/** So many messages that are kept nowhere are held. */
export const MAX_FLEETING = 100;

export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** Not worth another try before a person asks for one. */
  readonly forGood: boolean;
}

export interface State {
  /** All messages held, by time, then id, without repeats. Some may lie below a view's floor. */
  readonly messages: readonly Message[];
  /** Ranges of ALL and of topics whose own history was loaded. */
  readonly ranges: ReadonlyMap<string, Range>;
  /** History asked for and not answered: ref to view. */
  readonly requests: ReadonlyMap<string, string>;
  /** Views whose history was refused: why, and whether that is for good. */
  readonly refusals: ReadonlyMap<string, Refusal>;
  /** Messages that are kept nowhere but here, the newest of them, as they came. */
  readonly fleeting: readonly Ephemeral[];
  /** Entries of the outbox that the log has not confirmed. */
  readonly pending: readonly Entry[];
  /** Topics known, and the time of the last message in each. */
  readonly topics: ReadonlyMap<string, string>;
  /** People connected; undefined until the server said. */
  readonly online: number | undefined;
  /** Connections of guests, and different accounts; undefined where the server does not tell them apart. */
  readonly guests: number | undefined;
  readonly users: number | undefined;
  /** Grows by one each time the list had to start anew (first welcome, or a gap too wide to mend). */
  readonly epoch: number;
  /** Messages that came by themselves (not history, not resume) in the last action: to be announced. */
  readonly live: readonly Message[];
}

export const INITIAL: State = {
  messages: [],
  ranges: new Map(),
  requests: new Map(),
  refusals: new Map(),
  fleeting: [],
  pending: [],
  topics: new Map(),
  online: undefined,
  guests: undefined,
  users: undefined,
  epoch: 0,
  live: [],
};
