/** Nothing a person sent is lost, and nothing is sent twice. */

import type { Page } from "@playwright/test";
import type { ServerFrame } from "../src/protocol/frames.ts";
import { ChatPage, expect, stored, test } from "./fixtures.ts";
import type { Proxy } from "./proxy.ts";

/** The frame without the messages of these keys; undefined when nothing is left of it. */
function without(frame: ServerFrame, keys: ReadonlySet<string>): ServerFrame | undefined {
  if (frame.type === "ack") return keys.has(frame.key) ? undefined : frame;
  if (frame.type !== "messages" && frame.type !== "welcome") return frame;
  const messages = frame.messages.filter(({ key }) => !keys.has(key));
  return messages.length === 0 && frame.type === "messages" ? undefined : { ...frame, messages };
}

/** From now on the page hears nothing of what it posts, until `release`. */
function muteOwn(network: Proxy): { release: () => void } {
  const keys = new Set<string>();
  const { onServerFrame } = network;
  network.onClientFrame = (frame, link) => {
    if (frame.type === "post") keys.add(frame.key);
    link.toServer(frame);
  };
  network.onServerFrame = (frame, link) => {
    const rest = without(frame, keys);
    if (rest) link.toPage(rest);
  };
  return { release: () => (network.onServerFrame = onServerFrame) };
}

test("a lost ack: the same key again, one message stored, one shown", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  const own = muteOwn(network);
  await chat.send("only once");
  await expect.poll(async () => (await stored(cluster.pod(0))).length).toBe(1);
  await expect(chat.row("only once")).toHaveClass(/pending/);

  network.cut();
  await expect.poll(() => network.posts().length).toBeGreaterThanOrEqual(2);
  own.release();
  network.cut();
  await chat.settled();

  expect(new Set(network.posts().map(({ key }) => key)).size).toBe(1);
  expect((await stored(cluster.pod(0))).map(({ content }) => content)).toEqual(["only once"]);
  await expect(chat.row("only once")).toHaveCount(1);
});

test("a lost ack over a reload: the outbox outlives the page", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  const own = muteOwn(network);
  await chat.send("across the reload");
  await expect.poll(async () => (await stored(cluster.pod(0))).length).toBe(1);
  network.refuseSockets = true;
  // Nor is it read without a socket, as the page does when there is none.
  network.onRequest = ({ url }, res) => {
    const refused = url?.startsWith("/api/v1/messages") === true;
    if (refused) res.destroy();
    return refused;
  };
  network.cut();

  await chat.page.reload();
  await expect(chat.row("across the reload")).toHaveClass(/pending/);
  network.refuseSockets = false;
  await expect.poll(() => network.posts().length).toBeGreaterThanOrEqual(2);
  own.release();
  network.cut();
  await chat.settled();
  await expect(chat.row("across the reload")).toHaveCount(1);
  expect(new Set(network.posts().map(({ key }) => key)).size).toBe(1);
  expect(await stored(cluster.pod(0))).toHaveLength(1);
});

test("written offline: shown at once, kept over a reload, sent in order afterwards", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  network.refuseSockets = true;
  network.cut();
  const written = ["first", "second", "third"];
  for (const content of written) await chat.send(content);
  await expect(chat.log.locator(".row.pending")).toHaveCount(3);
  await chat.page.reload();
  await expect(chat.log.locator(".row.pending")).toHaveCount(3);
  expect(await chat.contents()).toEqual(written);

  network.refuseSockets = false;
  await chat.settled();
  expect(await chat.contents()).toEqual(written);
  expect((await stored(cluster.pod(1))).map(({ content }) => content)).toEqual(written);
});

for (const [kind, host] of [["the browser's locks", "127.0.0.1"], ["a lease, over plain http", "chat.test"]] as const) {
  test(`two tabs share the outbox without sending twice, by ${kind}`, async ({ cluster, network, visit }) => {
    const url = network.url.replace("127.0.0.1", host);
    const one = await visit(url);
    expect(await one.page.evaluate(() => isSecureContext && "locks" in navigator)).toBe(host === "127.0.0.1");
    const two = await secondTab(one.page, url);
    await one.introduce("Ada", "ada@example.org");
    network.refuseSockets = true;
    network.cut();
    await one.send("from the first tab");
    await two.introduce("Ada", "ada@example.org");
    await two.send("from the second tab");
    // Each shows what the other wrote.
    for (const tab of [one, two]) await expect(tab.log.locator(".row.pending")).toHaveCount(2);

    // Both are back while the first post is still on its way: nobody may send what the other holds.
    const held: (() => void)[] = [];
    network.onClientFrame = (frame, link) => {
      if (frame.type === "post") held.push(() => link.toServer(frame));
      else link.toServer(frame);
    };
    network.refuseSockets = false;
    for (const tab of [one, two]) {
      await tab.reconnectNow();
      // Time enough to do the wrong thing.
      await tab.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
    }
    expect(network.posts().map(({ content }) => content)).toEqual(["from the first tab"]);
    network.onClientFrame = (frame, link) => link.toServer(frame);
    for (const letGo of held) letGo();

    for (const tab of [one, two]) {
      await tab.settled();
      await expect(tab.rows).toHaveCount(2);
    }
    const messages = await stored(cluster.pod(0));
    expect(messages.map(({ content }) => content)).toEqual(["from the first tab", "from the second tab"]);
    // On the wire as well, not only in the log, which would have forgiven it.
    expect(network.posts().map(({ key }) => key)).toEqual(messages.map(({ key }) => key));
    for (const tab of [one, two]) await expect.poll(() => tab.contents()).toEqual(messages.map(({ content }) => content));
  });
}

async function secondTab(first: Page, url: string): Promise<ChatPage> {
  const chat = new ChatPage(await first.context().newPage());
  await chat.open(url);
  return chat;
}

test("refused for good: says why, nothing behind it waits, Retry repeats the key, Edit takes it back", async ({ network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  let refuse = true;
  network.onClientFrame = (frame, link) => {
    if (frame.type === "post" && refuse && frame.content.startsWith("bad")) {
      link.toPage({ type: "error", code: "bad_message", message: "the server did not like it", key: frame.key });
    } else {
      link.toServer(frame);
    }
  };
  await chat.send("bad one");
  await chat.send("good one");
  await expect(chat.row("bad one")).toContainText("Not sent: the server did not like it");
  await expect(chat.row("good one")).not.toHaveClass(/pending/);
  await chat.send("bad two");
  await chat.row("bad two").getByRole("button", { name: "Edit" }).click();
  await expect(chat.message).toHaveValue("bad two");
  await expect(chat.row("bad two")).toHaveCount(0);

  refuse = false;
  await chat.row("bad one").getByRole("button", { name: "Retry" }).click();
  await chat.settled();
  const keys = network.posts().filter(({ content }) => content === "bad one").map(({ key }) => key);
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});

test("Redis away for a while: the page keeps what is written and sends it once when it is back", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url);
  await chat.introduce("Ada", "ada@example.org");
  await chat.send("before");
  await chat.settled();
  await cluster.stopRedis();
  await chat.send("meanwhile");
  await expect(chat.row("meanwhile")).toHaveClass(/pending/);
  await cluster.startRedis();
  await chat.settled();
  expect(await chat.contents()).toEqual(["before", "meanwhile"]);
  expect((await stored(cluster.pod(1))).map(({ content }) => content)).toEqual(["before", "meanwhile"]);
});
