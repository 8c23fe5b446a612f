/** What happens to the stored things of a browser when another person comes to sit there. */

import { shelfPrefix } from "./outbox/entry.ts";
import { addressKey } from "./protocol/text.ts";
import { eraseScope, GUEST_SCOPE, keysIn, scopeOf, writeSession, type Session } from "./session.ts";

const DRAFT = "draft.";

/**
 * Signs in on this browser. The guest who did so takes along the drafts of this tab and what waits
 * under the same address; the guest's name and address are forgotten. False: nothing can be kept
 * here, and nothing was changed.
 */
export function takeOver(storage: Storage | undefined, tab: Storage | undefined, who: Session): boolean {
  if (!storage || !writeSession(storage, who)) return false;
  const scope = scopeOf(who);
  for (const key of keysIn(storage, shelfPrefix(GUEST_SCOPE))) {
    const entry = parse(storage.getItem(key));
    if (addressKey(String(entry?.["email"] ?? "")) !== addressKey(who.email)) continue;
    // The log never took it, or the address would not have an account; said anew, it is the account's.
    const { failed: _, ...rest } = { ...entry, name: who.name, email: who.email, account: who.account } as Record<string, unknown>;
    move(storage, key, shelfPrefix(scope) + key.slice(shelfPrefix(GUEST_SCOPE).length), JSON.stringify(rest));
  }
  for (const key of keysIn(tab, GUEST_SCOPE + DRAFT)) {
    move(tab, key, scope + key.slice(GUEST_SCOPE.length), tab?.getItem(key) ?? "");
  }
  for (const name of ["name", "email"]) storage.removeItem(GUEST_SCOPE + name);
  return true;
}

/** Signs out on this browser; what is stored for the account is erased, or kept for when it is back. */
export function forget(storage: Storage | undefined, tab: Storage | undefined, who: Session, erase: boolean): void {
  writeSession(storage, undefined);
  if (!erase) return;
  eraseScope(storage, scopeOf(who));
  eraseScope(tab, scopeOf(who));
}

function move(storage: Storage | undefined, from: string, to: string, value: string): void {
  try {
    storage?.setItem(to, value);
    storage?.removeItem(from);
  } catch {
    // Full: it stays where it is.
  }
}

function parse(text: string | null): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text ?? "") as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
