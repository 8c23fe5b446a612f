/** One message with the replies to it, in place of the log. */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { talk } from "../conversation/talk.ts";
import type { Message } from "../protocol/message.ts";
import { nameOf } from "../rooms.ts";
import { held, reply } from "./Around.tsx";
import { dayName, sameDay } from "./format.ts";
import { Row } from "./Row.tsx";
import { stepThrough } from "./steps.ts";
import { answered, focusMessage, target, thread, today } from "./ui.ts";
import { counted } from "./words.ts";

const PAGE = 50;

export function Thread({ message }: { message: Message }): JSX.Element {
  const { messages, epoch } = talk.chat.state.value;
  const parent = held(message.id) ?? message;
  /** Where older replies go on; undefined: all are here. */
  const [before, setBefore] = useState<string>();
  const [trouble, setTrouble] = useState("");
  const log = useRef<HTMLDivElement>(null);
  /** Which of the replies held follow each other without a gap: those from here on. */
  const [from, setFrom] = useState("~");

  const ask = async (older: string | undefined): Promise<void> => {
    const answer = await talk.questions.ask({
      reply_to: message.id,
      limit: PAGE,
      ...(older !== undefined && { before: older }),
    });
    if (thread.value?.id !== message.id) return;
    if (answer.type === "error") return setTrouble(answer.code === "not_found" ? "This message is not there any more." : answer.message);
    setTrouble("");
    const first = answer.messages[0]?.id;
    setBefore(answer.more ? (answer.before ?? first) : undefined);
    setFrom((now) => (answer.more ? (first ?? now) : ""));
  };
  useEffect(() => {
    setBefore(undefined);
    setFrom("~");
    void ask(undefined);
  }, [message.id, epoch]);
  useEffect(() => {
    reply(message);
    return () => {
      if (answered.value?.id === message.id) answered.value = undefined;
    };
  }, [message.id]);

  const replies = useMemo(
    () => messages.filter(({ reply_to, id }) => reply_to === message.id && id >= from),
    [messages, message.id, from],
  );
  useLayoutEffect(() => {
    if (log.current) log.current.scrollTop = log.current.scrollHeight;
  }, [replies.at(-1)?.id]);

  const leave = (to?: string): void => {
    thread.value = undefined;
    target.value = to;
    focusMessage();
  };
  const total = parent.replies ?? replies.length;
  const rows = [parent, ...replies];
  return (
    <div class="log-frame">
      <div class="found">
        <p>
          {total === 0 ? "No replies yet" : total === 1 ? "1 reply" : `${total.toLocaleString()} replies`} in <bdi>{nameOf(parent.topic)}</bdi>
        </p>
        <button type="button" onClick={() => leave(message.id)}>
          Show in the log
        </button>
        <button type="button" onClick={() => leave()}>
          Leave replies
        </button>
      </div>
      <div class="log replies" role="log" aria-label="Messages" aria-live="off" tabIndex={0} ref={log} onKeyDown={stepThrough}>
        <p class="log-start" role="status">
          {trouble !== "" && (
            <>
              <bdi>{trouble}</bdi>{" "}
              <button type="button" onClick={() => void ask(before)}>
                Try again
              </button>
            </>
          )}
          {before !== undefined && trouble === "" && (
            <button type="button" onClick={() => void ask(before)}>
              {counted(PAGE, "earlier reply").replace("replys", "replies")}
            </button>
          )}
        </p>
        <ol>
          {rows.map((said, i) => {
            const time = new Date(said.time);
            const above = rows[i - 1];
            const day = above && sameDay(new Date(above.time), time) ? undefined : dayName(time, today.value);
            return <Row key={said.id} message={said} day={day} firstUnread={false} grouped={false} />;
          })}
        </ol>
      </div>
    </div>
  );
}
