/** Times, initials and hues, as people read them. */

import { firstGrapheme } from "./words.ts";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayWithYear = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

/** Local `HH:MM`. */
export function clockTime(time: Date): string {
  return clock.format(time);
}

/** Date and time in full. */
export function fullTime(time: Date): string {
  return full.format(time);
}

/** Heading of a day; the year only when it is not this one. */
export function dayName(time: Date, now: Date): string {
  if (sameDay(time, now)) return "Today";
  if (sameDay(time, new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1))) return "Yesterday";
  return (time.getFullYear() === now.getFullYear() ? day : dayWithYear).format(time);
}

export function sameDay(a: Date, b: Date): boolean {
  return a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate();
}

const knownInitials = new Map<string, string>();

/** One or two characters that stand for a name. */
export function initials(name: string): string {
  let letters = knownInitials.get(name);
  if (letters === undefined) {
    letters = initialsOf(name);
    // Names of those who speak; should there be very many, they are cut out again.
    if (knownInitials.size > 2_000) knownInitials.clear();
    knownInitials.set(name, letters);
  }
  return letters;
}

function initialsOf(name: string): string {
  const words = name.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const picked = words.length > 1 ? [words[0], words.at(-1)] : words;
  const letters = picked.map((word) => firstGrapheme(word?.slice(word.search(/[\p{L}\p{N}]/u)) ?? "")).join("");
  return letters.toLocaleUpperCase() || "?";
}

/**
 * A person's hue in degrees, the same on every screen: after XEP-0392 a hash of the address, here
 * FNV-1a because the browser's SHA-1 is asynchronous and missing over plain http.
 */
export function hue(email: string): number {
  let hash = 0x811c9dc5;
  for (const char of email.toLowerCase()) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  }
  // MurmurHash3's last step: addresses that differ in one letter land far apart.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % 360;
}
