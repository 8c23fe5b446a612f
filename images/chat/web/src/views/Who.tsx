/** Who writes: asked for once, in a sheet above the message; then one line that opens it again. */

import type { JSX, RefObject } from "preact";
import type { DraftProblem } from "../protocol/message.ts";
import { session } from "../session.ts";
import { typed } from "./field.ts";
import { Icon } from "./Icon.tsx";

export interface WhoFields {
  readonly name: string;
  readonly email: string;
}

export interface WhoSheetProps {
  readonly value: WhoFields;
  readonly problem: DraftProblem | undefined;
  readonly refs: { readonly name: RefObject<HTMLInputElement | null>; readonly email: RefObject<HTMLInputElement | null> };
  /** Was it opened to change what is known? Then it can be closed. */
  readonly changing: boolean;
  onInput(value: WhoFields): void;
  /** A field was left. */
  onLeave(): void;
  onDone(): void;
  /** Enter in a field: it sends, unless that is prevented. */
  onEnter(event: Event): void;
  onCancel(): void;
}

export function WhoSheet(props: WhoSheetProps): JSX.Element {
  const { value, problem, refs, changing, onInput, onLeave, onDone, onEnter, onCancel } = props;
  const field = (id: "name" | "email", label: string): JSX.Element => (
    <label class="field">
      <span>{label}</span>
      <input
        ref={refs[id]}
        value={value[id]}
        onInput={(event) => onInput({ ...value, [id]: typed(event.currentTarget) })}
        onChange={onLeave}
        aria-invalid={problem?.field === id}
        aria-describedby={problem?.field === id ? "problem" : "why"}
        dir="auto"
        type="text"
        inputMode={id === "email" ? "email" : "text"}
        autocomplete={id}
        autocapitalize={id === "name" ? "words" : "off"}
        spellcheck={false}
      />
    </label>
  );
  return (
    <div
      class="who"
      role="group"
      aria-label="Who you are"
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.target as Element).matches("input")) onEnter(event);
        if (event.key !== "Escape" || !changing) return;
        event.preventDefault();
        onCancel();
      }}
    >
      {field("name", "Name")}
      {field("email", "Email")}
      <p class="why" id="why">
        Shown with each of your messages, to everybody. No account is made.
      </p>
      <button type="button" class="done" onClick={onDone}>
        Done
      </button>
    </div>
  );
}

export function WhoButton({ value, onClick }: { value: WhoFields; onClick: () => void }): JSX.Element {
  return (
    <button
      type="button"
      class="as"
      onClick={onClick}
      aria-label={`${session.value ? "Signed in as" : "Name and email:"} ${value.name}, ${value.email}`}
    >
      <Icon name="person" />
      <bdi>{value.name}</bdi>
    </button>
  );
}
