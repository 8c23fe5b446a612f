/** One tab at a time sends what all tabs share. */

import type { StorageLike } from "./entry.ts";

/** Runs work while no other tab of this browser runs its own. */
export type Lock = (work: () => Promise<void>) => Promise<void>;

const NAME = "chat.sender";

/** The browser's own locks; there only in a secure context (https or localhost). */
export function webLock(locks: LockManager): Lock {
  return async (work) => {
    await locks.request(NAME, work);
  };
}

/** How long a lease holds when its tab dies, and how often a living tab renews it. Ms. */
export const LEASE_MS = 4_000;
const RENEW_MS = 1_000;
/** Two tabs that wrote in one instant see who was last after this time. Ms. */
const SETTLE_MS = 25;

/**
 * A lease in storage, for pages served over plain http, where the browser has no locks. Storage has
 * no compare-and-swap, so two tabs may, rarely, hold it together; the posts they then repeat carry
 * the same keys, and the log takes each key once.
 */
export function leaseLock(storage: StorageLike, tab: string, now: () => number): Lock {
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const write = (): void => storage.setItem(NAME, JSON.stringify({ tab, until: now() + LEASE_MS }));
  const read = (): { tab?: string; until?: number } => {
    try {
      return (JSON.parse(storage.getItem(NAME) ?? "{}") ?? {}) as { tab?: string; until?: number };
    } catch {
      return {};
    }
  };
  return async (work) => {
    for (;;) {
      const held = read();
      // A lease further ahead than any tab writes is a clock that was set back: not a lease.
      const left = (held.until ?? 0) - now();
      if (held.tab === undefined || held.tab === tab || left <= 0 || left > LEASE_MS) {
        write();
        await sleep(SETTLE_MS);
        if (read().tab === tab) break;
      }
      await sleep(SETTLE_MS * 2);
    }
    const renewal = setInterval(write, RENEW_MS);
    try {
      await work();
    } finally {
      clearInterval(renewal);
      if (read().tab === tab) storage.removeItem(NAME);
    }
  };
}

/** No storage, no other tab to share with. */
export const noLock: Lock = (work) => work();
