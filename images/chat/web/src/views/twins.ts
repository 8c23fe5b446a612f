/** Topics that look alike and are not the same. Pure. */

import { fold, trimLine } from "../protocol/text.ts";

/** A known topic that a person would take for this one; undefined when there is none, or it is known itself. */
export function twinOf(topic: string, known: ReadonlyMap<string, unknown>): string | undefined {
  const line = trimLine(topic);
  if (line === "" || known.has(line)) return undefined;
  const wanted = alike(line);
  for (const other of known.keys()) if (alike(other) === wanted) return other;
  return undefined;
}

/** The same for texts that differ in case, width, accents' form, spaces, or in what nobody sees. */
function alike(topic: string): string {
  return fold(topic.normalize("NFKC")).replace(/[\p{White_Space}\p{Default_Ignorable_Code_Point}]+/gu, " ");
}
