/** Sorted lists without repeats. Pure; the shared ground of everything that is shown. */

import { compareMerged, type Message } from "../protocol/message.ts";

/**
 * `list` (sorted, unique) and `incoming` (any order, any repeats) as one sorted list without
 * repeats. Idempotent, commutative and associative in what it holds; returns `list` itself when
 * nothing is new. O(n + m log m); O(m log m) for messages newer than all of `list`.
 */
export function merge(list: readonly Message[], incoming: readonly Message[]): readonly Message[] {
  if (incoming.length === 0) return list;
  const fresh = sorted(incoming);
  const last = list.at(-1);
  if (!last || compareMerged(last, fresh[0] as Message) < 0) return list.concat(fresh);

  const merged: Message[] = [];
  let added = 0;
  let i = 0;
  for (const message of fresh) {
    for (let old = list[i]; old && compareMerged(old, message) < 0; old = list[++i]) merged.push(old);
    const old = list[i];
    if (old && compareMerged(old, message) === 0) continue;
    merged.push(message);
    added++;
  }
  if (added === 0) return list;
  for (; i < list.length; i++) merged.push(list[i] as Message);
  return merged;
}

/**
 * `list` with the numbers told of some of its messages, which are newer; absent ones are 0. Deleted stays deleted; a
 * vote that is not told (guests are not told theirs) stays as it was. Returns `list` itself when nothing differs.
 */
export function renew(list: readonly Message[], told: readonly (Partial<Message> & Pick<Message, "id">)[]): readonly Message[] {
  const news = new Map(told.map((message) => [message.id, message]));
  let changed = false;
  const next = list.map((old) => {
    const now = news.get(old.id);
    if (!now || now === old) return old;
    const { up = 0, down = 0, replies = 0, vote = old.vote } = now;
    const gone = now.deleted === true && !old.deleted;
    if (up === (old.up ?? 0) && down === (old.down ?? 0) && replies === (old.replies ?? 0) && vote === old.vote && !gone) return old;
    changed = true;
    return { ...old, up, down, replies, ...(vote !== undefined && { vote }), ...(gone && { deleted: true, content: "" }) };
  });
  return changed ? next : list;
}

/** Sorted, repeats dropped. Frames come sorted nearly always, so look before sorting. */
function sorted(messages: readonly Message[]): readonly Message[] {
  let inOrder = true;
  for (let i = 1; i < messages.length && inOrder; i++) {
    inOrder = compareMerged(messages[i - 1] as Message, messages[i] as Message) < 0;
  }
  if (inOrder) return messages;
  const copy = [...messages].sort(compareMerged);
  return copy.filter((message, i) => i === 0 || compareMerged(copy[i - 1] as Message, message) !== 0);
}
