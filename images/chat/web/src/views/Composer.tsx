/** Where messages are written: the message, and quietly who writes and where. */

import type { JSX, RefObject, TargetedKeyboardEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import { DEFAULT_TOPIC, draftProblem, type DraftProblem } from "../protocol/message.ts";
import type { Saved } from "../saved.ts";
import { ALL } from "../store/state.ts";

export function Composer({ chat, saved, view }: { chat: Chat; saved: Saved; view: string }): JSX.Element {
  const [name, setName] = useState(() => saved.get("name"));
  const [email, setEmail] = useState(() => saved.get("email"));
  const [topic, setTopic] = useState(view === ALL ? DEFAULT_TOPIC : view);
  const [content, setContent] = useState("");
  const [problem, setProblem] = useState<DraftProblem>();
  const fields = {
    name: useRef<HTMLInputElement>(null),
    email: useRef<HTMLInputElement>(null),
    topic: useRef<HTMLInputElement>(null),
    content: useRef<HTMLTextAreaElement>(null),
  };
  useEffect(() => setTopic(view === ALL ? DEFAULT_TOPIC : view), [view]);

  const send = (): void => {
    const draft = { name: name.trim(), email: email.trim(), topic: topic.trim(), content };
    const found = draftProblem(draft);
    setProblem(found);
    if (found) return fields[found.field].current?.focus();
    saved.set("name", draft.name);
    saved.set("email", draft.email);
    chat.send(draft);
    setContent("");
    fields.content.current?.focus();
  };

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    // 229: some browsers end a composition before the key that ended it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (!matchMedia("(pointer: fine)").matches) return;
    event.preventDefault();
    send();
  };

  const field = (
    label: "Name" | "Email" | "Topic",
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
        onInput={(event) => set(event.currentTarget.value)}
        aria-invalid={problem?.field === label.toLowerCase()}
        dir="auto"
        type="text"
        inputMode={inputMode}
        autocomplete={autocomplete}
      />
    </label>
  );

  return (
    <form
      class="composer"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="writing">
        <textarea
          ref={fields.content}
          aria-label="Message"
          placeholder="Write a message"
          rows={1}
          dir="auto"
          value={content}
          onInput={(event) => setContent(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button type="submit" class="send">
          Send
        </button>
      </div>
      <div class="who">
        {field("Name", fields.name, name, setName, "text", "name")}
        {field("Email", fields.email, email, setEmail, "email", "email")}
        {field("Topic", fields.topic, topic, setTopic, "text", "off")}
        <span class="problem" role="alert">
          {problem?.message}
        </span>
      </div>
    </form>
  );
}
