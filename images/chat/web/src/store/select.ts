/** What a view shows of the state. Pure. */

import { compareInTopic, compareMerged, type Message } from "../protocol/message.ts";
import { ALL, type State } from "./state.ts";

export interface ViewList {
  /** Unbroken up to the newest, in the view's order. */
  readonly messages: readonly Message[];
  /** Older ones exist and are not loaded. */
  readonly more: boolean;
}

const NOTHING: ViewList = { messages: [], more: false };

/** The messages of ALL or of a topic, without those beyond a gap. */
export function viewList(state: State, view: string): ViewList {
  const all = state.ranges.get(ALL);
  if (!all) return NOTHING;
  const aboveAll = state.messages.slice(firstFrom(state.messages, all.floor));
  if (view === ALL) return { messages: aboveAll, more: all.more };

  const own = state.ranges.get(view);
  const ofTopic = ({ topic }: Message): boolean => topic === view;
  if (!own) return { messages: inTopicOrder(aboveAll.filter(ofTopic)), more: all.more };
  // Both stretches end at the newest: the longer one holds the other.
  const from = Math.min(firstFrom(state.messages, own.floor), firstFrom(state.messages, all.floor));
  const more = own.more && all.more;
  return { messages: inTopicOrder(state.messages.slice(from).filter(ofTopic)), more };
}

function inTopicOrder(messages: Message[]): readonly Message[] {
  // Order by time is order by id unless the log's clock went back.
  const wrong = messages.some((message, i) => i > 0 && compareInTopic(messages[i - 1] as Message, message) > 0);
  return wrong ? messages.sort(compareInTopic) : messages;
}

/** Index of the first message at or after `floor`. */
function firstFrom(messages: readonly Message[], floor: Pick<Message, "time" | "id"> | undefined): number {
  if (!floor) return 0;
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareMerged(messages[middle] as Message, floor as Message) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
