/** Signing in, registering, and what belongs to one's account. Loaded when it is asked for. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { forget, takeOver } from "../handover.ts";
import { isRoom } from "../rooms.ts";
import { linkTo, viewOf } from "../route.ts";
import { browserStorage } from "../saved.ts";
import { renamed, session, type Session } from "../session.ts";
import { ALL } from "../store/state.ts";
import { call } from "./call.ts";
import { Dialog, Field, Form, type Fields } from "./Dialog.tsx";
import { accountOpen } from "./ui.ts";
import { counted } from "./words.ts";

const MIN_PASSWORD = 10;
const MAX_PASSWORD = 256;
const LENGTHS = `${MIN_PASSWORD} to ${MAX_PASSWORD} characters.`;

interface SignedIn {
  readonly account: Omit<Session, "token">;
  readonly token: string;
}

/** The dialog behind "Sign in" and behind one's own name. */
export function Account({ waiting, guest }: { waiting: number; guest: { readonly name: string; readonly email: string } }): JSX.Element | null {
  const close = (): void => void (accountOpen.value = false);
  if (!accountOpen.value) return null;
  const who = session.value;
  return who ? <Own who={who} waiting={waiting} onClose={close} /> : (
    <Dialog title="Sign in" onClose={close}>
      <SignIn name={guest.name} email={guest.email} />
    </Dialog>
  );
}

/** The whole page, where nothing is shown to who is not signed in (any more). */
export function Gate(): JSX.Element {
  const who = session.value;
  return (
    <div class="gate">
      <h1>{who ? "You are signed out" : "Sign in"}</h1>
      <p>
        {who
          ? "Your session ended: you signed out elsewhere, the password was changed, or the account was deleted. What you wrote and did not send is kept for you."
          : "This chat is for people with an account."}
      </p>
      <SignIn name={who?.name ?? ""} email={who?.email ?? ""} />
      {who && (
        <button
          type="button"
          class="other"
          onClick={() => leavePage(who, false)}
        >
          Go on without signing in
        </button>
      )}
    </div>
  );
}

function SignIn({ name, email }: { name: string; email: string }): JSX.Element {
  const [registering, setRegistering] = useState(false);
  const [open, setOpen] = useState(true);
  useEffect(() => {
    void call<{ registration?: string }>("GET", "session", undefined, "nobody").then(({ body }) => setOpen(body?.registration !== "closed"));
  }, []);
  const enter = async (path: string, fields: Fields): Promise<string | undefined> => {
    const { body, problem, status } = await call<SignedIn>("POST", path, fields, "nobody");
    if (status === 401) return "No account has this address with this password.";
    if (status === 409) return "This address has an account already. Sign in with its password.";
    if (!body) return problem;
    const { account, token } = body;
    if (!takeOver(browserStorage(), browserStorage("tab"), { ...account, token })) {
      return "This browser keeps nothing for this page, so it cannot keep you signed in. Allow it to store data.";
    }
    location.reload();
    return undefined;
  };
  return registering ? (
    <>
      <Form
        key="register"
        label="Register"
        action="Register"
        submit={async (fields) => passwordProblem(fields["password"]) ?? enter("accounts", trimmed(fields))}
      >
        <Field label="Name" name="name" autocomplete="name" value={name} focus />
        <Field label="Email" name="email" type="email" autocomplete="username" value={email} hint="Yours alone here from then on; no mail is sent to it." />
        <Field label="Password" name="password" type="password" autocomplete="new-password" hint={LENGTHS} />
      </Form>
      <button type="button" class="other" onClick={() => setRegistering(false)}>
        I have an account: sign in
      </button>
    </>
  ) : (
    <>
      <Form key="sign-in" label="Sign in" action="Sign in" submit={(fields) => enter("session", trimmed(fields))}>
        <Field label="Email" name="email" type="email" autocomplete="username" value={email} focus />
        <Field label="Password" name="password" type="password" autocomplete="current-password" />
      </Form>
      {open ? (
        <button type="button" class="other" onClick={() => setRegistering(true)}>
          I have no account: register
        </button>
      ) : (
        <p>New accounts are made by who runs this server.</p>
      )}
    </>
  );
}

