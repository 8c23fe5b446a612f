/** Where messages are written: the message, and quietly who writes and where. */

import type { JSX, RefObject, TargetedKeyboardEvent } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import { codePoints, DEFAULT_TOPIC, draftProblem, MAX_CONTENT, type DraftProblem } from "../protocol/message.ts";
import type { Reading } from "../reading.ts";
import { goTo } from "../route.ts";
import type { Saved } from "../saved.ts";
import { ALL } from "../store/state.ts";
import { askNewest, focusMessage, query } from "./ui.ts";

/** The room left is shown from here on, in characters. */
const COUNT_FROM = 400;

export interface ComposerProps {
  readonly chat: Chat;
  readonly saved: Saved;
  readonly reading: Reading;
  readonly view: string;
  /** A text to go on with, put here from outside; taken when `id` changes. */
  readonly returned: { readonly id: number; readonly text: string };
}

/** What stands in a topic field that was not touched. */
function usualTopic(view: string): string {
  return view === ALL ? DEFAULT_TOPIC : view;
}

export function Composer({ chat, saved, reading, view, returned }: ComposerProps): JSX.Element {
  const [name, setName] = useState(() => saved.get("name"));
  const [email, setEmail] = useState(() => saved.get("email"));
  const [topic, setTopic] = useState(usualTopic(view));
  const [content, setContentState] = useState(() => saved.get(`draft.${view}`));
  const [problem, setProblem] = useState<DraftProblem>();
  const fields = {
    name: useRef<HTMLInputElement>(null),
    email: useRef<HTMLInputElement>(null),
    topic: useRef<HTMLInputElement>(null),
    content: useRef<HTMLTextAreaElement>(null),
  };

  const setContent = (text: string): void => {
    setContentState(text);
    saved.set(`draft.${view}`, text);
  };

  useEffect(() => {
    setTopic(usualTopic(view));
    setContentState(saved.get(`draft.${view}`));
    setProblem(undefined);
  }, [view]);

  useEffect(() => {
    if (returned.id === 0) return;
    setContent(content.trim() === "" ? returned.text : `${content}\n${returned.text}`);
    focusMessage();
  }, [returned.id]);

  // After rendering: on a low screen the fields come back only to be asked for.
  useLayoutEffect(() => {
    if (problem) fields[problem.field].current?.focus();
  }, [problem]);

  // As tall as the text, where the browser cannot do it by itself.
  useLayoutEffect(() => {
    const el = fields.content.current;
    if (!el || CSS.supports("field-sizing", "content")) return;
    el.style.height = "auto";
    el.style.height = `${el.scrollHeight}px`;
  }, [content]);

  const send = (): void => {
    const draft = { name: name.trim(), email: email.trim(), topic: topic.trim(), content };
    const found = draftProblem(draft);
    setProblem(found);
    if (found) return;
    saved.set("name", draft.name);
    saved.set("email", draft.email);
    reading.setEmail(draft.email);
    chat.send(draft);
    setContent("");
    query.value = "";
    askNewest();
    // Into another topic than the one on the screen: follow it there.
    if (view !== ALL && draft.topic !== view) goTo(draft.topic);
    fields.content.current?.focus();
  };

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    // 229: some browsers end a composition before the key that ended it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    // A touch keyboard has no Shift+Enter: there Enter is a new line and Send sends.
    if (!matchMedia("(pointer: fine)").matches) return;
    event.preventDefault();
    send();
  };

  const field = (
    id: "name" | "email" | "topic",
    label: string,
    ref: RefObject<HTMLInputElement | null>,
    value: string,
    set: (value: string) => void,
    inputMode: "text" | "email",
    autocomplete: "name" | "email" | "off",
  ): JSX.Element => (
    <label class="field">
      <span>{label}</span>
      <input
        ref={ref}
        value={value}
        onInput={(event) => {
          set(event.currentTarget.value);
          if (problem?.field === id) setProblem(undefined);
        }}
        aria-invalid={problem?.field === id}
        aria-describedby={problem?.field === id ? "problem" : undefined}
        dir="auto"
        type="text"
        inputMode={inputMode}
        autocomplete={autocomplete}
        autocapitalize={id === "name" ? "words" : "off"}
        spellcheck={false}
      />
    </label>
  );

  const room = content.length > MAX_CONTENT - COUNT_FROM ? MAX_CONTENT - codePoints(content) : undefined;
  return (
    <form
      class="composer"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <p class="problem" id="problem" role="alert">
        {problem?.message}
      </p>
      <div class="writing">
        <textarea
          id="message"
          ref={fields.content}
          aria-label="Message"
          placeholder={view === ALL ? "Write a message" : `Message ${view}`}
          rows={1}
          dir="auto"
          enterkeyhint="enter"
          value={content}
          onInput={(event) => {
            setContent(event.currentTarget.value);
            if (problem?.field === "content") setProblem(undefined);
          }}
          onKeyDown={onKeyDown}
        />
        {room !== undefined && (
          <span class={room < 0 ? "room over" : "room"} aria-hidden="true">
            {room}
          </span>
        )}
        <button type="submit" class="send">
          Send
        </button>
      </div>
      <div class="who">
        {field("name", "Name", fields.name, name, setName, "text", "name")}
        {field("email", "Email", fields.email, email, setEmail, "email", "email")}
        {field("topic", "Topic", fields.topic, topic, setTopic, "text", "off")}
      </div>
    </form>
  );
}
