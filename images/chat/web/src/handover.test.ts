/** Whose stored things are shown to whom. */

import { beforeEach, describe, expect, it } from "vitest";
import { forget, takeOver } from "./handover.ts";
import { EntryShelf } from "./outbox/entry.ts";
import { Saved } from "./saved.ts";
import { readSession, scopeOf, writeSession, type Session } from "./session.ts";

class Memory implements Storage {
  readonly #items = new Map<string, string>();
  full = false;
  get length(): number {
    return this.#items.size;
  }
  key = (i: number): string | null => [...this.#items.keys()][i] ?? null;
  getItem = (key: string): string | null => this.#items.get(key) ?? null;
  removeItem = (key: string): void => void this.#items.delete(key);
  clear = (): void => this.#items.clear();
  setItem(key: string, value: string): void {
    if (this.full) throw new Error("full");
    this.#items.set(key, value);
  }
  dump = (): string => JSON.stringify([...this.#items]);
}

const ada: Session = { token: "secret-a", account: "aaaaaaaaaaaaaaaa", email: "ada@example.org", name: "Ada" };
const grace: Session = { token: "secret-g", account: "gggggggggggggggg", email: "grace@example.org", name: "Grace" };
const entry = { topic: "tea", name: "Ada", email: "ada@example.org", content: "waits" };

let storage: Memory;
let tab: Memory;
beforeEach(() => {
  storage = new Memory();
  tab = new Memory();
});

describe("scopes", () => {
  it("no person reads what another stored, a guest neither", () => {
    for (const who of [undefined, ada, grace]) {
      new Saved(storage, scopeOf(who)).set("read", who?.name ?? "guest");
      new EntryShelf(storage, scopeOf(who)).put({ ...entry, key: who?.name ?? "guest", created: 1 });
    }
    for (const who of [undefined, ada, grace]) {
      expect(new Saved(storage, scopeOf(who)).get("read")).toBe(who?.name ?? "guest");
      expect(new EntryShelf(storage, scopeOf(who)).list().map(({ key }) => key)).toEqual([who?.name ?? "guest"]);
    }
  });

  it("keeps to what was stored before there were accounts, for guests", () => {
    storage.setItem("chat.read", "marks");
    expect(new Saved(storage, scopeOf(undefined)).get("read")).toBe("marks");
  });
});

describe("session", () => {
  it("is kept, read, and gone", () => {
    expect(writeSession(storage, ada)).toBe(true);
    expect(readSession(storage)).toEqual(ada);
    writeSession(storage, undefined);
    expect(readSession(storage)).toBeUndefined();
  });

  it.each(["", "null", "{}", '{"token":1}', "[", '{"token":"","account":"a","email":"e","name":"n"}'])("is not made of %j", (text) => {
    storage.setItem("chat.session", text);
    expect(readSession(storage)).toBeUndefined();
  });
});

describe("signing in", () => {
  it("takes along what waits under the same address, and this tab's drafts; other guests' things stay theirs", () => {
    const guest = new EntryShelf(storage);
    guest.put({ ...entry, email: "ADA@example.org", key: "mine", created: 1, failed: { code: "unauthorised", message: "no" } });
    guest.put({ ...entry, email: "mallory@example.org", key: "other", created: 2 });
    new Saved(tab).set("draft.tea", "half a thought");
    new Saved(storage).set("name", "Ada");
    new Saved(storage).set("email", "ada@example.org");
    expect(takeOver(storage, tab, ada)).toBe(true);

    const shelf = new EntryShelf(storage, scopeOf(ada));
    expect(shelf.list()).toEqual([{ ...entry, email: ada.email, account: ada.account, key: "mine", created: 1 }]);
    expect(new EntryShelf(storage).list().map(({ key }) => key)).toEqual(["other"]);
    expect(new Saved(tab, scopeOf(ada)).get("draft.tea")).toBe("half a thought");
    expect(new Saved(tab).get("draft.tea")).toBe("");
    expect(new Saved(storage).get("name") + new Saved(storage).get("email")).toBe("");
  });

  it("is refused, with nothing changed, where nothing can be kept", () => {
    new Saved(storage).set("name", "Ada");
    storage.full = true;
    expect(takeOver(storage, tab, ada)).toBe(false);
    expect(takeOver(undefined, tab, ada)).toBe(false);
    expect(new Saved(storage).get("name")).toBe("Ada");
  });
});

describe("signing out", () => {
  const use = (who: Session): void => {
    writeSession(storage, who);
    new Saved(storage, scopeOf(who)).set("read", `marks of ${who.name}`);
    new Saved(tab, scopeOf(who)).set("draft.tea", `draft of ${who.name}`);
    new EntryShelf(storage, scopeOf(who)).put({ ...entry, name: who.name, email: who.email, key: "k", created: 1 });
  };

  it("erases everything of the account, the token first, and nothing else", () => {
    use(grace);
    use(ada);
    new Saved(storage).set("theme", "dark");
    forget(storage, tab, ada, true);
    for (const place of [storage, tab]) {
      expect(place.dump()).not.toContain("Ada");
      expect(place.dump()).not.toContain(ada.token);
      expect(place.dump()).not.toContain(ada.account);
    }
    expect(new Saved(storage).get("theme")).toBe("dark");
    expect(new Saved(storage, scopeOf(grace)).get("read")).toBe("marks of Grace");
  });

  it("after a session that ended elsewhere keeps it for when the account is back", () => {
    use(ada);
    forget(storage, tab, ada, false);
    expect(readSession(storage)).toBeUndefined();
    expect(new EntryShelf(storage).list()).toEqual([]);
    expect(new EntryShelf(storage, scopeOf(ada)).list()).toHaveLength(1);
  });
});
