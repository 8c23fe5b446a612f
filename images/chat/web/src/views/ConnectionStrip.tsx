/** What the connection does: a dot while all is well, a bar over the log when it matters. Neither moves anything. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Chat } from "../chat.ts";
import { outdated } from "../lazy.ts";
import { CLOSE_SIGNED_OUT } from "../protocol/frames.ts";
import type { ConnectionState } from "../socket/connection.ts";

/** Outages shorter than this are nobody's business, unless the browser knows of them. Ms. */
const PATIENCE_MS = 5_000;

export function ConnectionStrip({ chat }: { chat: Chat }): JSX.Element {
  const connection = chat.connection.value;
  const blocked = chat.blocked.value;
  const open = connection.phase === "open";
  const [late, setLate] = useState(false);
  const [ever, setEver] = useState(false);
  useEffect(() => {
    if (open) {
      setLate(false);
      setEver(true);
      return undefined;
    }
    if (!navigator.onLine) setLate(true);
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [open]);

  const stopped = connection.phase === "stopped";
  const signedOut = stopped && connection.code === CLOSE_SIGNED_OUT;
  const troubled = !open && (late || stopped) && !signedOut;
  const renewed = open && outdated.value;
  return (
    <div class={troubled || renewed ? "strip troubled" : "strip"}>
      <div role="status" aria-label="Connection" data-phase={connection.phase}>
        {renewed ? "The server has a newer version of this page." : words(connection, blocked, troubled, ever)}
      </div>
      {troubled && (
        <>
          <button type="button" onClick={chat.reconnectNow}>
            Reconnect now
          </button>
          {connection.phase === "waiting" && <Countdown until={connection.until} />}
          {connection.phase === "connecting" && <span class="countdown">Connecting…</span>}
        </>
      )}
      {renewed && (
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      )}
    </div>
  );
}

/** The same at a glance, for who looks; of one width whatever it says. */
export function ConnectionDot({ chat }: { chat: Chat }): JSX.Element {
  const { phase } = chat.connection.value;
  return (
    <span class="dot" data-phase={phase} aria-hidden="true">
      <span>{phase === "open" ? "Connected" : phase === "stopped" ? "Stopped" : "Reconnecting…"}</span>
    </span>
  );
}

function words(connection: ConnectionState, blocked: string | undefined, troubled: boolean, ever: boolean): string {
  if (connection.phase === "open") return "Connected";
  if (connection.phase === "stopped") {
    if (connection.code === CLOSE_SIGNED_OUT) return "Signed out";
    return `The server closed the connection${connection.reason ? `: ${connection.reason}` : ""}.`;
  }
  if (blocked !== undefined) return `${blocked} You can read; what you write is kept and sent later.`;
  if (troubled) return "Offline. Messages are kept and sent later.";
  return ever ? "Reconnecting…" : "";
}

/** Seconds to the next attempt; not read out. */
function Countdown({ until }: { until: number }): JSX.Element {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 250);
    return () => clearInterval(timer);
  }, [until]);
  return (
    <span class="countdown" aria-hidden="true">
      Next try in <b>{Math.max(0, Math.ceil((until - now) / 1000))}</b> s
    </span>
  );
}
