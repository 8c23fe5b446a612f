/** Above and beside the message box: what is answered, what can be undone, whether it is kept. */

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { changes, notice, talk } from "../conversation/talk.ts";
import { held } from "./Around.tsx";
import { answered, fleeting, focusMessage } from "./ui.ts";
import { clip } from "./clip.ts";
import { counted } from "./words.ts";

/** A notice is read in this time. Ms. */
const NOTICE_MS = 8_000;
const MAX_QUOTED = 100;

export function Over({ setTopic }: { setTopic(topic: string): void }): JSX.Element {
  void changes.value;
  const message = answered.value;
  const undoable = talk.deletions.undoable;
  const said = notice.value;
  // A deleted message takes no replies: what is written goes on as a message of its own.
  const gone = message !== undefined && held(message.id)?.deleted === true;
  useEffect(() => {
    if (!gone) return;
    answered.value = undefined;
    notice.value = "The message you replied to was deleted.";
  }, [gone]);
  // A reply is of its message's topic.
  useEffect(() => {
    if (message) setTopic(message.topic);
  }, [message]);
  useEffect(() => {
    if (said === "") return undefined;
    const timer = setTimeout(() => (notice.value = ""), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <>
      <div class="over-said" role="status" aria-label="Messages and votes">
        {said !== "" && (
          <p class="note">
            <bdi>{said}</bdi>
          </p>
        )}
        {undoable > 0 && (
          <p class="note">
            {undoable === 1 ? "The message is deleted." : `${counted(undoable, "message")} are deleted.`}{" "}
            <button
              type="button"
              onClick={() => {
                talk.deletions.undo();
                focusMessage();
              }}
            >
              Undo
            </button>
          </p>
        )}
      </div>
      {message && (
        <p class="note answering">
          <span>
            Replying to <bdi class="name">{message.name}</bdi>: <bdi>{clip(message.content.replace(/\s+/gu, " "), MAX_QUOTED)}</bdi>
          </span>{" "}
          <button
            type="button"
            onClick={() => {
              answered.value = undefined;
              focusMessage();
            }}
          >
            Don’t reply
          </button>
        </p>
      )}
    </>
  );
}

/** A message that is not kept reaches who is here now. */
export function Keep(): JSX.Element | null {
  if (answered.value) return null;
  return (
    <button
      type="button"
      class="keep"
      aria-pressed={fleeting.value}
      aria-label="Not kept"
      title="For who is here now: in no history, gone with a reload"
      onClick={() => {
        fleeting.value = !fleeting.value;
        focusMessage();
      }}
    >
      Not kept
    </button>
  );
}
