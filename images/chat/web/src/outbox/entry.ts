/** What waits in the outbox, and how it is kept in the browser's storage. */

import type { Draft } from "../protocol/message.ts";

/** A message on its way to the log. */
export interface Entry extends Draft {
  /** When the person pressed Send, ms since 1970: the order in which entries are sent. */
  readonly created: number;
  /** When it first went out on a socket; from then on the log may know its key. */
  readonly tried?: number;
  /** Why it will not be tried again unless the person asks. */
  readonly failed?: { readonly code: string; readonly message: string };
  /** The log has it. Kept for a moment so that other tabs can show it before their own copy comes. */
  readonly sent?: { readonly id: string; readonly time: string };
}

export type Status = "pending" | "failed" | "sent";

export function statusOf(entry: Entry): Status {
  return entry.sent ? "sent" : entry.failed ? "failed" : "pending";
}

/** The part of the browser's Storage that is used. */
export type StorageLike = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

const PREFIX = "chat.outbox.";

/**
 * The entries in storage, one item each, so that two tabs never overwrite each other's. Storage may
 * be full, forbidden or edited by hand: then entries live in this tab's memory only.
 */
export class EntryShelf {
  /** Entries that storage would not take. */
  readonly #memory = new Map<string, Entry>();

  constructor(private readonly storage: StorageLike | undefined) {}

  /** Is this a storage key of an entry? Undefined stands for "everything was cleared". */
  static owns(storageKey: string | null): boolean {
    return storageKey === null || storageKey.startsWith(PREFIX);
  }

  /** All entries, oldest first. */
  list(): readonly Entry[] {
    const entries = new Map(this.#memory);
    try {
      for (let i = 0; i < (this.storage?.length ?? 0); i++) {
        const storageKey = this.storage?.key(i);
        if (!storageKey?.startsWith(PREFIX)) continue;
        const entry = parse(this.storage?.getItem(storageKey));
        if (entry) entries.set(entry.key, entry);
      }
    } catch {
      // Forbidden storage: memory is what there is.
    }
    return [...entries.values()].sort((a, b) => a.created - b.created || (a.key < b.key ? -1 : 1));
  }

  get(key: string): Entry | undefined {
    return this.list().find((entry) => entry.key === key);
  }

  put(entry: Entry): void {
    try {
      if (!this.storage) throw new Error("no storage");
      this.storage.setItem(PREFIX + entry.key, JSON.stringify(entry));
      this.#memory.delete(entry.key);
    } catch {
      this.#memory.set(entry.key, entry);
    }
  }

  remove(key: string): void {
    this.#memory.delete(key);
    try {
      this.storage?.removeItem(PREFIX + key);
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
