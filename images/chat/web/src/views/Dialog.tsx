/** What the dialogs of people and rooms are made of: a modal frame, labelled fields, one place for a refusal. */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

export interface DialogProps {
  readonly title: string;
  onClose(): void;
  readonly children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="sheet" aria-labelledby={id} onClose={onClose}>
      <h2 id={id} dir="auto">
        {title}
      </h2>
      {children}
      <button type="button" class="close" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}

export interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly type?: "text" | "email" | "password";
  readonly autocomplete: string;
  readonly value?: string;
  readonly focus?: boolean;
  readonly hint?: string;
}

/** Not controlled: a password manager fills it, and the form reads it. */
export function Field({ label, name, type = "text", autocomplete, value = "", focus, hint }: FieldProps): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => void (focus && field.current?.focus()), []);
  return (
    <label class="entry">
      <span>{label}</span>
      <input
        ref={field}
        name={name}
        type={type as "text"}
        defaultValue={value}
        autocomplete={autocomplete}
        aria-describedby={hint ? id : undefined}
        autocapitalize={name === "name" ? "words" : "off"}
        spellcheck={false}
        dir="auto"
      />
      {hint && <small id={id}>{hint}</small>}
    </label>
  );
}

export type Fields = Readonly<Record<string, string>>;

export interface FormProps {
  readonly label: string;
  readonly action: string;
  readonly danger?: boolean;
  /** What went wrong, in words; undefined when it was done. */
  submit(fields: Fields): Promise<string | undefined>;
  readonly children: ComponentChildren;
}

/** A form that sends one thing at a time and says why it was refused, to eyes and ears. */
export function Form({ label, action, danger, submit, children }: FormProps): JSX.Element {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  return (
    <form
      aria-label={label}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (busy) return;
        const form = event.currentTarget;
        setBusy(true);
        setProblem("");
        void submit(Object.fromEntries(new FormData(form)) as Fields).then((found) => {
          setBusy(false);
          setProblem(found ?? "");
        });
      }}
    >
      {children}
      <p class="problem" role="alert" dir="auto">
        {problem}
      </p>
      <button type="submit" class={danger ? "act danger" : "act"} aria-disabled={busy}>
        {busy ? "One moment…" : action}
      </button>
    </form>
  );
}
