/** When a connection may have died unnoticed: sleep, a long time hidden, a network that went and came. */

/** Hidden for this long, the connection is renewed. Ms. */
const HIDDEN_MS = 60_000;
/** A timer this late means that the machine slept. Ms. */
const SLEPT_MS = 15_000;
const TICK_MS = 5_000;

export interface Renewable {
  /** Try a fresh socket; the old one stays until it is there. */
  renew(): void;
  /** There is no network. */
  lost(): void;
}

export function watchAbsence(connection: Renewable): void {
  const renew = (): void => connection.renew();
  let hiddenAt: number | undefined;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hiddenAt = Date.now();
    } else if (hiddenAt !== undefined) {
      if (Date.now() - hiddenAt >= HIDDEN_MS) renew();
      hiddenAt = undefined;
    }
  });
  let tick = Date.now();
  setInterval(() => {
    const late = Date.now() - tick - TICK_MS;
    tick = Date.now();
    // Timers of hidden pages are slowed down: lateness means sleep only while visible.
    if (late >= SLEPT_MS && !document.hidden) renew();
  }, TICK_MS);
  addEventListener("online", renew);
  addEventListener("offline", () => connection.lost());
  addEventListener("pageshow", (event) => {
    if (event.persisted) renew();
  });
}
