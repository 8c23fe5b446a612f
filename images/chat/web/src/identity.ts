/** Who writes here: name and email, the same in every tab of this browser. */

import { computed, signal, type ReadonlySignal } from "./signals.ts";
import type { Saved } from "./saved.ts";
import { session } from "./session.ts";

export interface Identity {
  /** "" until a person gave it. */
  readonly name: ReadonlySignal<string>;
  readonly email: ReadonlySignal<string>;
  set(name: string, email: string): void;
}

export function openIdentity(saved: Saved): Identity {
  // An account has both already; a new name comes with the session.
  if (session.value) {
    return { name: computed(() => session.value?.name ?? ""), email: signal(session.value.email), set: () => undefined };
  }
  const name = signal(saved.get("name"));
  const email = signal(saved.get("email"));
  saved.watch("name", (value) => (name.value = value));
  saved.watch("email", (value) => (email.value = value));
  return {
    name,
    email,
    set(newName, newEmail) {
      saved.set("name", (name.value = newName));
      saved.set("email", (email.value = newEmail));
    },
  };
}
