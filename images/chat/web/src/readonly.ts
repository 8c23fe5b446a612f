/**
 * Reading without a socket, where something between here and the server refuses the upgrade: the
 * latest messages by HTTP, again every while, and history. Loaded only then.
 */

import { readMessages } from "./protocol/decode.ts";
import type { ServerFrame } from "./protocol/frames.ts";
import type { Message } from "./protocol/message.ts";
import type { HistoryRequest } from "./history.ts";
import { api } from "./session.ts";

/** How often the latest messages are read, plus up to a third by chance. Ms. */
const EVERY_MS = 15_000;

interface Page {
  readonly messages: readonly Message[];
  readonly more: boolean;
}

export class ReadOnly {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(
    private readonly onLatest: (page: Page) => void,
    private readonly onFrame: (frame: ServerFrame) => void,
    /** Why there is no socket, in words for who runs the server; undefined when HTTP fails as well. */
    private readonly onCause: (cause: string | undefined) => void,
  ) {}

  /** Reads at once, and goes on until stopped. */
  async start(): Promise<void> {
    let wait = EVERY_MS * (1 + Math.random() / 3);
    try {
      const page = await read("limit=50");
      if (this.#stopped) return;
      if ("messages" in page) {
        this.onCause(await cause());
        if (!this.#stopped) this.onLatest(page);
      } else {
        this.onCause(undefined);
        wait = Math.max(wait, page.retryAfter);
      }
    } catch {
      // No network at all: an outage like any other, and the sockets' own affair.
      this.onCause(undefined);
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.start(), wait);
  }

  /** Answers as a socket would. */
  async history({ ref, topic, before, limit }: HistoryRequest): Promise<void> {
    const query = new URLSearchParams({
      ...(topic !== undefined && { topic }),
      ...(before !== undefined && { before }),
      ...(limit !== undefined && { limit: String(limit) }),
    });
    const page = await read(query.toString()).catch(() => NOT_READ);
    if (this.#stopped) return;
    if ("messages" in page) this.onFrame({ type: "history", ref, ...page });
    else this.onFrame({ type: "error", ref, code: page.code, message: page.message, retry_after_ms: page.retryAfter });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

const NOT_READ = { code: "unavailable", message: "The server cannot be reached.", retryAfter: 0 };

async function read(query: string): Promise<Page | typeof NOT_READ> {
  const response = await api(`messages?${query}`, { cache: "no-store" });
  const body = (await response.json()) as { messages?: unknown; more?: unknown; code?: unknown; detail?: unknown };
  const messages = readMessages(body.messages);
  if (response.ok && messages) return { messages, more: body.more === true };
  return {
    code: typeof body.code === "string" ? body.code : "unavailable",
    message: typeof body.detail === "string" ? body.detail : NOT_READ.message,
    retryAfter: 1_000 * (Number(response.headers.get("Retry-After")) || 0),
  };
}

/** The chat itself answers a plain request to its socket with 426; anything else is somebody else's. */
async function cause(): Promise<string> {
  const refused = "The server answers, but WebSocket connections to it are refused";
  const status = await fetch("ws", { cache: "no-store" }).then(
    (response) => response.status,
    () => 0,
  );
  if (status === 503) return `${refused} for now: it has as many as it takes (503).`;
  if (status === 426 || status === 0) return `${refused}: a proxy in between must let /ws upgrade.`;
  return `${refused} (${status} at /ws): a proxy in between must let it upgrade.`;
}
