/** What guests may do here. Asked for after the first messages. */

import { api } from "./session.ts";

/** Guests may read and not post. False as well when the server does not say. */
export async function guestsOnlyRead(): Promise<boolean> {
  const response = await api("session");
  return response.ok && ((await response.json()) as { guests?: unknown }).guests === "read";
}
