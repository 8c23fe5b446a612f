/** Accounts for tests, made by the API, and signing in by the page. */

import type { Pod } from "./cluster.ts";
import { expect, type ChatPage } from "./fixtures.ts";

export const PASSWORD = "correct horse battery";

export interface Made {
  readonly token: string;
  readonly account: { readonly account: string; readonly email: string; readonly name: string };
}

export async function account(pod: Pod, name: string, email: string): Promise<Made> {
  return call<Made>(pod, undefined, "POST", "accounts", { name, email, password: PASSWORD });
}

export async function call<T>(pod: Pod, token: string | undefined, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${pod.url}/api/v1/${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** @param open false: the dialog stands open already */
export async function signIn(chat: ChatPage, email: string, open = true): Promise<void> {
  if (open) await chat.page.getByRole("button", { name: "Sign in" }).click();
  const form = chat.page.getByRole("form", { name: "Sign in" });
  await form.getByRole("textbox", { name: "Email" }).fill(email);
  await form.getByLabel("Password").fill(PASSWORD);
  await form.getByRole("button", { name: "Sign in" }).click();
  await expect(chat.page.getByRole("button", { name: /^Signed in as/u })).toBeVisible();
  await chat.connected();
}
