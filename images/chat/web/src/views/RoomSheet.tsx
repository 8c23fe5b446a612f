/** Making a private room, and what its members and its creator may do with it. Loaded when asked for. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Person, Room } from "../protocol/frames.ts";
import { newKey } from "../protocol/message.ts";
import { goTo, viewOf } from "../route.ts";
import { rooms } from "../rooms.ts";
import { session } from "../session.ts";
import { ALL } from "../store/state.ts";
import { call } from "./call.ts";
import { Dialog, Field, Form } from "./Dialog.tsx";
import { leaving } from "./RoomKeeper.tsx";
import { NEW_ROOM, notice, roomOpen } from "./ui.ts";
import { counted, isolate } from "./words.ts";

type Whole = Room & { readonly members: readonly Person[] };

export function RoomSheet(): JSX.Element | null {
  const room = roomOpen.value;
  const close = (): void => void (roomOpen.value = undefined);
  if (room === undefined) return null;
  return room === NEW_ROOM ? <NewRoom onClose={close} /> : <OneRoom key={room} room={room} onClose={close} />;
}

function NewRoom({ onClose }: { onClose: () => void }): JSX.Element {
  // One key for as long as the sheet is open: a retry is not a second room.
  const [key, setKey] = useState(newKey);
  return (
    <Dialog title="New private room" onClose={onClose}>
      <Form
        label="New private room"
        action="Make the room"
        submit={async ({ name = "", members = "" }) => {
          const { body, problem } = await call<Room>("POST", "rooms", { key, name, members: addresses(members) });
          if (!body) {
            setKey(newKey());
            return problem;
          }
          // The server's own word on it is under way.
          rooms.value = new Map(rooms.value).set(body.room, body);
          onClose();
          goTo(body.room);
          return undefined;
        }}
      >
        <p>Only its members know that it is there.</p>
        <Field label="Name of the room" name="name" autocomplete="off" focus />
        <Field label="Members" name="members" autocomplete="off" hint="Addresses of people with an account, with spaces or commas between. You are one already." />
      </Form>
    </Dialog>
  );
}

function OneRoom({ room, onClose }: { room: string; onClose: () => void }): JSX.Element {
  const known = rooms.value?.get(room);
  const [whole, setWhole] = useState<Whole>();
  const [problem, setProblem] = useState("");
  const [asked, setAsked] = useState<Question>();
  const me = session.value?.account;
  const mine = whole?.creator === me;
  const path = `rooms/${encodeURIComponent(room)}`;
  const refresh = async (): Promise<void> => {
    const answer = await call<Whole>("GET", path);
    if (answer.body) setWhole(answer.body);
    else setProblem(answer.problem ?? "");
  };
  // Somebody may change it meanwhile; once one has left it, there is nothing to be had.
  useEffect(() => void (leaving.value === room || refresh()), [known]);
  const act = async (method: string, at: string, body?: object): Promise<string | undefined> => {
    setProblem("");
    const answer = await call(method, path + at, body);
    if (answer.problem === undefined) await refresh();
    return answer.problem;
  };
  const gone = (words: string): void => {
    onClose();
    // Not away from where one went meanwhile.
    if (viewOf(location.hash) === room) goTo(ALL);
    notice.value = words;
  };
  const name = isolate(known?.name ?? whole?.name ?? "");
  return (
    <Dialog title={name} onClose={onClose}>
      {whole && (
        <>
          <p>{counted(whole.members.length, "member")}</p>
          <ul class="members">
            {whole.members.map((person) => (
              <li key={person.account}>
                <span>
                  <bdi>{person.name}</bdi> <small><bdi>{person.email}</bdi></small>
                  {person.account === whole.creator && <small> · creator</small>}
                  {person.account === me && <small> · you</small>}
                </span>
                {mine && person.account !== me && (
                  <>
                    <button type="button" onClick={() => setAsked({ what: "hand over", person })} aria-label={`Hand over to ${person.name}`}>
                      Hand over
                    </button>
                    <button
                      type="button"
                      onClick={() => void act("DELETE", member(person.email)).then((found) => setProblem(found ?? ""))}
                      aria-label={`Remove ${person.name}`}
                    >
                      Remove
                    </button>
                  </>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      <p class="problem" role="alert" dir="auto">
        {problem}
      </p>
      {whole && mine && (
        <>
          <Form
            key={`add-${whole.members.length}`}
            label="Add a member"
            action="Add"
            submit={async ({ email = "" }) => {
              const [address, ...more] = addresses(email);
              if (address === undefined || more.length > 0) return "Enter one address.";
              return act("PUT", member(address));
            }}
          >
            <Field label="Address of a new member" name="email" type="email" autocomplete="off" />
          </Form>
          <Form key={`name-${whole.name}`} label="Name of the room" action="Rename" submit={({ name = "" }) => act("PATCH", "", { name })}>
            <Field label="Name of the room" name="name" autocomplete="off" value={whole.name} />
          </Form>
        </>
      )}
      {whole && asked && (
        <Form
          key={asked.what}
          label={`Really ${asked.what}?`}
          action={asked.what === "hand over" ? "Yes, hand over" : `Yes, ${asked.what}`}
          danger
          submit={async () => {
            if (asked.what === "hand over") {
              const found = await act("PATCH", "", { creator: asked.person.account });
              if (found === undefined) setAsked(undefined);
              return found;
            }
            const leave = asked.what === "leave";
            leaving.value = room;
            const answer = await call("DELETE", leave ? path + member(session.value?.email ?? "") : path);
            if (answer.problem !== undefined) {
              leaving.value = undefined;
              return answer.problem;
            }
            gone(leave ? `You left “${name}”.` : `“${name}” is deleted.`);
            return undefined;
          }}
        >
          <p dir="auto">{question(asked, mine)}</p>
          <button type="button" class="other" onClick={() => setAsked(undefined)}>
            No
          </button>
        </Form>
      )}
      {whole && !asked && (
        <div class="choices">
          <button type="button" class="other" onClick={() => setAsked({ what: "leave" })}>
            Leave the room…
          </button>
          {mine && (
            <button type="button" class="other" onClick={() => setAsked({ what: "delete" })}>
              Delete the room…
            </button>
          )}
        </div>
      )}
    </Dialog>
  );
}

type Question = { readonly what: "leave" | "delete" } | { readonly what: "hand over"; readonly person: Person };

function question(asked: Question, mine: boolean): string {
  switch (asked.what) {
    case "hand over":
      return `${isolate(asked.person.name)} then decides who is a member, and you no longer do.`;
    case "leave":
      return mine
        ? "Whoever was a member longest becomes the creator. You see nothing of the room any more; when nobody is left, it is deleted."
        : "You see nothing of the room any more, until its creator adds you again.";
    case "delete":
      return "Nobody sees anything of it any more. This cannot be undone.";
  }
}

function member(email: string): string {
  return `/members/${encodeURIComponent(email)}`;
}

/** Addresses in a line; spaces inside quotes are part of one. */
export function addresses(text: string): readonly string[] {
  return text.match(/(?:"(?:\\.|[^"\\])*"|[^\s,;"])+/gu) ?? [];
}
