/** One message. Renders again only when something of it changed. */

import { Component, type ComponentChildren, type JSX } from "preact";
import { linkTo } from "../route.ts";
import type { Entry } from "../outbox/entry.ts";
import type { Message } from "../protocol/message.ts";
import { clockTime, fullTime, hue, initials } from "./format.ts";
import { RichText } from "./RichText.tsx";

export interface RowProps {
  readonly message: Message;
  /** Heading above it, when a new day begins with it. */
  readonly day: string | undefined;
  /** The first that was not read when the view was opened. */
  readonly firstUnread: boolean;
  /** Follows one of the same sender closely: no head of its own. */
  readonly grouped: boolean;
  /** Shows which topic it is in. */
  readonly withTopic: boolean;
}

export class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const now = this.props;
    return (
      next.message !== now.message ||
      next.day !== now.day ||
      next.firstUnread !== now.firstUnread ||
      next.grouped !== now.grouped ||
      next.withTopic !== now.withTopic
    );
  }

  render({ message, day, firstUnread, grouped, withTopic }: RowProps): JSX.Element {
    return (
      <li class={grouped ? "row grouped" : "row"} data-id={message.id} tabIndex={-1}>
        <Day day={day} />
        {firstUnread && (
          <div class="unread">
            <span>New</span>
          </div>
        )}
        <Body message={message} withTopic={withTopic} time={new Date(message.time)} />
      </li>
    );
  }
}

function Day({ day }: { day: string | undefined }): JSX.Element | null {
  return day === undefined ? null : (
    <div class="day">
      <span>{day}</span>
    </div>
  );
}

export interface PendingRowProps extends Pick<RowProps, "day" | "grouped" | "withTopic"> {
  readonly entry: Entry;
  onRetry(key: string): void;
  onTakeBack(key: string): void;
}

/**
 * A message of the outbox that the log has not confirmed. As high as the row it will become, so that
 * nothing moves when it does.
 */
export function PendingRow({ entry, day, grouped, withTopic, onRetry, onTakeBack }: PendingRowProps): JSX.Element {
  const { failed } = entry;
  return (
    <li class={`row ${failed ? "failed" : "pending"}${grouped ? " grouped" : ""}`} tabIndex={-1}>
      <Day day={day} />
      <Body message={entry} withTopic={withTopic} time={new Date(entry.created)}>
        {failed ? (
          <div class="outcome">
            <span>Not sent: {failed.message}</span>{" "}
            <button type="button" onClick={() => onRetry(entry.key)}>
              Retry
            </button>{" "}
            <button type="button" onClick={() => onTakeBack(entry.key)}>
              Edit
            </button>
          </div>
        ) : (
          <span class="sending">Sending…</span>
        )}
      </Body>
    </li>
  );
}

function Body(props: {
  message: Omit<Message, "id" | "time">;
  withTopic: boolean;
  time: Date;
  children?: ComponentChildren;
}): JSX.Element {
  const { message, withTopic, time, children } = props;
  return (
    <div class="message">
      <div class="avatar" style={{ "--hue": String(hue(message.email)) }} aria-hidden="true">
        {initials(message.name)}
      </div>
      <div class="head">
        <bdi class="name" title={message.email} style={{ "--hue": String(hue(message.email)) }}>
          {message.name}
        </bdi>{" "}
        {withTopic && (
          <>
            <a class="topic" href={linkTo(message.topic)} dir="auto" tabIndex={-1}>
              {message.topic}
            </a>{" "}
          </>
        )}
        <time dateTime={time.toISOString()} title={fullTime(time)}>
          {clockTime(time)}
        </time>{" "}
        <span class="more">
          <bdi class="email">{message.email}</bdi> <span class="date">{fullTime(time)}</span>
        </span>
      </div>
      <div class="content" dir="auto">
        <RichText text={message.content} />
      </div>
      {children}
    </div>
  );
}
