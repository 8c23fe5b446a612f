/** What waits in the outbox: in this tab's memory, with a copy in the browser's storage. */

import type { Draft } from "../protocol/message.ts";
import { GUEST_SCOPE } from "../session.ts";

/** A message on its way to the log. */
export interface Entry extends Draft {
  /** The account that sends it; a guest's has none. */
  readonly account?: string;
  /** When the person pressed Send, ms since 1970: the order in which entries are sent. */
  readonly created: number;
  /** When it first went out on a socket, by the server's clock; from then on the log may know its key. */
  readonly tried?: number;
  /** Why it will not be tried again unless the person asks. */
  readonly failed?: { readonly code: string; readonly message: string };
  /** The log has it. Kept for a moment so that other tabs can show it before their own copy comes. */
  readonly sent?: { readonly id: string; readonly time: string };
}

/** What the storage keys of a scope's entries begin with; the entry's key follows. */
export function shelfPrefix(scope: string): string {
  return `${scope}outbox.`;
}

export type Status = "pending" | "failed" | "sent";

export function statusOf(entry: Entry): Status {
  return entry.sent ? "sent" : entry.failed ? "failed" : "pending";
}

/** The part of the browser's Storage that is used. */
export type StorageLike = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/**
 * The entries. Memory is what counts; storage holds one item for each, so that two tabs never
 * overwrite each other's, and so that a reload finds them. Storage may be full, forbidden or edited
 * by hand: what it did not take lives in memory, and an older copy in storage does not come back.
 */
export class EntryShelf {
  readonly #entries = new Map<string, Entry>();
  /** Entries whose latest state storage would not take. */
  readonly #unsaved = new Set<string>();
  readonly #prefix: string;

  /** @param scope whose entries: those of another scope are never read */
  constructor(
    private readonly storage: StorageLike | undefined,
    scope: string = GUEST_SCOPE,
  ) {
    this.#prefix = shelfPrefix(scope);
    this.sync();
  }

  /** Is this a storage key of an entry? Undefined stands for "everything was cleared". */
  owns(storageKey: string | null): boolean {
    return storageKey === null || storageKey.startsWith(this.#prefix);
  }

  /** All entries, oldest first. */
  list(): readonly Entry[] {
    return [...this.#entries.values()].sort((a, b) => a.created - b.created || (a.key < b.key ? -1 : 1));
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  put(entry: Entry): void {
    this.#entries.set(entry.key, entry);
    try {
      if (!this.storage) throw new Error("no storage");
      this.storage.setItem(this.#prefix + entry.key, JSON.stringify(entry));
      this.#unsaved.delete(entry.key);
    } catch {
      this.#unsaved.add(entry.key);
      // Better no copy than one that says "not sent yet".
      if (entry.sent) this.#erase(entry.key);
    }
  }

  remove(key: string): void {
    this.#entries.delete(key);
    this.#unsaved.delete(key);
    this.#erase(key);
  }

  /** Takes over what other tabs wrote and removed; this tab's unsaved states stay. */
  sync(): void {
    const stored = new Map<string, Entry>();
    try {
      for (let i = 0; i < (this.storage?.length ?? 0); i++) {
        const storageKey = this.storage?.key(i);
        if (!storageKey?.startsWith(this.#prefix)) continue;
        const entry = parse(this.storage?.getItem(storageKey));
        if (entry && this.#prefix + entry.key === storageKey) stored.set(entry.key, entry);
      }
    } catch {
      return; // Forbidden storage: memory is all there is.
    }
    for (const key of this.#entries.keys()) {
      if (!stored.has(key) && !this.#unsaved.has(key)) this.#entries.delete(key);
    }
    for (const [key, entry] of stored) {
      if (!this.#unsaved.has(key) || entry.sent) this.#entries.set(key, entry);
    }
  }

  /** Somebody emptied the storage: what was not sent is written again. */
  restore(): void {
    for (const entry of this.#entries.values()) if (!entry.sent) this.put(entry);
  }

  #erase(key: string): void {
    try {
      this.storage?.removeItem(this.#prefix + key);
    } catch {
      // Forbidden storage held nothing.
    }
  }
}

function parse(text: string | null | undefined): Entry | undefined {
  if (!text) return undefined;
  try {
    const value = JSON.parse(text) as Partial<Record<keyof Entry, unknown>> | null;
    const texts = [value?.key, value?.topic, value?.name, value?.email, value?.content];
    if (!texts.every((t) => typeof t === "string") || typeof value?.created !== "number") return undefined;
    return value as Entry;
  } catch {
    return undefined;
  }
}
