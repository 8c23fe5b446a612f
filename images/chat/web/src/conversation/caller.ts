/** Who asks, for the calls of the conversation. */

import { session } from "../session.ts";

export { api } from "../session.ts";

/** The account of who is signed in; undefined for a guest. */
export function account(): string | undefined {
  return session.value?.account;
}

/** Why a call was refused, in words. */
export async function reason(response: Response): Promise<string> {
  const body = (await response.json().catch(() => undefined)) as { detail?: unknown } | undefined;
  return typeof body?.detail === "string" ? body.detail : `The server answered ${response.status}.`;
}
