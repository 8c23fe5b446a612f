/**
 * What time it is, by the server where it said so. The device's own clock may be wrong by days, and
 * may be set while the page is open: from it comes only the first guess, read once. From then on
 * time goes by the monotonic clock, and each `welcome` sets it right.
 */
export class ServerClock {
  #base: number;
  #mark: number;

  /**
   * @param monotonic ms, never set back (performance.now)
   * @param guess ms since 1970, by the device
   */
  constructor(
    private readonly monotonic: () => number,
    guess: number,
  ) {
    this.#mark = monotonic();
    this.#base = guess;
  }

  /** Ms since 1970. */
  now(): number {
    return this.#base + this.monotonic() - this.#mark;
  }

  /** The server says what time it is (RFC 3339); what cannot be read is not heard. */
  set(time: string | undefined): void {
    const said = Date.parse(time ?? "");
    if (Number.isNaN(said)) return;
    this.#base = said;
    this.#mark = this.monotonic();
  }
}
