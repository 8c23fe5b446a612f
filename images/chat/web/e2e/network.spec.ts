/** A network that repeats, delays and swaps frames; pods that leave or die. */

import type { ServerFrame } from "../src/protocol/frames.ts";
import { expect, numbered, post, stored, test, type ChatPage } from "./fixtures.ts";
import type { Event, Link, Proxy } from "./proxy.ts";

/** A repeatable stream of numbers in [0, 1) (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test("repeated, late and swapped frames: each message once, in order", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  const random = seeded(4);
  let held: { frame: ServerFrame; link: Link }[] = [];
  let swaps = 0;
  const release = (): void => {
    const before = [...held];
    held.sort(() => random() - 0.5);
    if (held.some(({ frame }, i) => frame !== before[i]?.frame)) swaps++;
    for (const { frame, link } of held) link.toPage(frame);
    held = [];
  };
  // Each message in a frame of its own, one to three times, held back and let go in any order.
  network.onServerFrame = (frame, link) => {
    if (frame.type !== "messages") return link.toPage(frame);
    for (const message of frame.messages) {
      for (let copies = 1 + Math.floor(random() * 3); copies > 0; copies--) {
        held.push({ frame: { type: "messages", messages: [message] }, link });
      }
      if (held.length >= 8) release();
    }
  };
  const contents = numbered(80);
  await post(cluster.pod(1), contents.map((content) => ({ content })));
  await expect
    .poll(async () => {
      release();
      return chat.rows.count();
    })
    .toBe(80);
  expect(await chat.contents()).toEqual(contents);
  expect(swaps).toBeGreaterThan(5);
});

/** Posts on the surviving pod without a pause until told to stop. */
function traffic(post: (content: string) => Promise<unknown>): { stop: () => Promise<string[]> } {
  const sent: string[] = [];
  let going = true;
  const done = (async () => {
    while (going && sent.length < 90) {
      const content = `line ${String(sent.length + 1).padStart(4, "0")}`;
      await post(content);
      sent.push(content);
    }
  })();
  return {
    stop: async () => {
      going = false;
      await done;
      return sent;
    },
  };
}

function indexOf(network: Proxy, match: (event: Event) => boolean): number {
  return network.events.findIndex(match);
}

async function expectEverythingOnce(chat: ChatPage, lines: readonly string[], own: readonly string[]): Promise<void> {
  await chat.settled();
  await expect.poll(() => chat.rows.count()).toBe(lines.length + own.length);
  const contents = await chat.contents();
  expect(contents.filter((content) => content.startsWith("line"))).toEqual(lines);
  expect(contents.filter((content) => content.startsWith("own"))).toEqual(own);
}

test("bye under traffic: the second socket is open before the first closes, nothing lost or doubled", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  const lines = traffic((content) => post(cluster.pod(1), [{ content }]));
  await expect(chat.row("line 0005")).toBeVisible();

  network.target = cluster.pod(1);
  cluster.pod(0).terminate();
  await chat.send("own 1");
  await expect.poll(() => indexOf(network, (e) => e.kind === "close" && e.link === 1)).toBeGreaterThan(0);
  await chat.send("own 2");
  const sent = await lines.stop();

  const bye = indexOf(network, (e) => e.kind === "to-page" && e.frame.type === "bye");
  const welcome = indexOf(network, (e) => e.kind === "to-page" && e.link === 2 && e.frame.type === "welcome");
  const close = indexOf(network, (e) => e.kind === "close" && e.link === 1);
  expect(bye).toBeGreaterThan(0);
  expect(welcome).toBeGreaterThan(bye);
  expect(close).toBeGreaterThan(welcome);
  const answer = network.events[welcome];
  expect(answer?.kind === "to-page" && answer.frame.type === "welcome" && answer.frame.recovered).toBe(true);

  await expectEverythingOnce(chat, sent, ["own 1", "own 2"]);
  expect(await stored(cluster.pod(1))).toHaveLength(sent.length + 2);
});

