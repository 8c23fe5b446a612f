/** A call of the server's API from a dialog, and what a refusal says to a person. */

import { api } from "../session.ts";

export interface Answer<T> {
  readonly body?: T;
  /** Undefined: it was done. */
  readonly problem?: string;
  /** 0: no answer came. */
  readonly status: number;
}

interface Problem {
  readonly detail?: string;
  readonly unknown?: readonly string[];
  readonly retry_after_ms?: number;
}

/** @param as nobody: without a token, since one that has ended is refused even where none is needed */
export async function call<T = undefined>(
  method: string,
  path: string,
  body?: object,
  as?: "nobody",
): Promise<Answer<T>> {
  let response: Response;
  try {
    response = await (as ? fetch : api)(as ? `api/v1/${path}` : path, {
      method,
      cache: "no-store",
      ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
  } catch {
    return { status: 0, problem: "The server cannot be reached. Try again." };
  }
  const { status } = response;
  const answer = (await response.json().catch(() => undefined)) as (T & Problem) | undefined;
  return response.ok ? { status, body: answer as T } : { status, problem: sayProblem(status, answer) };
}

/** Says what to do, as far as it can be told. */
export function sayProblem(status: number, problem: Problem | undefined): string {
  const unknown = problem?.unknown ?? [];
  if (unknown.length > 0) {
    return `No account has ${unknown.length === 1 ? "this address" : "these addresses"}: ${unknown.join(", ")}. Only people with an account can be in a room.`;
  }
  if (status === 429) {
    const seconds = Math.ceil((problem?.retry_after_ms ?? 0) / 1_000);
    return seconds > 0 ? `Too many tries. Try again in ${seconds} s.` : "Too many tries. Try again in a minute.";
  }
  if (status >= 500) return "The server cannot do this right now. Try again.";
  return problem?.detail ? capital(problem.detail) : `The server refused this (${status}).`;
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1) + (/[.!?]$/u.test(text) ? "" : ".");
}
