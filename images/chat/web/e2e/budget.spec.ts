/** What the page may cost. Sizes and counts are exact; times are CPU time, with budgets far above what is measured. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { CDPSession, Page } from "@playwright/test";
import { WebSocket } from "ws";
import type { Pod } from "./cluster.ts";
import { Cpu } from "./cpu.ts";
import { expect, numbered, post, test } from "./fixtures.ts";

const DIST = join(import.meta.dirname, "../dist");

function gzipped(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + gzipSync(readFileSync(join(DIST, name)), { level: 9 }).length, 0);
}

/** What the page names itself, and what comes only when it is wanted. */
function files(extension: string): { first: string[]; later: string[] } {
  const html = readFileSync(join(DIST, "index.html"), "utf8");
  const first = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/gu)].map(([, name]) => name as string).filter((name) => name.endsWith(extension));
  const all = readdirSync(join(DIST, "assets")).map((name) => `assets/${name}`).filter((name) => name.endsWith(extension));
  return { first, later: all.filter((name) => !first.includes(name)) };
}

/** Writes a figure where the run's output shows it: docs/page.md quotes these. */
function report(figure: string): void {
  console.log(`    figure: ${figure}`);
}

test("initial JavaScript and CSS", () => {
  const js = files(".js");
  const css = files(".css");
  report(`JS ${gzipped(js.first)} B, later ${gzipped(js.later)} B; CSS ${gzipped(css.first)} B, gzipped`);
  expect(js.first).toHaveLength(2);
  expect(gzipped(js.first)).toBeLessThanOrEqual(30 * 1024);
  // Each part that comes later is small, and holds nothing of the first again.
  expect(gzipped(js.later)).toBeLessThanOrEqual(30 * 1024);
  expect(css.first).toHaveLength(1);
  expect(gzipped(css.first)).toBeLessThanOrEqual(8 * 1024);
});

test("at most 6 requests before the first message, and nothing from elsewhere", async ({ cluster, browser }) => {
  await post(cluster.pod(0), [{ content: "hello" }]);
  const page = await browser.newPage();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("websocket", (socket) => asked.push(socket.url()));
  await page.goto(cluster.pod(0).url);
  await page.getByRole("log").getByText("hello").waitFor();
  report(`${asked.length} requests: ${asked.map((url) => new URL(url).pathname.replace(/-[\w-]{8}\./u, ".")).join(" ")}`);
  expect(asked.length).toBeLessThanOrEqual(6);
  expect(new Set(asked.map((url) => new URL(url).host))).toEqual(new Set([cluster.pod(0).address]));
  await page.close();
});

test("installable: the browser finds nothing missing in the manifest", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url);
  const cdp = await chat.page.context().newCDPSession(chat.page);
  const manifest = await cdp.send("Page.getAppManifest");
  expect(manifest.errors).toEqual([]);
  const { icons, name } = JSON.parse(manifest.data ?? "{}") as { icons: { src: string; type: string }[]; name: string };
  expect(name).toBe("Chatapp");
  for (const { src, type } of icons) {
    const answer = await fetch(new URL(src, cluster.pod(0).url));
    expect([src, answer.status, answer.headers.get("content-type")]).toEqual([src, 200, type]);
  }
  // All but this one thing about the test itself: its windows are private ones.
  const { installabilityErrors } = await cdp.send("Page.getInstallabilityErrors");
  expect(installabilityErrors.map(({ errorId }) => errorId)).toEqual(["in-incognito"]);
});

