/** The state as a signal, fed once per animation frame. */

import { signal, type ReadonlySignal } from "../signals.ts";
import { reduceAll, type Action } from "./reducer.ts";
import { INITIAL, type State } from "./state.ts";

export interface Store {
  readonly state: ReadonlySignal<State>;
  /** Queues an action; all queued ones are applied at once, in order, at the next flush. */
  enqueue(action: Action): void;
  /** Applies now what is queued. */
  flush(): void;
}

/** When queued actions are applied. */
export interface Pace {
  /** Runs `flush` once, soon: before the next picture, or by and by when nobody looks. */
  soon(flush: () => void): void;
  /** May an action that is queued behind others be applied at once? */
  overdue(sinceFlush: number): boolean;
  /** Ms, monotonic. */
  now(): number;
}

/** A hidden page has no animation frames, and its timers may come once a minute only. */
const HIDDEN_MS = 250;

export function createStore(pace: Pace = browserPace): Store {
  const state = signal<State>(INITIAL);
  let queue: Action[] = [];
  let flushed = -Infinity;
  const flush = (): void => {
    if (queue.length === 0) return;
    const actions = queue;
    queue = [];
    flushed = pace.now();
    state.value = reduceAll(state.value, actions);
  };
  return {
    state,
    flush,
    enqueue(action) {
      queue.push(action);
      if (pace.overdue(pace.now() - flushed)) flush();
      else if (queue.length === 1) pace.soon(flush);
    },
  };
}

const browserPace: Pace = {
  now: () => performance.now(),
  // So the title and notifications do not wait for a timer that is slowed down.
  overdue: (sinceFlush) => document.hidden && sinceFlush >= HIDDEN_MS,
  soon(flush) {
    let done = false;
    const once = (): void => {
      if (done) return;
      done = true;
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      flush();
    };
    const frame = requestAnimationFrame(once);
    const timer = setTimeout(once, HIDDEN_MS);
  },
};
