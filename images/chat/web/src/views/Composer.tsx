/** Where messages are written, with where they go and who writes. */

import type { JSX, TargetedKeyboardEvent } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import type { Identity } from "../identity.ts";
import { contentProblem, DEFAULT_TOPIC, draftProblem, tidy, type DraftField, type DraftProblem } from "../protocol/message.ts";
import { codePoints, isAddress, isBlank, MAX_CONTENT, MAX_NAME, oneLine } from "../protocol/text.ts";
import { isRoom, nameOf, rooms } from "../rooms.ts";
import { goTo, NOWHERE } from "../route.ts";
import type { Saved } from "../saved.ts";
import { session } from "../session.ts";
import { ALL } from "../store/state.ts";
import { ConnectionDot } from "./ConnectionStrip.tsx";
import { typed } from "./field.ts";
import { MessageBox, type MessageBoxHandle } from "./MessageBox.tsx";
import { usePart } from "./part.ts";
import { accountOpen, answered, askNewest, conversation, fleeting, focusMessage, newTopicAsked, query, returned } from "./ui.ts";
import { WhoButton, WhoSheet } from "./Who.tsx";

/** The room left is shown from here on, in characters. */
const COUNT_FROM = 400;

export interface ComposerProps {
  readonly chat: Chat;
  /** This tab's own. */
  readonly drafts: Saved;
  readonly identity: Identity;
  readonly view: string;
}

/** What stands in a topic field that was not touched. */
function usualTopic(view: string): string {
  return view === ALL || view === NOWHERE ? DEFAULT_TOPIC : view;
}

