/** Who writes here: name and email, the same in every tab of this browser. */

import { signal, type ReadonlySignal } from "./signals.ts";
import type { Saved } from "./saved.ts";

export interface Identity {
  /** "" until a person gave it. */
  readonly name: ReadonlySignal<string>;
  readonly email: ReadonlySignal<string>;
  set(name: string, email: string): void;
}

export function openIdentity(saved: Saved): Identity {
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
