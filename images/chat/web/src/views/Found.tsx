/** What a search finds in the loaded messages of a view. Loaded with the first search. */

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Chat } from "../chat.ts";
import { viewList } from "../store/select.ts";
import { Hits, LeaveSearch } from "./Hits.tsx";
import { search, wordsOf } from "./search.ts";
import { query, target } from "./ui.ts";
import { counted } from "./words.ts";

/** The newest of what was found; more than this nobody looks through. */
const MAX_SHOWN = 200;

export function Found({ chat, view }: { chat: Chat; view: string }): JSX.Element {
  const state = chat.state.value;
  const wanted = query.value;
  const { messages } = useMemo(() => viewList(state, view), [state.messages, state.ranges, view]);
  const found = useMemo(() => search(messages, wanted), [messages, wanted]);
  const words = useMemo(() => wordsOf(wanted), [wanted]);
  const shown = found.slice(-MAX_SHOWN);
  return (
    <div class="log-frame">
      <div class="found">
        <p aria-live="polite">
          {found.length === 0 ? "None" : found.length.toLocaleString()} of {counted(messages.length, "loaded message")}
          {found.length > shown.length && `; the newest ${shown.length} are shown`}
        </p>
        <LeaveSearch />
      </div>
      <Hits
        messages={shown}
        words={words}
        of={wanted}
        onChoose={({ id }) => {
          target.value = id;
          query.value = "";
        }}
      >
        <p class="log-start">{found.length === 0 ? "No loaded message holds these words." : ""}</p>
      </Hits>
    </div>
  );
}
