/**
 * Who is signed in on this browser, and how that is said to the server. Whatever belongs to a person
 * is stored under the account's own prefix, so nobody else's page reads it. When who is signed in
 * changes, every tab loads its page anew: nothing of one person stays in memory for the next.
 */

import { signal, untracked } from "./signals.ts";

export interface Session {
  /** The secret: sent in Authorization and in `hello`, and nowhere else. */
  readonly token: string;
  readonly account: string;
  readonly email: string;
  readonly name: string;
}

const KEY = "chat.session";
/** What was stored before there were accounts, and what belongs to guests and to the device. */
export const GUEST_SCOPE = "chat.";

/** Undefined: a guest. */
export const session = signal<Session | undefined>(undefined);

/** The prefix of everything stored for this person. */
export function scopeOf(who: Pick<Session, "account"> | undefined): string {
  return who ? `${GUEST_SCOPE}@${who.account}.` : GUEST_SCOPE;
}

/** Reads who is signed in, and loads the page anew when another tab changes that. */
export function openSession(storage: Storage | undefined, tab: Storage | undefined): Session | undefined {
  session.value = readSession(storage);
  addEventListener("storage", ({ key, storageArea }) => {
    if (storageArea !== storage || (key !== null && key !== KEY)) return;
    const now = readSession(storage);
    const before = session.value;
    if (now?.token === before?.token) {
      session.value = now;
      return;
    }
    if (before && now?.account !== before.account) eraseScope(tab, scopeOf(before));
    location.reload();
  });
  return session.value;
}

export function readSession(storage: Storage | undefined): Session | undefined {
  try {
    const value = JSON.parse(storage?.getItem(KEY) ?? "null") as Partial<Record<keyof Session, unknown>> | null;
    const texts = [value?.token, value?.account, value?.email, value?.name];
    return texts.every((text) => typeof text === "string" && text !== "") ? (value as Session) : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined: nobody. False: the storage does not keep it. */
export function writeSession(storage: Storage | undefined, who: Session | undefined): boolean {
  try {
    if (who) storage?.setItem(KEY, JSON.stringify(who));
    else storage?.removeItem(KEY);
  } catch {
    return false;
  }
  return readSession(storage)?.token === who?.token;
}

/** The server's word on who this is: the name may have been changed elsewhere. */
export function renamed(storage: Storage | undefined, name: string): void {
  const who = untracked(() => session.value);
  if (!who || who.name === name) return;
  session.value = { ...who, name };
  writeSession(storage, session.value);
}

/** Erases everything stored under a prefix. */
export function eraseScope(storage: Storage | undefined, scope: string): void {
  for (const key of keysIn(storage, scope)) storage?.removeItem(key);
}

export function keysIn(storage: Storage | undefined, scope: string): readonly string[] {
  const keys: string[] = [];
  for (let i = 0; i < (storage?.length ?? 0); i++) {
    const key = storage?.key(i);
    if (key?.startsWith(scope)) keys.push(key);
  }
  return keys;
}

/** A call of the server's API, by whoever is signed in. */
export function api(path: string, init?: RequestInit): Promise<Response> {
  const who = untracked(() => session.value);
  return fetch(`api/v1/${path}`, { ...init, headers: { ...init?.headers, ...(who && { Authorization: `Bearer ${who.token}` }) } });
}
