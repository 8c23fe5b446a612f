/** What a filter finds in all history, asked of the server as one types; and saving it as a view. */

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { lookBack, isPlain, wordsToMark, type Finding } from "../conversation/look.ts";
import { talk } from "../conversation/talk.ts";
import { filterProblem, type FilterProblem } from "../filter/parse.ts";
import { compareMerged, type Message } from "../protocol/message.ts";
import { oneLine } from "../protocol/text.ts";
import { merge } from "../store/merge.ts";
import { viewList } from "../store/select.ts";
import { ALL } from "../store/state.ts";
import { held, showInLog } from "./Around.tsx";
import { typed } from "./field.ts";
import { FilterHelp } from "./FilterHelp.tsx";
import { changeFilters, chosenFilter } from "./Filters.tsx";
import { Hits, LeaveSearch } from "./Hits.tsx";
import { search, wordsOf } from "./search.ts";
import { focusSearch, query } from "./ui.ts";
import { clip } from "./clip.ts";
import { counted } from "./words.ts";

/** So long one pauses in typing before the server is asked. Ms. */
const PAUSE_MS = 250;
/** New messages are looked through at most this often. Ms. */
const AGAIN_MS = 2_000;
const MAX_SHOWN = 500;
const MAX_NAME = 64;

export function Asked({ view }: { view: string }): JSX.Element {
  const state = talk.chat.state.value;
  const wanted = query.value;
  const saved = chosenFilter.value;
  /** A saved filter is a view of its own, over everything. */
  const everywhere = saved?.filter === wanted;
  const topic = everywhere ? ALL : view;
  const problem = useMemo(() => filterProblem(wanted), [wanted]);
  const [finding, setFinding] = useState<Finding & { readonly of: string }>();
  const [asking, setAsking] = useState(false);
  const asked = `${topic}\n${wanted}`;
  const current = useRef(asked);
  current.current = asked;

  const ask = async (older: boolean): Promise<void> => {
    setAsking(true);
    const start = older ? finding?.before : undefined;
    const found = await lookBack((question) => talk.questions.ask(question), { filter: wanted, ...(topic !== ALL && { topic }) }, start);
    if (current.current !== asked) return;
    setAsking(false);
    setFinding((before) => {
      if (before?.of !== asked) return { ...found, of: asked };
      const messages = merge(before.messages, found.messages);
      // The newest again: how far back was looked stays as it was.
      return { ...found, messages, of: asked, before: older ? found.before : before.before };
    });
  };
  useEffect(() => {
    setAsking(false);
    if (problem) return undefined;
    const timer = setTimeout(() => void ask(false), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [asked, state.epoch]);
  const newest = state.messages.at(-1)?.id;
  const newestAsked = useRef(newest);
  const again = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (problem || newest === newestAsked.current || finding?.of !== asked) return undefined;
    // Not put off by what comes meanwhile: where much is said, that would be for ever.
    if (again.current !== undefined) return undefined;
    again.current = setTimeout(() => {
      again.current = undefined;
      newestAsked.current = newest;
      if (current.current === asked) void ask(false);
    }, AGAIN_MS);
    return undefined;
  }, [newest, finding, asked]);
  useEffect(() => () => clearTimeout(again.current), []);

  const { messages: loaded } = useMemo(() => viewList(state, topic), [state.messages, state.ranges, topic]);
  const plain = !problem && isPlain(wanted);
  const near = useMemo(() => (plain ? search(loaded, wanted) : []), [loaded, wanted, plain]);
  const told = finding?.of === asked ? finding : undefined;
  const found = useMemo(() => {
    const all = merge(([...near] as Message[]).sort(compareMerged), told?.messages ?? []);
    return all.map((message) => held(message.id) ?? message).filter(({ deleted }) => !deleted);
  }, [near, told, state.messages]);
  const shown = found.slice(-MAX_SHOWN);
  const newestShown = found.at(-1)?.time;
  /** So far one saw: the newest match; nothing, where all was looked through in vain; or what there is just now. */
  const newestSeen = newestShown ?? (told && !told.error && told.before === undefined ? "" : (state.messages.at(-1)?.time ?? ""));
  useEffect(() => {
    if (everywhere && saved && newestShown !== undefined) talk.watcher.seen(saved.name, newestShown);
  }, [everywhere, newestShown]);

  const words = useMemo(() => (plain ? wordsOf(wanted) : wordsToMark(wanted).flatMap((word) => wordsOf(word))), [wanted, plain]);
  const trouble = told?.error && told.error.at === undefined ? told.error.message : "";
  return (
    <div class="log-frame">
      <div class="found">
        <p aria-live="polite">
          {problem ? (
            "This cannot be read as it stands."
          ) : (
            <>
              {plain && `${near.length === 0 ? "None" : near.length.toLocaleString()} of ${counted(loaded.length, "loaded message")}`}
              {told && `${plain ? "; " : ""}${counted(found.length, plain ? "message" : "match").replace("matchs", "matches")} found in all history`}
              {told && (told.before === undefined ? "" : " so far")}
              {!told && !plain && "Asking the server…"}
              {found.length > shown.length && `; the newest ${shown.length} are shown`}
            </>
          )}
        </p>
        {!problem && !everywhere && <SaveFilter filter={wanted} seen={newestSeen} />}
        {everywhere && saved && <FilterTools name={saved.name} />}
        <LeaveSearch />
      </div>
      <Hits messages={shown} words={words} of={`${asked}\n${told !== undefined}`} onChoose={({ id, topic }) => showInLog(id, topic)}>
        {problem && <Problem filter={wanted} problem={problem} />}
        {told?.error?.at !== undefined && !problem && (
          <Problem filter={wanted} problem={{ at: told.error.at, expected: told.error.expected ?? told.error.message }} />
        )}
        <p class="log-start">
          {trouble !== "" && (
            <>
              <bdi>{trouble}</bdi>{" "}
              <button type="button" onClick={() => void ask(false)}>
                Try again
              </button>
            </>
          )}
          {told?.before !== undefined && trouble === "" && (
            <button type="button" disabled={asking} onClick={() => void ask(true)}>
              {asking ? "Looking further back…" : "Look further back"}
            </button>
          )}
          {told && told.before === undefined && trouble === "" && (found.length === 0 ? "No message matches." : "These are all.")}
        </p>
        <FilterHelp key={problem ? "wrong" : "right"} open={problem !== undefined || (told !== undefined && found.length === 0)} />
      </Hits>
    </div>
  );
}

