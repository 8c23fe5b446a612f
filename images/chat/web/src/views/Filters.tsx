/** Saved filters as views in the side list: how many matches are new, and telling of them. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { NamedFilter } from "../conversation/filters.ts";
import { talk } from "../conversation/talk.ts";
import { signal } from "../signals.ts";
import { Icon } from "./Icon.tsx";
import { forbidden, mayNotify, notify, possible } from "./notifications.ts";
import { query } from "./ui.ts";

/** Filters are looked at at most this often, and one after the other. Ms. */
const LOOK_MS = 5_000;

/** The view that is looked at, when it is one. */
export const chosenFilter = signal<NamedFilter | undefined>(undefined);
const version = signal(0);

/** A filter was saved or removed here. */
export function changeFilters(): void {
  version.value++;
}

export function Filters(): JSX.Element | null {
  const { saved, shelf, watcher, reading, chat } = talk;
  const [filters, setFilters] = useState<readonly NamedFilter[]>([]);
  const [unread, setUnread] = useState<ReadonlyMap<string, number>>(new Map());
  const [loud, setLoud] = useState(() => readNames(saved.get("loud")));
  const changed = version.value;
  const { epoch, messages } = chat.state.value;
  const wanted = query.value;
  const chosen = chosenFilter.value;

  useEffect(() => {
    let gone = false;
    shelf.list().then(
      (list) => gone || setFilters(list),
      // They come with the next connection.
      () => undefined,
    );
    return () => void (gone = true);
  }, [changed, epoch]);

  // Looks again some time after something came; one filter after the other, one round at a time.
  const newest = messages.at(-1)?.id;
  const looked = useRef<readonly unknown[]>([]);
  const looking = useRef(false);
  const [rounds, setRounds] = useState(0);
  useEffect(() => {
    if (filters.length === 0 || looking.current || (looked.current[0] === filters && looked.current[1] === newest)) return;
    looked.current = [filters, newest];
    looking.current = true;
    const look = async (): Promise<void> => {
      for (const filter of filters) {
        const watch = await watcher.look(filter);
        if (!watch) break;
        setUnread((before) => new Map(before).set(filter.name, watch.unread.length));
        const wished = readNames(saved.get("loud")).has(filter.name) && !reading.attentive.value;
        if (wished && watch.fresh.length > 0) notify(watch.fresh, true);
      }
      looking.current = false;
      setRounds((n) => n + 1);
    };
    setTimeout(() => void look(), rounds > 0 ? LOOK_MS : 0);
  }, [filters, newest, rounds]);

  if (filters.length === 0) return null;
  const toggle = (name: string): void => {
    const next = new Set(loud);
    if (!next.delete(name)) {
      next.add(name);
      void mayNotify();
    }
    setLoud(next);
    saved.set("loud", next.size > 0 ? JSON.stringify([...next]) : "");
  };
  return (
    <section class="views" aria-labelledby="views-title">
      <h2 id="views-title">Views</h2>
      <ul>
        {filters.map((filter) => {
          const { name } = filter;
          const current = chosen?.name === name && wanted === filter.filter;
          const count = current ? 0 : (unread.get(name) ?? 0);
          return (
            <li key={name}>
              <button
                type="button"
                class="view"
                aria-current={current ? "true" : undefined}
                title={filter.filter}
                onClick={() => {
                  chosenFilter.value = filter;
                  query.value = filter.filter;
                  setUnread((before) => new Map(before).set(name, 0));
                }}
              >
                <bdi>{name}</bdi>
                {count > 0 && (
                  <span class="badge">
                    {count > 99 ? "99+" : count}
                    <span class="vh"> unread</span>
                  </span>
                )}
              </button>
              {possible && (
                <button
                  type="button"
                  class="tool"
                  aria-pressed={loud.has(name)}
                  aria-label={`Notify me of ${name}`}
                  title={forbidden.value ? "Notifications are forbidden in the browser's settings" : "Notify me of new matches"}
                  onClick={() => toggle(name)}
                >
                  <Icon name="bell" />
                </button>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function readNames(text: string): ReadonlySet<string> {
  try {
    const value = JSON.parse(text) as unknown;
    return new Set(Array.isArray(value) ? value.filter((name) => typeof name === "string") : []);
  } catch {
    return new Set();
  }
}
