/**
 * Parts of the page that come when they are needed. During a rollout the next pod may not have this
 * page's files: then the page asks a few times, and after that the page itself is out of date.
 */

import { signal } from "./signals.ts";
import { backoff } from "./socket/backoff.ts";

/** The server has another version of the page by now, and a part of this one could not be had. */
export const outdated = signal(false);

const TRIES = 4;

/** Loads a module; rejects when the server does not have it (any more), or cannot be reached. */
export async function load<T>(part: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await part();
    } catch (error) {
      if (attempt + 1 >= TRIES) {
        if (await isRenewed().catch(() => false)) outdated.value = true;
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 250 + backoff(attempt, Math.random)));
    }
  }
}

/** Does the page, asked for now, name another script than the one that runs? */
async function isRenewed(): Promise<boolean> {
  const response = await fetch("./", { cache: "no-store" });
  const own = document.querySelector<HTMLScriptElement>("script[type=module]")?.src.split("/").at(-1) ?? "";
  return response.ok && !(await response.text()).includes(own);
}
