/** One message. Renders again only when something of it changed. */

import { Component, type ComponentChildren, type JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Entry } from "../outbox/entry.ts";
import type { Message } from "../protocol/message.ts";
import { isRoom, nameOf } from "../rooms.ts";
import { linkTo } from "../route.ts";
import { excerpt } from "./fold.ts";
import { clockTime, fullTime, hue, initials } from "./format.ts";
import { plain, RichText, type Mark } from "./RichText.tsx";
import { conversation } from "./ui.ts";
import { counted } from "./words.ts";

export interface RowProps {
  readonly message: Message;
  /** Heading above it, when a new day begins with it. */
  readonly day: string | undefined;
  /** The first that was not read when the view was opened. */
  readonly firstUnread: boolean;
  /** Follows one of the same sender closely: no head of its own. */
  readonly grouped: boolean;
  /** Marks what a search found. */
  readonly mark?: Mark;
}

export class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const now = this.props;
    return (
      next.message !== now.message ||
      next.day !== now.day ||
      next.firstUnread !== now.firstUnread ||
      next.grouped !== now.grouped ||
      next.mark !== now.mark
    );
  }

  render({ message, day, firstUnread, grouped, mark = plain }: RowProps): JSX.Element {
    return (
      <>
        <Day day={day} />
        <li class={grouped ? "row grouped" : "row"} data-id={message.id} tabIndex={-1}>
          {firstUnread && (
            <div class="unread">
              <span>New</span>
            </div>
          )}
          <Body message={message} id={message.id} mark={mark} time={new Date(message.time)}>
            <Around message={message} />
          </Body>
        </li>
      </>
    );
  }
}

/** The numbers of a message, and what can be done with it; room is kept until that part is there. */
function Around({ message }: { message: Message }): JSX.Element | null {
  const part = conversation.value;
  if (part) return <part.Around message={message} />;
  return message.up || message.down || message.replies ? <div class="numbers" /> : null;
}

/** An item of its own, so that no message moves when an older one of the same day comes before it. */
function Day({ day }: { day: string | undefined }): JSX.Element | null {
  return day === undefined ? null : (
    <li class="day">
      <span>{day}</span>
    </li>
  );
}

export interface PendingRowProps extends Pick<RowProps, "day" | "grouped"> {
  readonly entry: Entry;
  onRetry(key: string): void;
  onEdit(key: string): void;
  onDiscard(key: string): void;
}

/** Sending takes this long before one may want to do something about it. Ms. */
const SLOW_MS = 2_000;

/**
 * A message of the outbox that the log has not confirmed. As high as the row it will become, so that
 * nothing moves when it does; higher when there is something to decide.
 */
export function PendingRow({ entry, day, grouped, onRetry, onEdit, onDiscard }: PendingRowProps): JSX.Element {
  const { failed, key } = entry;
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <>
      <Day day={day} />
      <li class={`row ${failed ? "failed" : "pending"}${grouped ? " grouped" : ""}`} tabIndex={-1}>
        <Body message={entry} id={key} mark={plain} time={new Date(entry.created)}>
          {failed || slow ? (
            <div class="outcome">
              <span>
                {failed ? "Not sent: " : "Not sent yet. "}
                {failed && <bdi>{failed.message}</bdi>}
              </span>{" "}
              <button type="button" onClick={() => onRetry(key)}>
                Retry
              </button>{" "}
              <button type="button" onClick={() => onEdit(key)}>
                Edit
              </button>{" "}
              <button type="button" onClick={() => onDiscard(key)}>
                Discard
              </button>
            </div>
          ) : (
            <span class="sending">Sending…</span>
          )}
        </Body>
      </li>
    </>
  );
}

function Quote({ id }: { id: string }): JSX.Element {
  const part = conversation.value;
  return <div class="quote">{part && <part.Quote id={id} />}</div>;
}

export function Body(props: {
  message: Omit<Message, "id" | "time">;
  id: string;
  mark: Mark;
  time: Date;
  children?: ComponentChildren;
}): JSX.Element {
  const { message, id, mark, time, children } = props;
  return (
    <div class="message">
      <div class="avatar" style={{ "--hue": String(hue(message.email)) }} aria-hidden="true">
        {initials(message.name)}
      </div>
      <div class="head">
        <bdi class="name" style={{ "--hue": String(hue(message.email)) }}>
          {mark(message.name)}
        </bdi>{" "}
        <bdi class="email">
          {mark(message.email)}
        </bdi>{" "}
        {message.verified && (
          <span class="verified" title="Posted by the account that holds this address here; nobody has checked the mailbox.">
            verified
          </span>
        )}{" "}
        <a class={isRoom(message.topic) ? "topic of-room" : "topic"} href={linkTo(message.topic)} tabIndex={-1}>
          <bdi>
            {mark(nameOf(message.topic))}
          </bdi>
        </a>{" "}
        <time dateTime={time.toISOString()} title={fullTime(time)}>
          {clockTime(time)}
        </time>{" "}
      </div>
      {message.reply_to !== undefined && <Quote id={message.reply_to} />}
      {message.deleted ? <p class="content gone">This message was deleted.</p> : <Content id={id} text={message.content} mark={mark} />}
      {children}
    </div>
  );
}

/** Messages that were unfolded, also while they are out of sight. */
const unfolded = new Set<string>();

function Content({ id, text, mark }: { id: string; text: string; mark: Mark }): JSX.Element {
  const [open, setOpen] = useState(() => unfolded.has(id));
  const short = excerpt(text);
  const lines = short === undefined ? 0 : text.split("\n").length;
  return (
    <>
      <div class="content" dir="auto">
        <RichText text={open ? text : (short ?? text)} mark={mark} />
      </div>
      {short !== undefined && (
        <button
          type="button"
          class="fold"
          aria-expanded={open}
          onClick={() => {
            if (open) unfolded.delete(id);
            else unfolded.add(id);
            setOpen(!open);
          }}
        >
          {open ? "Show less" : `Show all${lines > 2 ? ` (${counted(lines, "line")})` : ""}`}
        </button>
      )}
    </>
  );
}
