/** Which view the address names: `#/` is every topic, `#/general` is one. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { ALL } from "./store/state.ts";

export function linkTo(view: string): string {
  return view === ALL ? "#/" : `#/${encodeURIComponent(view)}`;
}

export function viewOf(hash: string): string {
  try {
    return decodeURIComponent(hash.replace(/^#\/?/, "")).trim();
  } catch {
    return ALL;
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
