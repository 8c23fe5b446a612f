/** Deletions: a few seconds in which they can be undone, and then the server is told. No DOM. */

export interface DeletionWorld {
  /** Tells the server; resolves to why not, in words, or undefined when it is done. */
  remove(id: string): Promise<string | undefined>;
  /** It is gone: nothing of it is shown any more. */
  gone(id: string): void;
  failed(message: string): void;
  changed(): void;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** How long a deletion can be undone. Ms. */
export const UNDO_MS = 6_000;

export class Deletions {
  /** Message to the timer that sends its deletion; undefined while it is being sent. */
  readonly #pending = new Map<string, unknown>();

  constructor(private readonly world: DeletionWorld) {}

  /** Is it to be deleted, or being deleted? */
  has(id: string): boolean {
    return this.#pending.has(id);
  }

  /** How many can still be undone. */
  get undoable(): number {
    return [...this.#pending.values()].filter((timer) => timer !== undefined).length;
  }

  add(id: string): void {
    if (this.has(id)) return;
    this.#pending.set(
      id,
      this.world.setTimeout(() => void this.#send(id), UNDO_MS),
    );
    this.world.changed();
  }

  undo(): void {
    for (const [id, timer] of [...this.#pending]) {
      if (timer === undefined) continue;
      this.world.clearTimeout(timer);
      this.#pending.delete(id);
    }
    this.world.changed();
  }

  /** The page goes away: what was not undone is meant. */
  async flush(): Promise<void> {
    await Promise.all([...this.#pending].filter(([, timer]) => timer !== undefined).map(([id]) => this.#send(id)));
  }

  async #send(id: string): Promise<void> {
    this.world.clearTimeout(this.#pending.get(id));
    this.#pending.set(id, undefined);
    this.world.changed();
    const why = await this.world.remove(id);
    this.#pending.delete(id);
    if (why === undefined) this.world.gone(id);
    else this.world.failed(why);
    this.world.changed();
  }
}
