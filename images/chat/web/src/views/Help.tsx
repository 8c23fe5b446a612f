/** The keys, on one sheet. */

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { conversation, helpOpen } from "./ui.ts";

const KEYS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [["Enter"], "Send"],
  [["Shift", "Enter"], "New line"],
  [["Alt", "↑"], "Topic above"],
  [["Alt", "↓"], "Topic below"],
  [["/"], "Search"],
  [["Esc"], "Newest message"],
  [["↑", "↓"], "Message by message, in the log"],
  [["?"], "This help"],
];

/** On a row of the log. */
const KEYS_OF_ROWS: typeof KEYS = [
  [["r"], "Reply to the message"],
  [["+", "-"], "Vote up, vote down"],
  [["t"], "The message with its replies"],
  [["Del"], "Delete one's own message"],
];

export function Help(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helpOpen.value = false)}>
      <h2 id="help-title">Keys</h2>
      <dl>
        {[...KEYS, ...(conversation.value ? KEYS_OF_ROWS : [])].map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key, i) => (
                <kbd key={i}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p>
        Write <code>`code`</code>, <code>**bold**</code>, <code>*italic*</code>, or fence code with <code>```</code>.
      </p>
      <button type="button" onClick={() => (helpOpen.value = false)}>
        Close
      </button>
    </dialog>
  );
}