export function Composer({ chat, drafts, identity, view }: ComposerProps): JSX.Element {
  const known = { name: identity.name.value, email: identity.email.value };
  const [who, setWho] = useState(known);
  const [changing, setChanging] = useState(false);
  const [topic, setTopic] = useState(usualTopic(view));
  const [problem, setProblem] = useState<DraftProblem>();
  /** Said of the text while it is written. */
  const [note, setNote] = useState("");
  const [room, setRoom] = useState<number>();
  /** Nothing was typed since a message went out: an Enter too many is not worth a word. */
  const justSent = useRef(false);
  const box = useRef<MessageBoxHandle>(null);
  const fields = {
    name: useRef<HTMLInputElement>(null),
    email: useRef<HTMLInputElement>(null),
    topic: useRef<HTMLInputElement>(null),
  };
  const part = conversation.value;
  const replies = chat.features.value.has("conversation");
  /** Is what is written kept nowhere? A reply always is. */
  const passing = part !== undefined && fleeting.value && !answered.value;
  const inRoom = rooms.value?.has(topic) ?? false;
  const complete = known.name !== "" && known.email !== "";
  const asking = changing || !complete;

  /** What is typed in the message box, by a person or by the page. */
  const heed = (text: string, cut: boolean): void => {
    drafts.set(`draft.${view}`, text);
    const near = text.length > MAX_CONTENT - COUNT_FROM;
    setRoom(near ? MAX_CONTENT - codePoints(text) : undefined);
    const over = near && !isBlank(text) ? contentProblem(text)?.message : undefined;
    setNote(cut ? `The rest was cut off. ${over ?? ""}` : (over ?? ""));
  };
  const write = (text: string): void => {
    const kept = box.current?.set(text) ?? "";
    heed(kept, kept.length < text.length);
  };
  const settle = (field: DraftField): void => setProblem((before) => (before?.field === field ? undefined : before));

  useLayoutEffect(() => {
    setTopic(usualTopic(view));
    write(drafts.get(`draft.${view}`));
    setProblem(undefined);
  }, [view]);

  // Given or changed in another tab.
  useEffect(() => setWho(known), [known.name, known.email]);

  const back = returned.value;
  useEffect(() => {
    if (!back) return;
    returned.value = undefined;
    const text = box.current?.get() ?? "";
    write(isBlank(text) ? back.content : `${text}\n${back.content}`);
    setTopic(isRoom(back.topic) && !rooms.value?.has(back.topic) ? usualTopic(view) : back.topic);
    answered.value = chat.state.value.messages.find(({ id, deleted }) => id === back.reply_to && !deleted);
    focusMessage();
  }, [back]);

  const asked = newTopicAsked.value;
  useEffect(() => {
    if (asked === 0) return;
    setTopic("");
    fields.topic.current?.focus();
  }, [asked]);

  // After rendering: the sheet may have to open first.
  useLayoutEffect(() => {
    if (!problem) return;
    if (problem.field === "content") focusMessage();
    else fields[problem.field].current?.focus();
  }, [problem]);
  const complain = (found: DraftProblem): void => {
    if (found.field === "name" || found.field === "email") setChanging(complete);
    setProblem(found);
  };

  const send = (): void => {
    const text = box.current?.get() ?? "";
    if (text === "" && justSent.current) return;
    const draft = tidy({ ...(asking ? who : known), topic, content: text });
    const found = draftProblem(inRoom ? { ...draft, topic: DEFAULT_TOPIC } : draft);
    if (found) return complain(found);
    setProblem(undefined);
    identity.set(draft.name, draft.email);
    setChanging(false);
    const parent = answered.value;
    if (part && passing) {
      const why = part.sendFleeting(draft);
      if (why !== undefined) return setNote(why);
    } else {
      chat.send({ ...draft, ...(replies && parent?.topic === draft.topic && { reply_to: parent.id }) });
      answered.value = undefined;
    }
    write("");
    justSent.current = true;
    query.value = "";
    askNewest();
    // Into another topic than the one on the screen: follow it there.
    if (view !== ALL && draft.topic !== view) goTo(draft.topic);
    else if (view === ALL) setTopic(draft.topic);
    focusMessage();
  };

  /** Shares what was given, as soon as it could be used. */
  const share = (): boolean => {
    const { name, email } = tidy({ ...who, topic, content: "" });
    if (oneLine(name, MAX_NAME) === undefined || !isAddress(email)) return false;
    identity.set(name, email);
    return true;
  };
  const done = (): void => {
    if (share()) {
      setChanging(false);
      setProblem(undefined);
      focusMessage();
    } else {
      const found = draftProblem({ ...tidy({ ...who, topic, content: "" }), topic: DEFAULT_TOPIC, content: "x" });
      if (found) complain(found);
    }
  };

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    // 229: some browsers end a composition before the key that ended it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    // A touch keyboard has no Shift+Enter: there Enter is a new line and Send sends.
    if (matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    send();
  };

  const twins = usePart(topic !== usualTopic(view), () => import("./twins.ts"));
  const twin = twins?.twinOf(topic, chat.state.value.topics);
  return (
    <form
      class={`composer${asking ? " asking" : ""}${passing ? " passing" : ""}`}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="over">
        <p class="problem" id="problem" role="alert" dir="auto">
          {problem?.message}
        </p>
        {note !== "" && !problem && (
          <p class="note" id="note">
            {note}
          </p>
        )}
        {part && <part.Over setTopic={setTopic} />}
        {twin !== undefined && (
          <p class="note">
            There is a topic <bdi>“{twin}”</bdi> already; this would be another one.{" "}
            <button type="button" onClick={() => setTopic(twin)}>
              Use <bdi>“{twin}”</bdi>
            </button>
          </p>
        )}
        {asking && (
          <WhoSheet
            value={who}
            problem={problem}
            refs={fields}
            changing={complete}
            onInput={(value) => {
              setWho(value);
              setProblem((before) => (before?.field === "name" || before?.field === "email" ? undefined : before));
            }}
            onLeave={() => {
              // Given for the first time: shared at once, and open here until it is done or a message goes out.
              if (!complete && share()) setChanging(true);
            }}
            onDone={done}
            onEnter={(event) => {
              if (!isBlank(box.current?.get() ?? "")) return;
              event.preventDefault();
              done();
            }}
            onCancel={() => {
              setWho(known);
              setChanging(false);
              setProblem(undefined);
              focusMessage();
            }}
          />
        )}
      </div>
      <div class="line">
        <label class="field to">
          <span>Topic</span>
          <input
            ref={fields.topic}
            value={nameOf(topic)}
            readOnly={inRoom}
            onInput={(event) => {
              setTopic(typed(event.currentTarget));
              settle("topic");
            }}
            aria-invalid={problem?.field === "topic"}
            aria-describedby={problem?.field === "topic" ? "problem" : undefined}
            placeholder="Name it"
            dir="auto"
            type="text"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
          />
        </label>
        {!asking && (
          <WhoButton
            value={known}
            onClick={() => {
              if (session.value) {
                accountOpen.value = true;
                return;
              }
              setWho(known);
              setChanging(true);
              requestAnimationFrame(() => fields.name.current?.focus());
            }}
          />
        )}
        <ConnectionDot chat={chat} />
      </div>
      <div class="writing">
        <MessageBox
          handle={box}
          placeholder={topic.trim() === "" ? "Write a message" : `Message ${nameOf(topic.trim())}`}
          describedBy={note === "" ? undefined : "note"}
          onInput={(text, cut) => {
            justSent.current = false;
            heed(text, cut);
            settle("content");
          }}
          onKeyDown={onKeyDown}
        />
        {room !== undefined && (
          <span class={room < 0 ? "room over" : "room"} aria-hidden="true">
            {room}
          </span>
        )}
        {part && <part.Keep />}
        <button type="submit" class="send">
          Send
        </button>
      </div>
    </form>
  );
}