function Own({ who, waiting, onClose }: { who: Session; waiting: number; onClose: () => void }): JSX.Element {
  const [done, setDone] = useState("");
  const [unreached, setUnreached] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const leave = (): void => leavePage(who, true);
  const lost = waiting > 0 ? ` ${counted(waiting, "message")} not sent yet will be thrown away.` : "";
  return (
    <Dialog title="Your account" onClose={onClose}>
      <p>
        <bdi>{who.name}</bdi> · <bdi>{who.email}</bdi>
      </p>
      <Form
        label="Sign out"
        action="Sign out"
        submit={async () => {
          const { status, problem } = await call("DELETE", "session");
          // 401: it is over already.
          if (status === 204 || status === 401) leave();
          else setUnreached(true);
          return status === 204 || status === 401 ? undefined : problem;
        }}
      >
        <p>Drafts, unread marks and messages that wait are erased from this browser.{lost}</p>
      </Form>
      {unreached && (
        <button type="button" class="other" onClick={leave}>
          Forget me on this browser anyway
        </button>
      )}
      <h3>Name and password</h3>
      <Form
        label="Name and password"
        action="Save"
        submit={async (fields) => {
          setDone("");
          const { name = "", password = "", current_password = "" } = fields;
          const found = password === "" ? undefined : passwordProblem(password);
          if (found) return found;
          const change = { name, current_password, ...(password !== "" && { password }) };
          const { body, problem, status } = await call<{ account: { name: string } }>("PATCH", "account", change);
          if (status === 403) return "The current password is wrong.";
          if (!body) return problem;
          renamed(browserStorage(), body.account.name);
          setDone(password === "" ? "Saved." : "Saved. Everybody else signed in as you is signed out.");
          return undefined;
        }}
      >
        <input class="vh" type="email" name="username" autocomplete="username" value={who.email} readOnly tabIndex={-1} aria-hidden="true" />
        <Field label="Name" name="name" autocomplete="name" value={who.name} />
        <Field label="New password" name="password" type="password" autocomplete="new-password" hint={`${LENGTHS} Empty: as it is.`} />
        <Field label="Current password" name="current_password" type="password" autocomplete="current-password" />
      </Form>
      <p role="status" aria-label="Account">
        {done}
      </p>
      <h3>Delete the account</h3>
      {deleting ? (
        <Form
          label="Delete the account"
          action="Delete for good"
          danger
          submit={async ({ current_password }) => {
            const { status, problem } = await call("DELETE", "account", { current_password });
            if (status === 403) return "The current password is wrong.";
            if (status !== 204) return problem;
            leave();
            return undefined;
          }}
        >
          <p>What you said stays; your rooms go on without you; the address is free for anybody. This cannot be undone.</p>
          <Field label="Current password" name="current_password" type="password" autocomplete="current-password" focus />
        </Form>
      ) : (
        <button type="button" class="other" onClick={() => setDeleting(true)}>
          Delete the account…
        </button>
      )}
    </Dialog>
  );
}

/** The page anew, as a guest's; no guest is in a room. */
function leavePage(who: Session, erase: boolean): void {
  forget(browserStorage(), browserStorage("tab"), who, erase);
  if (isRoom(viewOf(location.hash))) history.replaceState(null, "", linkTo(ALL));
  location.reload();
}

function trimmed(fields: Fields): Fields {
  return { ...fields, email: (fields["email"] ?? "").trim() };
}

/** Counted as the server counts: in code points, after NFC. */
export function passwordProblem(password = ""): string | undefined {
  const { length } = [...password.normalize("NFC")];
  return length < MIN_PASSWORD || length > MAX_PASSWORD ? `Choose a password of ${LENGTHS}` : undefined;
}
