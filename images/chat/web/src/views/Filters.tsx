/** Filters with a name as views in the side list: how many matches are new, and telling of them. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { NamedFilter } from "../conversation/filters.ts";
import { talk } from "../conversation/talk.ts";
import type { Message } from "../protocol/message.ts";
import { signal } from "../signals.ts";
import { Icon } from "./Icon.tsx";
import { forbidden, possible } from "./notifications.ts";
import { mayNotify, notify } from "./notify.ts";
import { query } from "./ui.ts";

/** The view that is looked at, when it is one. */
export const chosenFilter = signal<NamedFilter | undefined>(undefined);
const version = signal(0);

/** A filter was saved or removed here. */
export function changeFilters(): void {
  version.value++;
}

/** Matches of a view are new: told where that is wished, to one who does not look. */
export function tellOfMatches(view: string, matches: readonly Message[]): void {
  if (readNames(talk.saved.get("loud")).has(view) && !talk.reading.attentive.value) notify(matches, true);
}

export function Filters(): JSX.Element | null {
  const { saved, shelf, watcher, chat } = talk;
  const [filters, setFilters] = useState<readonly NamedFilter[]>([]);
  const [loud, setLoud] = useState(() => readNames(saved.get("loud")));
  const changed = version.value;
  const { epoch, messages } = chat.state.value;
  const unread = watcher.unread.value;
  const wanted = query.value;
  const chosen = chosenFilter.value;

  useEffect(() => {
    let gone = false;
    shelf.list().then(
      (list) => {
        if (gone) return;
        setFilters(list);
        watcher.follow(list, chat.state.value.messages.at(-1)?.time ?? "");
      },
      // They come with the next connection.
      () => undefined,
    );
    return () => void (gone = true);
  }, [changed, epoch]);
  const newest = messages.at(-1)?.id;
  useEffect(() => watcher.look(), [newest]);

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
          const count = current ? 0 : (unread.get(name)?.length ?? 0);
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
