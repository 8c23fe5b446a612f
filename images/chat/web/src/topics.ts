/** The server's list of topics, asked for after each `welcome`: once at a time, and not in a loop. */

import { api } from "./session.ts";
import { backoff } from "./socket/backoff.ts";

/** The list does not hold up the first messages. Ms. */
const DELAY_MS = 100;
/** After this many failures in a row the next `welcome` asks again. */
const MAX_TRIES = 5;

/**
 * @param onAnswer called after each answer, whatever it was
 * @returns what to call when the list may have changed
 */
export function topicList(show: (topics: ReadonlyMap<string, string>) => void, onAnswer: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  const ask = async (attempt: number): Promise<void> => {
    timer = undefined;
    asking = true;
    const retryAfter = await fetchTopics(show).catch(() => 0);
    asking = false;
    onAnswer();
    if (retryAfter === undefined || attempt + 1 >= MAX_TRIES || timer !== undefined) return;
    timer = setTimeout(() => void ask(attempt + 1), retryAfter + backoff(attempt + 1, Math.random));
  };
  return () => {
    if (asking) return;
    clearTimeout(timer);
    timer = setTimeout(() => void ask(0), DELAY_MS);
  };
}

/** Resolves with undefined when there is nothing more to ask, else with how long to wait at least, ms. */
async function fetchTopics(show: (topics: ReadonlyMap<string, string>) => void): Promise<number | undefined> {
  const response = await api("topics");
  if (response.status === 429 || response.status >= 500) {
    return 1_000 * (Number(response.headers.get("Retry-After")) || 0);
  }
  if (!response.ok) return undefined;
  const body = (await response.json()) as { topics?: { topic?: unknown; last?: unknown }[] };
  const topics = new Map<string, string>();
  for (const { topic, last } of body.topics ?? []) {
    if (typeof topic === "string" && typeof last === "string") topics.set(topic, last);
  }
  show(topics);
  return undefined;
}
