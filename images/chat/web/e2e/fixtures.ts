/** What every browser test starts from: a cluster, a proxy, and pages that must not misbehave. */

import { expect, test as base, type Browser, type BrowserContextOptions, type Locator, type Page } from "@playwright/test";
import { randomUUID } from "node:crypto";
import type { Message } from "../src/protocol/message.ts";
import { Cluster, type Pod } from "./cluster.ts";
import { Proxy } from "./proxy.ts";

/** A page with the names a person knows it by. */
export class ChatPage {
  readonly log: Locator;
  readonly rows: Locator;
  readonly message: Locator;
  readonly name: Locator;
  readonly email: Locator;
  readonly topic: Locator;
  readonly status: Locator;
  readonly topics: Locator;
  /** Who writes, when that is known. */
  readonly who: Locator;

  constructor(readonly page: Page) {
    this.log = page.getByRole("log", { name: "Messages" });
    this.rows = this.log.locator(".row");
    this.message = page.getByRole("textbox", { name: "Message" });
    this.name = page.getByRole("textbox", { name: "Name" });
    this.email = page.getByRole("textbox", { name: "Email" });
    this.topic = page.getByRole("textbox", { name: "Topic" });
    this.status = page.getByRole("status", { name: "Connection" });
    this.who = page.getByRole("button", { name: /^Name and email/u });
    this.topics = page.getByRole("navigation", { name: "Topics" });
  }

  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.connected();
  }

  connected(): Promise<void> {
    return expect(this.status).toHaveAttribute("data-phase", "open");
  }

  /** Presses "Reconnect now" until it helps; an attempt under way may come first. */
  async reconnectNow(): Promise<void> {
    await expect(async () => {
      // Looked for and pressed in one go: an attempt of the page's own may succeed in between, and a
      // press would then dial, and post, once more.
      await this.page.getByRole("button", { name: "Reconnect now" }).evaluateAll((found) => {
        for (const button of found as HTMLElement[]) button.click();
      });
      await expect(this.status).toHaveAttribute("data-phase", "open", { timeout: 1_000 });
    }).toPass();
  }

  async introduce(name: string, email: string): Promise<void> {
    // Known already (from another tab, or another visit): the sheet opens by its button.
    if (!(await this.name.isVisible())) await this.who.click();
    await this.name.fill(name);
    await this.email.fill(email);
  }

  async send(content: string): Promise<void> {
    await this.message.fill(content);
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
  }

  /** The row of a message, found by its content. */
  row(content: string): Locator {
    return this.rows.filter({ has: this.page.locator(".content", { hasText: content }) });
  }

  /** The contents on the screen, top to bottom. */
  contents(): Promise<string[]> {
    return this.log.locator(".content").allInnerTexts();
  }

  /**
   * No optimistic entry is left: none on the screen, and none in the browser's storage that is not
   * sent. What was written just now stands there before it stands on the screen.
   */
  settled(): Promise<void> {
    const waiting = (): Promise<number> =>
      this.page.evaluate(() => {
        const saved = Object.entries(localStorage).filter(([key]) => key.includes("outbox."));
        const unsent = saved.filter(([, entry]) => !entry.includes('"sent":'));
        return unsent.length + document.querySelectorAll(".log .row.pending, .log .row.failed").length;
      });
    return expect.poll(waiting, { message: "messages that wait" }).toBe(0);
  }

  /** Nothing stands wider than the window. */
  async expectNoSidewaysScroll(): Promise<void> {
    const overflow = await this.page.evaluate(() => {
      const root = document.scrollingElement as Element;
      const log = document.querySelector(".log") as Element;
      return [root.scrollWidth - root.clientWidth, log.scrollWidth - log.clientWidth];
    });
    expect(overflow).toEqual([0, 0]);
  }
}

export interface Fixtures {
  /** One Redis and two pods, this test's own. */
  readonly cluster: Cluster;
  /** A network to pod 0. */
  readonly network: Proxy;
  /** Opens a window of another person (another browser profile). */
  readonly visit: (url: string, options?: BrowserContextOptions) => Promise<ChatPage>;
}

export const test = base.extend<Fixtures>({
  cluster: async ({}, use) => {
    const cluster = await Cluster.start(2);
    await use(cluster);
    await cluster.stop();
  },
  network: async ({ cluster }, use) => {
    const proxy = await Proxy.start(cluster.pod(0));
    await use(proxy);
    await proxy.stop();
  },
  visit: async ({ browser }, use) => {
    const complaints: string[] = [];
    const opened: Page[] = [];
    await use(async (url, options) => {
      const page = await newPage(browser, complaints, options);
      opened.push(page);
      const chat = new ChatPage(page);
      await chat.open(url);
      return chat;
    });
    await Promise.all(opened.map((page) => page.context().close()));
    expect(complaints, "errors and policy violations of the pages").toEqual([]);
  },
});

async function newPage(browser: Browser, complaints: string[], options?: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext(options);
  context.on("page", (page) => watch(page, complaints));
  return context.newPage();
}

/** Collects what a page must not do: throw, or break its content security policy. */
export function watch(page: Page, complaints: string[]): void {
  page.on("pageerror", (error) => complaints.push(`${error.name}: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // A cut connection is the point of many tests.
    const expected = /WebSocket connection|Failed to load resource|net::ERR/u;
    if (message.type() === "error" && !expected.test(text)) {
      complaints.push(text);
    }
  });
}

export { expect };

/** Posts over HTTP, one after the other, and returns what the log made of them. */
export async function post(pod: Pod, drafts: readonly Partial<Message>[]): Promise<Message[]> {
  const messages: Message[] = [];
  for (const draft of drafts) {
    const response = await fetch(`${pod.url}/api/v1/messages`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        key: randomUUID(),
        topic: "general",
        name: "Grace Hopper",
        email: "grace@example.org",
        content: "hello",
        ...draft,
      }),
    });
    if (response.status !== 201) throw new Error(`post: ${response.status} ${await response.text()}`);
    messages.push((await response.json()) as Message);
  }
  return messages;
}

/** All messages that the log holds, oldest first. */
export async function stored(pod: Pod): Promise<Message[]> {
  let all: Message[] = [];
  for (;;) {
    const before = all[0] ? `&before=${all[0].id}` : "";
    const response = await fetch(`${pod.url}/api/v1/messages?limit=200${before}`);
    const { messages, more } = (await response.json()) as { messages: Message[]; more: boolean };
    all = [...messages, ...all];
    if (!more) return all;
  }
}

/** n numbered contents, "line 007" style, so that text order is number order. */
export function numbered(count: number, word = "line"): string[] {
  return Array.from({ length: count }, (_, n) => `${word} ${String(n + 1).padStart(4, "0")}`);
}
