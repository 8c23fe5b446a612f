/**
 * Values that are followed: a component, or an effect, that reads `.value` runs again when it
 * changes. As much of signals as this page needs, in a fifth of the weight of the library.
 */

import { options, type Component, type VNode } from "preact";

export interface ReadonlySignal<T> {
  readonly value: T;
}

/** What reads signals: it is told when one of them changed, and reads anew. */
interface Reader {
  readonly sources: Set<Signal<unknown>>;
  changed(): void;
}

let reader: Reader | undefined;

export class Signal<T> implements ReadonlySignal<T> {
  readonly readers = new Set<Reader>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    if (reader) {
      this.readers.add(reader);
      reader.sources.add(this);
    }
    return this.#value;
  }

  set value(value: T) {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const each of [...this.readers]) each.changed();
  }
}

export function signal<T>(value: T): Signal<T> {
  return new Signal(value);
}

/** Runs now, and again at once whenever something that it read changed. Returns what ends that. */
export function effect(run: () => void): () => void {
  const own: Reader = {
    sources: new Set(),
    changed() {
      forget(own);
      reading(own, run);
    },
  };
  own.changed();
  return () => forget(own);
}

/** A value made from others. It follows them for as long as the page lives. */
export function computed<T>(make: () => T): ReadonlySignal<T> {
  const made = untracked(() => new Signal<T>(make()));
  effect(() => (made.value = make()));
  return made;
}

/** Reads without following. */
export function untracked<T>(read: () => T): T {
  return reading(undefined, read);
}

function reading<T>(next: Reader | undefined, run: () => T): T {
  const before = reader;
  reader = next;
  try {
    return run();
  } finally {
    reader = before;
  }
}

function forget(gone: Reader): void {
  for (const source of gone.sources) source.readers.delete(gone);
  gone.sources.clear();
}

/** Preact's hooks into rendering, as its own add-ons use them: names as in its builds. */
interface Hooks {
  /** Before a component renders. */
  __r?: (vnode: Vnode) => void;
  diffed?: (vnode: Vnode) => void;
  unmount?: (vnode: Vnode) => void;
}
type Vnode = VNode & { readonly __c?: Component };

const hooks = options as Hooks;
const readers = new WeakMap<Component, Reader>();

function readerOf(component: Component): Reader {
  let own = readers.get(component);
  if (!own) {
    own = { sources: new Set(), changed: () => component.setState({}) };
    readers.set(component, own);
  }
  return own;
}

function before(name: keyof Hooks, run: (vnode: Vnode) => void): void {
  const next = hooks[name];
  hooks[name] = (vnode) => {
    run(vnode);
    next?.(vnode);
  };
}

before("__r", ({ __c: component }) => {
  reader = component && readerOf(component);
  if (reader) forget(reader);
});
// What a component reads after rendering, in effects say, it does not follow.
before("diffed", () => (reader = undefined));
before("unmount", ({ __c: component }) => {
  const own = component && readers.get(component);
  if (own) forget(own);
});
