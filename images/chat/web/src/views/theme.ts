/** Light or dark: as the system says, or as the person chose. */

import { signal } from "../signals.ts";
import type { Saved } from "../saved.ts";

export type Theme = "system" | "light" | "dark";
const ORDER: readonly Theme[] = ["system", "light", "dark"];

export const theme = signal<Theme>("system");

export function restoreTheme(saved: Saved): void {
  apply(ORDER.find((name) => name === saved.get("theme")) ?? "system");
}

export function nextTheme(saved: Saved): void {
  const next = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? "system";
  saved.set("theme", next);
  apply(next);
}

function apply(next: Theme): void {
  theme.value = next;
  document.documentElement.dataset["theme"] = next;
}
