/** Which view the address names: `#/` is every topic, `#/general` is one. */

import { signal, type ReadonlySignal } from "./signals.ts";
import { topicOf } from "./protocol/text.ts";
import { ALL } from "./store/state.ts";

/** The view of an address that names no topic there can be. No topic has this name. */
export const NOWHERE = "\0";

export function linkTo(view: string): string {
  return view === ALL ? "#/" : `#/${encodeURIComponent(view)}`;
}

export function viewOf(hash: string): string {
  try {
    const text = decodeURIComponent(hash.replace(/^#\/?/u, ""));
    return text === "" ? ALL : (topicOf(text) ?? NOWHERE);
  } catch {
    return NOWHERE;
  }
}

/** The view of the address, kept current through links, back, forward and editing by hand. */
export function routeSignal(): ReadonlySignal<string> {
  const view = signal(viewOf(location.hash));
  addEventListener("hashchange", () => (view.value = viewOf(location.hash)));
  return view;
}

export function goTo(view: string): void {
  location.hash = linkTo(view);
}