test("kill -9 of the pod under traffic: resumed on another, nothing lost or doubled", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  const lines = traffic((content) => post(cluster.pod(1), [{ content }]));
  await expect(chat.row("line 0005")).toBeVisible();

  network.target = cluster.pod(1);
  const killed = cluster.pod(0).kill();
  await chat.send("own 1");
  await killed;
  await chat.send("own 2");
  await expect.poll(() => indexOf(network, (e) => e.kind === "to-page" && e.link > 1 && e.frame.type === "welcome")).toBeGreaterThan(0);
  const sent = await lines.stop();
  await expectEverythingOnce(chat, sent, ["own 1", "own 2"]);
  expect(await stored(cluster.pod(1))).toHaveLength(sent.length + 2);
});

test("an outage is nobody's business for 5 s; then it is said, with a way out", async ({ network, visit }) => {
  const chat = await visit(network.url);
  const strip = chat.page.locator(".strip");
  const place = await chat.log.boundingBox();
  // The page itself notes how long after the outage it spoke.
  await chat.page.evaluate(() => {
    let since = 0;
    new MutationObserver(() => {
      const status = document.querySelector("[role=status]") as HTMLElement;
      if (status.dataset["phase"] !== "open") since ||= performance.now();
      if (status.closest(".troubled")) status.dataset["patience"] ??= String(performance.now() - since);
    }).observe(document.querySelector(".strip") as Element, { subtree: true, attributes: true });
  });
  network.refuseSockets = true;
  network.cut();
  // What is known to be untrue is not claimed meanwhile.
  await expect(chat.status).not.toHaveText("Connected", { timeout: 1_000 });
  await expect(chat.page.getByText(/\d online/)).toHaveCount(0, { timeout: 1_000 });
  await expect(strip).toHaveClass(/troubled/);
  // Timers are never early.
  expect(Number(await chat.status.getAttribute("data-patience"))).toBeGreaterThanOrEqual(4_990);
  await expect(chat.status).toHaveText("Offline. Messages are kept and sent later.");
  await expect(strip).toContainText(/Next try in \d+ s|Connecting/);
  // Said over the log, which stays where it is.
  expect(await chat.log.boundingBox()).toEqual(place);

  network.refuseSockets = false;
  await chat.reconnectNow();
  await expect(strip).not.toHaveClass(/troubled/);
  await expect(chat.status).toHaveText("Connected");
});

test("a clean close is no goodbye for ever", async ({ network, visit }) => {
  const chat = await visit(network.url);
  for (const [i, code] of [1000, 1001, 4001].entries()) {
    for (const link of network.links) link.close(code);
    await expect.poll(() => network.events.filter(({ kind }) => kind === "open").length).toBe(i + 2);
    await chat.connected();
  }
});

test("an hour in the background: resumed on a fresh socket, not reloaded", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.page.evaluate(() => {
    const turn = (state: DocumentVisibilityState): void => {
      Object.defineProperty(document, "hidden", { configurable: true, value: state === "hidden" });
      Object.defineProperty(document, "visibilityState", { configurable: true, value: state });
      document.dispatchEvent(new Event("visibilitychange"));
    };
    Object.assign(window, { sameDocument: true });
    turn("hidden");
    const now = Date.now.bind(Date);
    Date.now = () => now() + 3_600_000;
    turn("visible");
  });
  await expect.poll(() => network.events.filter(({ kind }) => kind === "open").length).toBe(2);
  await expect.poll(() => indexOf(network, (e) => e.kind === "close" && e.link === 1)).toBeGreaterThan(0);
  const hello = network.events.find((e) => e.kind === "to-server" && e.link === 2);
  expect(hello?.kind === "to-server" && hello.frame.type === "hello" && hello.frame.cursor).toBeTruthy();
  expect(await chat.page.evaluate(() => "sameDocument" in window)).toBe(true);
  await post(cluster.pod(1), [{ content: "still here" }]);
  await expect(chat.row("still here")).toHaveCount(1);
});
