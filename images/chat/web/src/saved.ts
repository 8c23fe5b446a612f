/** What one browser remembers between visits: small values in its storage, which may be missing. */

import { GUEST_SCOPE } from "./session.ts";

/** The browser's storage, shared by its tabs, or this tab's; undefined where it is forbidden. */
export function browserStorage(of: "browser" | "tab" = "browser"): Storage | undefined {
  try {
    // It may be full: then it can still be read. Forbidden, it throws.
    const storage = of === "tab" ? sessionStorage : localStorage;
    storage.getItem(GUEST_SCOPE);
    return storage;
  } catch {
    return undefined;
  }
}

/**
 * Named strings that outlive the page. Memory is what counts, storage its copy: where it is full or
 * forbidden, a value lives as long as the page. Reads and writes never throw.
 */
export class Saved {
  /** Values that storage would not take. */
  readonly #unsaved = new Map<string, string>();

  /**
   * @param storage of the browser (shared by its tabs) or of this tab
   * @param scope whose values: those of another scope are never read
   */
  constructor(
    private readonly storage: Storage | undefined,
    private readonly scope: string = GUEST_SCOPE,
  ) {}

  get(name: string): string {
    const unsaved = this.#unsaved.get(name);
    if (unsaved !== undefined) return unsaved;
    try {
      return this.storage?.getItem(this.scope + name) ?? "";
    } catch {
      return "";
    }
  }

  set(name: string, value: string): void {
    this.#unsaved.delete(name);
    try {
      if (!this.storage) throw new Error("no storage");
      if (value === "") this.storage.removeItem(this.scope + name);
      else this.storage.setItem(this.scope + name, value);
    } catch {
      this.#unsaved.set(name, value);
    }
  }

  /** Calls `changed` when another tab gave this name another value. */
  watch(name: string, changed: (value: string) => void): void {
    addEventListener("storage", ({ key, storageArea }) => {
      if (storageArea !== this.storage || (key !== null && key !== this.scope + name)) return;
      this.#unsaved.delete(name);
      changed(this.get(name));
    });
  }
}
