/** What stands around a message: what it answers, its numbers, and what can be done with it. */

import { Component, type JSX } from "preact";
import { changes, notice, talk } from "../conversation/talk.ts";
import type { Ephemeral, Message } from "../protocol/message.ts";
import { goTo, viewOf } from "../route.ts";
import { ALL } from "../store/state.ts";
import { Body } from "./Row.tsx";
import { plain } from "./RichText.tsx";
import { answered, fleeting, focusMessage, query, target, thread } from "./ui.ts";
import { clip } from "./clip.ts";
import { counted } from "./words.ts";

/** Characters of a message that is quoted. */
const MAX_QUOTED = 140;

/** The message with this id, if it is held. One index for each list, made when it is first asked. */
export function held(id: string): Message | undefined {
  const { messages } = talk.chat.state.value;
  if (indexed !== messages) {
    indexed = messages;
    index = new Map(messages.map((message) => [message.id, message]));
  }
  return index.get(id);
}
let indexed: readonly Message[] | undefined;
let index = new Map<string, Message>();

/** Shows a message in its place: where one is, or in its topic when it is not of what one looks at. */
export function showInLog(id: string, topic: string | undefined): void {
  query.value = "";
  thread.value = undefined;
  target.value = id;
  const view = viewOf(location.hash);
  if (topic !== undefined && view !== ALL && view !== topic) goTo(topic);
}

/** One line of what is answered; pressed, it leads there. */
export function Quote({ id }: { id: string }): JSX.Element {
  const parent = held(id);
  const show = (): void => showInLog(id, parent?.topic);
  return (
    <button type="button" tabIndex={-1} onClick={show}>
      <span class="vh">In reply to </span>
      {!parent ? (
        "an earlier message"
      ) : (
        <>
          <bdi class="name">{parent.name}</bdi> <bdi>{parent.deleted ? "(deleted)" : clip(parent.content.replace(/\s+/gu, " "), MAX_QUOTED)}</bdi>
        </>
      )}
    </button>
  );
}

/** Those on the screen, by message: only the one that is pointed at has buttons. */
const standing = new Map<string, Around>();
let chosen: string | undefined;

/** Follows the pointer and the keyboard over the rows. */
export function listen(): void {
  const choose = (event: Event): void => {
    const row = (event.target as Element | null)?.closest?.<HTMLElement>(".row[data-id]");
    const id = row?.dataset["id"];
    if (id === chosen) return;
    // A pointer that passes by takes no buttons away from under the keyboard.
    if (event.type === "pointerover" && document.activeElement?.matches(".row[data-id]:focus-visible, .tools :focus-visible")) return;
    const before = chosen;
    chosen = id;
    if (before !== undefined) standing.get(before)?.setState({});
    if (id !== undefined) standing.get(id)?.setState({});
  };
  // This part comes after the rows: the pointer or the keyboard may be on one already.
  const at = document.querySelector<HTMLElement>(".row[data-id]:focus-within") ?? document.querySelector<HTMLElement>(".row[data-id]:hover");
  chosen = at?.dataset["id"];
  document.addEventListener("pointerover", choose);
  document.addEventListener("focusin", choose);
  document.addEventListener("keydown", onKeyDown);
}

function onKeyDown(event: KeyboardEvent): void {
  const row = event.target as HTMLElement;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !row.matches(".row[data-id]")) return;
  const message = held(row.dataset["id"] ?? "");
  if (!message) return;
  const { key } = event;
  if (key === "r") reply(message);
  else if (key === "+" || key === "-") vote(message, key === "+" ? 1 : -1);
  else if (key === "t") thread.value = message;
  else if (key === "Delete" && talk.mayDelete(message)) talk.deletions.add(message.id);
  else return;
  event.preventDefault();
}

export function reply(message: Message): void {
  if (message.deleted) return;
  fleeting.value = false;
  answered.value = message;
  focusMessage();
}

function vote(message: Message, which: 1 | -1): void {
  if (message.deleted) return;
  if (talk.known()) return talk.votes.press(message, which);
  notice.value = "Enter your name and email to vote.";
  document.querySelector<HTMLInputElement>(".who input")?.focus();
}

export class Around extends Component<{ message: Message }> {
  override componentDidMount(): void {
    standing.set(this.props.message.id, this);
  }

  override componentWillUnmount(): void {
    const { id } = this.props.message;
    if (standing.get(id) === this) standing.delete(id);
  }

  render({ message }: { message: Message }): JSX.Element | null {
    void changes.value;
    const { up, down, vote: own } = talk.votes.shown(message);
    const { replies = 0, deleted = false, id } = message;
    const numbers = up > 0 || down > 0 || replies > 0;
    const leaving = talk.deletions.has(id);
    return (
      <>
        {leaving && <p class="leaving">Deleted</p>}
        {numbers && (
          <div class="numbers">
            {up > 0 && <Vote message={message} which={1} count={up} own={own} />}
            {down > 0 && <Vote message={message} which={-1} count={down} own={own} />}
            {replies > 0 && (
              <button type="button" tabIndex={-1} onClick={() => (thread.value = message)}>
                {counted(replies, "reply").replace("replys", "replies")}
              </button>
            )}
          </div>
        )}
        {chosen === id && !leaving && (
          <div class="tools" role="group" aria-label="This message">
            {!deleted && (
              <>
                <button type="button" title="Reply (r)" onClick={() => reply(message)}>
                  Reply
                </button>
                <Vote message={message} which={1} own={own} />
                <Vote message={message} which={-1} own={own} />
              </>
            )}
            <button type="button" title="Show with replies (t)" onClick={() => (thread.value = message)}>
              Replies
            </button>
            {talk.mayDelete(message) && (
              <button type="button" title="Delete (Del)" onClick={() => talk.deletions.add(id)}>
                Delete
              </button>
            )}
          </div>
        )}
      </>
    );
  }
}

function Vote(props: { message: Message; which: 1 | -1; own: number; count?: number }): JSX.Element {
  const { message, which, own, count } = props;
  const name = which === 1 ? "Vote up" : "Vote down";
  return (
    <button
      type="button"
      class="vote"
      // A count is seen without being pointed at; the keyboard has the buttons of the chosen row.
      tabIndex={count === undefined ? 0 : -1}
      aria-pressed={own === which}
      aria-label={count === undefined ? name : `${name}: ${count}`}
      title={`${name} (${which === 1 ? "+" : "-"})`}
      disabled={message.deleted}
      onClick={() => vote(message, which)}
    >
      {which === 1 ? "▲" : "▼"}
      {count !== undefined && ` ${count.toLocaleString()}`}
    </button>
  );
}

/** A message that is kept nowhere: gone with the page. */
export function Fleeting({ message }: { message: Ephemeral }): JSX.Element {
  return (
    <li class="row fleeting" tabIndex={-1}>
      <Body message={message} id={`${message.key} ${message.time}`} mark={plain} time={new Date(message.time)}>
        <span class="unkept">Not kept</span>
      </Body>
    </li>
  );
}
