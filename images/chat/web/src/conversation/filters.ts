/** Filters with a name: kept by the account, or for guests by this browser. No DOM. */

export interface NamedFilter {
  readonly name: string;
  readonly filter: string;
}

/** Where filters are kept. */
export interface FilterShelf {
  list(): Promise<readonly NamedFilter[]>;
  /** Why it was not kept, in words; undefined when it was. */
  put(filter: NamedFilter): Promise<string | undefined>;
  remove(name: string): Promise<string | undefined>;
}

type Storage = { get(name: string): string; set(name: string, value: string): void };

/** At most so many are kept, as by the server. */
export const MAX_FILTERS = 100;

/** A guest's filters, in this browser. */
export function localShelf(saved: Storage): FilterShelf {
  const list = (): readonly NamedFilter[] => {
    try {
      const value = JSON.parse(saved.get("filters")) as unknown;
      return Array.isArray(value) ? value.filter(isNamedFilter) : [];
    } catch {
      return [];
    }
  };
  const keep = (filters: readonly NamedFilter[]): void => saved.set("filters", filters.length > 0 ? JSON.stringify(filters) : "");
  return {
    list: () => Promise.resolve(list()),
    put(filter) {
      const others = list().filter(({ name }) => name !== filter.name);
      if (others.length >= MAX_FILTERS) return Promise.resolve(`Only ${MAX_FILTERS} filters can be kept. Remove one first.`);
      keep([...others, filter].sort((a, b) => (a.name < b.name ? -1 : 1)));
      return Promise.resolve(undefined);
    },
    remove(name) {
      keep(list().filter((filter) => filter.name !== name));
      return Promise.resolve(undefined);
    },
  };
}

type Call = (path: string, init?: RequestInit) => Promise<Response>;

/** An account's filters, at the server. */
export function serverShelf(call: Call, reason: (response: Response) => Promise<string>): FilterShelf {
  const change = async (name: string, init: RequestInit): Promise<string | undefined> => {
    const response = await call(`filters/${encodeURIComponent(name)}`, init).catch(() => undefined);
    if (!response) return "The server cannot be reached.";
    return response.ok || (init.method === "DELETE" && response.status === 404) ? undefined : reason(response);
  };
  return {
    async list() {
      const response = await call("filters");
      if (!response.ok) throw new Error(await reason(response));
      const { filters } = (await response.json()) as { filters?: unknown };
      return Array.isArray(filters) ? filters.filter(isNamedFilter) : [];
    },
    put: ({ name, filter }) =>
      change(name, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ filter }) }),
    remove: (name) => change(name, { method: "DELETE" }),
  };
}

function isNamedFilter(value: unknown): value is NamedFilter {
  const { name, filter } = (value ?? {}) as Partial<Record<keyof NamedFilter, unknown>>;
  return typeof name === "string" && typeof filter === "string";
}
