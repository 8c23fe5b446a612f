/** What is typed, made fit to be sent while it is typed. */

import { wellFormed } from "../protocol/text.ts";

/** The field's text; half a character in it is replaced, with the caret where it was. */
export function typed(field: HTMLInputElement | HTMLTextAreaElement): string {
  const text = wellFormed(field.value);
  if (text !== field.value) {
    const { selectionStart, selectionEnd } = field;
    field.value = text;
    field.setSelectionRange(selectionStart, selectionEnd);
  }
  return text;
}
