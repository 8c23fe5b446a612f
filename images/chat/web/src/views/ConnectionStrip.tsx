/** What the connection does, said only when it matters; its place is always reserved. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ConnectionState } from "../socket/connection.ts";

/** Outages shorter than this are nobody's business. Ms. */
const PATIENCE_MS = 5_000;

export function ConnectionStrip(props: { connection: ConnectionState; onReconnect: () => void }): JSX.Element {
  const { connection, onReconnect } = props;
  const open = connection.phase === "open";
  const [late, setLate] = useState(false);
  const [ever, setEver] = useState(false);
  useEffect(() => {
    if (open) {
      setLate(false);
      setEver(true);
      return undefined;
    }
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [open]);

  const troubled = late && !open;
  const stopped = connection.phase === "stopped";
  const text = stopped
    ? `The server closed the connection${connection.reason ? `: ${connection.reason}` : ""}.`
    : troubled
      ? "Offline. Messages are kept and sent later."
      : ever
        ? "Connected"
        : "";
  const shown = troubled || stopped;
  return (
    <div class={shown ? "strip troubled" : "strip"}>
      <div role="status" aria-label="Connection" data-phase={connection.phase}>
        {text}
      </div>
      {shown && (
        <>
          <button type="button" onClick={onReconnect}>
            Reconnect now
          </button>
          {connection.phase === "waiting" && <Countdown until={connection.until} />}
          {connection.phase === "connecting" && <span class="countdown">Connecting…</span>}
        </>
      )}
    </div>
  );
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