test("no layout shift: loading, receiving, sending, an outage, another topic", async ({ cluster, network, visit }) => {
  await post(cluster.pod(0), numbered(40).map((content) => ({ content })));
  const chat = await visit(network.url);
  // Shifts within 500 ms of an input are not counted by CLS; here all are, each with what moved.
  const shifts = (): Promise<string[]> =>
    chat.page.evaluate(
      () =>
        new Promise<string[]>((resolve) => {
          interface Shift extends PerformanceEntry {
            readonly value: number;
            readonly sources: readonly { node: Node | null; previousRect: DOMRect; currentRect: DOMRect }[];
          }
          const seen: string[] = [];
          new PerformanceObserver((list) => {
            for (const { value, sources } of list.getEntries() as Shift[]) {
              const moved = sources.map(({ node, previousRect: from, currentRect: to }) => {
                const text = node?.textContent?.slice(0, 60);
                return `"${text}" ${from.x},${from.y} ${from.width}x${from.height} to ${to.x},${to.y} ${to.width}x${to.height}`;
              });
              seen.push(`${value}: ${moved.join("; ")}`);
            }
          }).observe({ type: "layout-shift", buffered: true });
          setTimeout(() => resolve(seen), 50);
        }),
    );
  await expect(chat.row("line 0040")).toBeInViewport();
  // More than are kept: the oldest rows are cut meanwhile.
  await post(cluster.pod(0), numbered(230, "more").map((content) => ({ content })));
  await expect(chat.row("more 0230")).toBeInViewport();
  await expect.poll(() => chat.rows.count()).toBeLessThan(240);
  await chat.introduce("Ada", "ada@example.org");
  await chat.send("mine");
  await chat.settled();
  network.refuseSockets = true;
  network.cut();
  await expect(chat.page.locator(".strip")).toHaveClass(/troubled/);
  network.refuseSockets = false;
  await chat.reconnectNow();
  await expect(chat.page.locator(".strip")).not.toHaveClass(/troubled/);
  expect(await shifts()).toEqual([]);
});

/** Sends posts as fast as the pod takes them, over one socket; resolves when all are acknowledged. */
function flood(pod: Pod, contents: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${pod.url.replace("http", "ws")}/ws`, "chat.v1");
    let acks = 0;
    socket.on("error", reject);
    socket.on("open", () => socket.send(JSON.stringify({ type: "hello", topics: [] })));
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as { type: string };
      if (frame.type === "error") reject(new Error(String(data)));
      if (frame.type === "welcome") {
        for (const [i, content] of contents.entries()) {
          const name = `Person ${i % 17}`;
          const draft = { key: `${content}.${i}`.replaceAll(" ", "_"), topic: `t${i % 5}`, name, email: `p${i % 17}@example.org`, content };
          socket.send(JSON.stringify({ type: "post", ...draft }));
        }
      }
      if (frame.type === "ack" && ++acks === contents.length) {
        socket.close();
        resolve();
      }
    });
  });
}

async function heap(page: Page, cdp: CDPSession): Promise<number> {
  // Twice: what the first finds unreachable the second has collected.
  await cdp.send("HeapProfiler.collectGarbage");
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  await cdp.send("HeapProfiler.collectGarbage");
  return (await cdp.send("Runtime.getHeapUsage")).usedSize;
}

test("a burst of 2,000 messages: no task over 200 ms, at most 1 s of script", async ({ cluster, visit }) => {
  test.slow();
  const chat = await visit(cluster.pod(0).url);
  const cpu = await Cpu.of(chat.page);
  let longest = 0;
  const script = await cpu.spent(async () => {
    longest = await cpu.longest(async () => {
      await flood(cluster.pod(1), numbered(2_000, "burst"));
      await expect(chat.row("burst 2000")).toBeInViewport();
    });
  });
  report(`burst: script ${Math.round(script)} ms, longest task ${Math.round(longest)} ms`);
  expect(await chat.rows.count()).toBeLessThanOrEqual(400);
  expect(script).toBeLessThanOrEqual(1_000);
  expect(longest).toBeLessThanOrEqual(200);
});

test("10,000 messages received: the heap is back within 20 MB", async ({ cluster, visit }) => {
  test.slow();
  const chat = await visit(cluster.pod(0).url);
  const cdp = await chat.page.context().newCDPSession(chat.page);
  await flood(cluster.pod(1), numbered(200, "warm"));
  await expect(chat.row("warm 0200")).toBeInViewport();
  const before = await heap(chat.page, cdp);
  for (let i = 0; i < 5; i++) {
    await flood(cluster.pod(1), numbered(2_000, `wave ${i}`));
    await expect(chat.row(`wave ${i} 2000`)).toBeInViewport();
  }
  const after = await heap(chat.page, cdp);
  report(`heap ${(before / 2 ** 20).toFixed(1)} MB before, ${(after / 2 ** 20).toFixed(1)} MB after 10,000 messages`);
  expect(after - before).toBeLessThanOrEqual(20 * 2 ** 20);
});
