/**
 * The box a message is written in. Its text lives in the DOM and passes through no state, so that a
 * long one costs what it costs in a bare textarea; one far too long is cut when it comes.
 */

import type { JSX, RefObject, TargetedKeyboardEvent } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { wellFormed } from "../protocol/text.ts";
import { typed } from "./field.ts";

/** More than this is not taken in, in UTF-16 units: five times what a message holds. */
export const MAX_TYPED = 20_000;

export interface MessageBoxHandle {
  get(): string;
  /** Puts a text in and returns what of it was taken. */
  set(text: string): string;
}

export interface MessageBoxProps {
  readonly handle: RefObject<MessageBoxHandle | null>;
  readonly placeholder: string;
  readonly describedBy: string | undefined;
  /** The text as it is now; was something too long cut? */
  onInput(text: string, cut: boolean): void;
  onKeyDown(event: TargetedKeyboardEvent<HTMLTextAreaElement>): void;
}

export function MessageBox({ handle, placeholder, describedBy, onInput, onKeyDown }: MessageBoxProps): JSX.Element {
  const area = useRef<HTMLTextAreaElement>(null);
  const hear = useRef(onInput);
  hear.current = onInput;

  useLayoutEffect(() => {
    handle.current = {
      get: () => area.current?.value ?? "",
      set(text) {
        const kept = wellFormed(text.slice(0, MAX_TYPED));
        if (area.current && area.current.value !== kept) area.current.value = kept;
        fit(area.current);
        return kept;
      },
    };
  }, []);

  // A paste of a megabyte is cut before the browser lays it out.
  useEffect(() => {
    const el = area.current;
    if (!el) return undefined;
    const onBeforeInput = (event: InputEvent): void => {
      const data = event.data ?? event.dataTransfer?.getData("text/plain") ?? "";
      const others = el.value.length - (el.selectionEnd - el.selectionStart);
      if (others + data.length <= MAX_TYPED || data === "" || event.isComposing) return;
      event.preventDefault();
      el.setRangeText(data.slice(0, Math.max(0, MAX_TYPED - others)), el.selectionStart, el.selectionEnd, "end");
      hear.current(typed(el), true);
      fit(el);
    };
    el.addEventListener("beforeinput", onBeforeInput);
    return () => el.removeEventListener("beforeinput", onBeforeInput);
  }, []);

  useLayoutEffect(() => fit(area.current), []);

  return (
    <textarea
      id="message"
      ref={area}
      aria-label="Message"
      aria-describedby={describedBy}
      placeholder={placeholder}
      rows={1}
      dir="auto"
      enterkeyhint="enter"
      onInput={({ currentTarget }) => {
        const cut = currentTarget.value.length > MAX_TYPED;
        if (cut) currentTarget.value = currentTarget.value.slice(0, MAX_TYPED);
        onInput(typed(currentTarget), cut);
        fit(currentTarget);
      }}
      onKeyDown={onKeyDown}
    />
  );
}

/** As tall as the text, where the browser cannot do it by itself. */
function fit(area: HTMLTextAreaElement | null): void {
  if (!area || CSS.supports("field-sizing", "content")) return;
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}
