/** One tab at a time sends what all tabs share. */

import { newKey } from "../protocol/message.ts";
import type { Lock } from "./outbox.ts";
import type { StorageLike } from "./entry.ts";

const NAME = "chat.sender";
/** A tab that holds the lock says so this often. Ms. */
export const BEAT_MS = 1_000;
/** Not heard for this long, it hangs: another tab takes over. Ms. */
export const HUNG_MS = 10_000;

const JITTER_MS = 1_500;
/** Whose turn it is to take the lock from a tab that hangs: one tab at a time. */
const HEIR = "chat.sender.heir";
/** So long an heir that has taken the lock keeps the next one waiting, to be heard by it. Ms. */
const HEARD_MS = 250;

/** How tabs tell each other that they are alive. */
export interface Beats {
  beat(): void;
  /** Calls `heard` at each beat of another tab; returns what ends that. */
  listen(heard: () => void): () => void;
}

/** Beats over the browser's channel between tabs: no storage, which may be full. */
export function channelBeats(): Beats {
  const channel = new BroadcastChannel(NAME);
  return {
    beat: () => channel.postMessage(""),
    listen(heard) {
      channel.addEventListener("message", heard);
      return () => channel.removeEventListener("message", heard);
    },
  };
}

/**
 * The browser's own locks; there only in a secure context (https or localhost). A tab that hangs
 * while it holds one would hold it for ever, so who waits in vain takes it.
 */
export function webLock(locks: Pick<LockManager, "request">, beats: Beats): Lock {
  return async (work) => {
    const lost = new AbortController();
    let working: Promise<void> | undefined;
    for (;;) {
      const impatience = new AbortController();
      let heard = false;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const wait = (): void => {
        heard = true;
        clearTimeout(timer);
        if (impatience.signal.aborted) return;
        timer = setTimeout(() => {
          heard = false;
          impatience.abort();
        }, HUNG_MS + Math.random() * JITTER_MS);
      };
      const stopListening = beats.listen(wait);
      const stopWaiting = (): void => {
        clearTimeout(timer);
        stopListening();
      };
      const hold = (): Promise<void> => {
        stopWaiting();
        beats.beat();
        const beating = setInterval(() => beats.beat(), BEAT_MS);
        working = work(lost.signal).finally(() => clearInterval(beating));
        return working;
      };
      wait();
      try {
        await locks.request(NAME, { signal: impatience.signal }, hold);
        return;
      } catch (error) {
        if (!working) {
          if (!impatience.signal.aborted) throw error;
          await inherit(locks, () => heard, hold);
        }
        if (!working) continue;
        // While it held: another tab took it.
        lost.abort();
        await working;
        return;
      } finally {
        stopWaiting();
      }
    }
  };
}

/**
 * Takes the lock from a tab that hangs, and resolves when the work is over; at once if another heir
 * was first and is heard by now. One heir at a time, unless one hangs just then.
 */
function inherit(locks: Pick<LockManager, "request">, heard: () => boolean, hold: () => Promise<void>): Promise<void> {
  return new Promise((done) => {
    let mine = false;
    const heir = async (): Promise<void> => {
      mine = true;
      if (heard()) return done();
      done(locks.request(NAME, { steal: true }, hold).catch(() => undefined));
      await new Promise((resolve) => setTimeout(resolve, HEARD_MS));
    };
    locks
      .request(HEIR, { signal: AbortSignal.timeout(HUNG_MS) }, heir)
      .catch(() => (mine ? undefined : locks.request(HEIR, { steal: true }, heir)))
      .catch(() => undefined);
  });
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
  /** False: storage takes nothing (it is full), so no lease can be had or seen. */
  const write = (): boolean => {
    try {
      storage.setItem(NAME, JSON.stringify({ tab, until: now() + LEASE_MS }));
      return true;
    } catch {
      return false;
    }
  };
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
        if (!write()) break;
        await sleep(SETTLE_MS);
        if (read().tab === tab) break;
      }
      await sleep(SETTLE_MS * 2);
    }
    const lost = new AbortController();
    const renewal = setInterval(() => {
      // Asleep or hanging for longer than the lease: it may be another's by now.
      const holder = read().tab;
      if (holder !== undefined && holder !== tab) lost.abort();
      else write();
    }, RENEW_MS);
    try {
      await work(lost.signal);
    } finally {
      clearInterval(renewal);
      if (read().tab === tab) storage.removeItem(NAME);
    }
  };
}

/** The best lock that this browser has for the tabs that share `storage`. */
export function chooseLock(storage: StorageLike): Lock {
  // Undefined over plain http, whatever the types say.
  const locks = navigator.locks as LockManager | undefined;
  return locks ? webLock(locks, channelBeats()) : leaseLock(storage, newKey(), () => Date.now());
}
