/** How long to wait before the next attempt. Pure but for the random source given. */

/** First ceiling and highest ceiling of a wait, in ms. */
export const BACKOFF_BASE_MS = 500;
export const BACKOFF_CAP_MS = 30_000;

/**
 * Exponential back-off with full jitter (AWS's "Exponential Backoff And Jitter"): uniform in
 * [0, min(cap, base × 2^attempt)), so that thousands of pages that lost one pod in one instant do
 * not come back in one instant.
 *
 * @param attempt failed attempts so far, from 0
 * @param random uniform in [0, 1)
 */
export function backoff(attempt: number, random: () => number): number {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 20));
  return Math.floor(random() * ceiling);
}
