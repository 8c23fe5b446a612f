/** The state as a signal, fed once per animation frame. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { reduceAll, type Action } from "./reducer.ts";
import { INITIAL, type State } from "./state.ts";

export interface Store {
  readonly state: ReadonlySignal<State>;
  /** Queues an action for the next animation frame; all queued ones are applied at once, in order. */
  enqueue(action: Action): void;
  /** Applies now what is queued. */
  flush(): void;
}

/** Animation frames do not come to hidden or covered pages: then a timer, in ms. */
const HIDDEN_FLUSH_MS = 250;

/**
 * @param schedule runs the given function once soon; injected for tests
 */
export function createStore(schedule: (run: () => void) => void = nextFrame): Store {
  const state = signal<State>(INITIAL);
  let queue: Action[] = [];
  const flush = (): void => {
    if (queue.length === 0) return;
    const actions = queue;
    queue = [];
    state.value = reduceAll(state.value, actions);
  };
  return {
    state,
    flush,
    enqueue(action) {
      queue.push(action);
      if (queue.length === 1) schedule(flush);
    },
  };
}

function nextFrame(run: () => void): void {
  let done = false;
  const once = (): void => {
    if (done) return;
    done = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    run();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, HIDDEN_FLUSH_MS);
}