/** The filter as it stands, with the place where it cannot be read marked. */
function Problem({ filter, problem }: { filter: string; problem: FilterProblem }): JSX.Element {
  const chars = Array.from(filter);
  const at = problem.at - 1;
  return (
    <p class="filter-problem" role="alert">
      <code dir="auto">
        {chars.slice(0, at).join("")}
        <mark>{chars.slice(at).join("") || "\u00a0"}</mark>
      </code>
      <span>
        At character {problem.at}: expected <bdi>{problem.expected}</bdi>.
      </span>
    </p>
  );
}

/** Keeps a filter as a view in the side list. */
function SaveFilter({ filter, seen }: { filter: string; seen: string }): JSX.Element {
  const [name, setName] = useState<string>();
  const [trouble, setTrouble] = useState("");
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => box.current?.select(), [name === undefined]);
  if (name === undefined) {
    return (
      <button type="button" onClick={() => setName(clip(filter, 40))}>
        Save as view
      </button>
    );
  }
  const save = async (): Promise<void> => {
    const line = oneLine(name, MAX_NAME);
    if (line === undefined) return setTrouble(`Use a name of 1 to ${MAX_NAME} characters.`);
    const why = await talk.shelf.put({ name: line, filter });
    if (why !== undefined) return setTrouble(why);
    setName(undefined);
    talk.watcher.begin(line, seen);
    chosenFilter.value = { name: line, filter };
    changeFilters();
    focusSearch();
  };
  return (
    <form
      class="save-filter"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        setName(undefined);
        focusSearch();
      }}
    >
      <label class="field">
        <span>View’s name</span>
        <input
          ref={box}
          value={name}
          dir="auto"
          type="text"
          autocomplete="off"
          aria-invalid={trouble !== ""}
          aria-describedby={trouble === "" ? undefined : "save-trouble"}
          onInput={(event) => {
            setName(typed(event.currentTarget));
            setTrouble("");
          }}
        />
      </label>
      <button type="submit">Save</button>
      {trouble !== "" && (
        <span id="save-trouble" class="problem" role="alert">
          <bdi>{trouble}</bdi>
        </span>
      )}
    </form>
  );
}

function FilterTools({ name }: { name: string }): JSX.Element {
  return (
    <button
      type="button"
      onClick={() => {
        void talk.shelf.remove(name).then((why) => {
          if (why !== undefined) return;
          talk.watcher.forget(name);
          chosenFilter.value = undefined;
          changeFilters();
        });
      }}
    >
      Remove view
    </button>
  );
}
