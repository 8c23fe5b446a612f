/** What one browser remembers between visits: small values in its storage, which may be missing. */

const PREFIX = "chat.";

/** The browser's storage; undefined where it is forbidden. */
export function browserStorage(): Storage | undefined {
  try {
    const probe = `${PREFIX}probe`;
    localStorage.setItem(probe, "1");
    localStorage.removeItem(probe);
    return localStorage;
  } catch {
    return undefined;
  }
}

/** Named strings that outlive the page. Reads and writes never throw. */
export class Saved {
  constructor(private readonly storage: Storage | undefined) {}

  get(name: string): string {
    try {
      return this.storage?.getItem(PREFIX + name) ?? "";
    } catch {
      return "";
    }
  }

  set(name: string, value: string): void {
    try {
      if (value === "") this.storage?.removeItem(PREFIX + name);
      else this.storage?.setItem(PREFIX + name, value);
    } catch {
      // Full or forbidden: the value lives as long as the page.
    }
  }
}
