/** Bad days: nothing gets stuck, nothing storms. */

import type { Page } from "@playwright/test";
import { Cpu } from "./cpu.ts";
import { ChatPage, expect, numbered, post, stored, test } from "./fixtures.ts";

/** As an input method does it: what a keyboard or a clipboard would not let through. */
function insert(page: Page, text: string): Promise<boolean> {
  return page.evaluate((text) => document.execCommand("insertText", false, text), text);
}

/** Lets the page do the wrong thing for a while. */
function wait(page: Page, ms: number): Promise<void> {
  return page.evaluate((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)), ms);
}

test("half a character in message, name, email or topic: made whole as it is typed, and sent", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  await chat.name.focus();
  await insert(chat.page, " \ud83d");
  await expect(chat.name).toHaveValue(/\ufffd/u);
  await chat.topic.focus();
  await insert(chat.page, "\ud83d");
  await chat.message.focus();
  await insert(chat.page, "cut \ud83d");
  await expect(chat.message).toHaveValue("cut \ufffd");
  await chat.message.press("Enter");
  await chat.send("after");
  await chat.settled();
  expect((await stored(cluster.pod(0))).map(({ content }) => content)).toEqual(["cut \ufffd", "after"]);
  expect(network.posts()).toHaveLength(2);
  // The search as well, which is sent nowhere yet.
  await chat.page.keyboard.press("Escape");
  await chat.page.getByRole("searchbox").focus();
  await insert(chat.page, "\ude00");
  await expect(chat.page.getByRole("searchbox")).toHaveValue("\ufffd");
});

test("an entry that nothing can read fails, and what is behind it goes on; it can be edited and discarded", async ({ cluster, network, visit }) => {
  // Left by an earlier version of the page.
  const chat = await visit(network.url);
  await chat.page.evaluate(() => {
    const entry = { topic: "tea", name: "A", email: "a@b.c", created: 1 };
    for (const key of ["one", "two"]) {
      localStorage.setItem(`chat.outbox.${key}`, JSON.stringify({ ...entry, key, content: `${key} \ud83d` }));
    }
  });
  await chat.page.reload();
  await expect(chat.log.locator(".row.failed")).toHaveCount(2);
  await chat.introduce("Ada", "ada@example.org");
  await chat.send("behind them");
  await expect.poll(async () => (await stored(cluster.pod(0))).map(({ content }) => content)).toEqual(["behind them"]);
  expect(network.posts()).toHaveLength(3);
  await chat.row("one").getByRole("button", { name: "Edit" }).click();
  await expect(chat.message).toHaveValue("one \ufffd");
  await expect(chat.topic).toHaveValue("tea");
  await chat.row("two").getByRole("button", { name: "Discard" }).click();
  await expect(chat.log.locator(".row.failed")).toHaveCount(0);
  expect(await chat.page.evaluate(() => Object.keys(localStorage).filter((key) => /outbox\.(one|two)$/u.test(key)).length)).toBe(0);
});

test("what waits can be edited, retried and discarded as well; Edit keeps its topic", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  network.refuseSockets = true;
  network.cut();
  for (const content of ["one", "two", "three"]) {
    await chat.topic.fill("tea");
    await chat.send(content);
  }
  await chat.row("one").getByRole("button", { name: "Discard" }).click();
  await chat.topic.fill("general");
  await chat.row("two").getByRole("button", { name: "Edit" }).click();
  await expect(chat.topic).toHaveValue("tea");
  await expect(chat.message).toHaveValue("two");
  await expect(chat.log.locator(".row.pending")).toHaveCount(1);
  // Retry does not wait for the next attempt: it dials before the click is over.
  const dialled = () =>
    chat.row("three").getByRole("button", { name: "Retry" }).evaluate((button: HTMLButtonElement) => {
      const { WebSocket } = window;
      let dials = 0;
      window.WebSocket = class extends WebSocket {
        constructor(...args: ConstructorParameters<typeof WebSocket>) {
          super(...args);
          dials++;
        }
      };
      button.click();
      window.WebSocket = WebSocket;
      return dials;
    });
  await expect.poll(dialled).toBe(1);
  network.refuseSockets = false;
  await chat.settled();
  expect((await stored(cluster.pod(0))).map(({ content }) => content)).toEqual(["three"]);
});

for (const code of ["unavailable", "rate_limited", "internal", "not_found"] as const) {
  test(`history refused with ${code}: no storm`, async ({ cluster, network, visit }) => {
    await post(cluster.pod(0), numbered(60).map((content) => ({ content })));
    let asked = 0;
    network.onClientFrame = (frame, link) => {
      if (frame.type !== "history") return link.toServer(frame);
      asked++;
      link.toPage({ type: "error", code, message: "not now", ref: frame.ref, retry_after_ms: 500 });
    };
    const chat = await visit(network.url);
    await chat.log.evaluate((log) => (log.scrollTop = 0));
    await wait(chat.page, 3_000);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(code === "not_found" ? 1 : 6);
    if (code === "not_found") {
      // Said, and asked again by a person only.
      await chat.log.getByRole("button", { name: "Try again" }).click();
      await expect.poll(() => asked).toBe(2);
    } else {
      await expect(chat.log).toContainText("Trying again");
    }
  });
}

test("Redis killed, an empty topic: a handful of frames, and all is well afterwards", async ({ cluster, network, visit }) => {
  await post(cluster.pod(0), numbered(60).map((content) => ({ content })));
  const chat = await visit(network.url);
  await cluster.stopRedis();
  await chat.page.evaluate(() => (location.hash = "#/empty"));
  await wait(chat.page, 4_000);
  expect(network.sent("history").length).toBeLessThanOrEqual(8);
  await cluster.startRedis();
  await expect(chat.log).toContainText("No messages yet", { timeout: 40_000 });
});

test("a bad link: no such topic, no request, and good topics go on", async ({ cluster, network, visit }) => {
  await post(cluster.pod(0), [{ topic: "tea", content: "here" }]);
  const chat = await visit(network.url);
  for (const hash of [`#/${"a".repeat(65)}`, "#/a%0Ab", "#/%00", "#/*", "#/%ff"]) {
    await chat.page.evaluate((hash) => (location.hash = hash), hash);
    await expect(chat.log).toContainText("There is no such topic.");
    await expect(chat.page.getByRole("heading", { level: 1 })).toHaveText("No such topic");
  }
  await wait(chat.page, 500);
  expect(network.sent("history")).toEqual([]);
  await chat.topics.getByRole("link", { name: "tea" }).click();
  await expect(chat.row("here")).toBeVisible();
  await chat.connected();
  expect(network.events.filter(({ kind }) => kind === "open")).toHaveLength(1);
});

test("storage full: one post, and a refusal is remembered", async ({ network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  network.refuseSockets = true;
  network.cut();
  await chat.send("bad");
  await chat.send("good");
  await chat.page.evaluate(() => {
    for (let size = 1_000_000; size >= 1; size = Math.floor(size / 2)) {
      try {
        for (let i = 0; ; i++) localStorage.setItem(`fill ${size} ${i}`, "x".repeat(size));
      } catch {
        // The next smaller piece.
      }
    }
  });
  network.onClientFrame = (frame, link) => {
    if (frame.type === "post" && frame.content === "bad") {
      link.toPage({ type: "error", code: "bad_message", message: "no", key: frame.key });
    } else {
      link.toServer(frame);
    }
  };
  network.refuseSockets = false;
  await chat.reconnectNow();
  await expect(chat.row("bad")).toContainText("Not sent: no");
  await expect(chat.row("good")).not.toHaveClass(/pending/);
  await wait(chat.page, 1_000);
  expect(network.posts().map(({ content }) => content)).toEqual(["bad", "good"]);
});

test("a tab that hangs with the lock: the other one's message goes out after about 10 s", async ({ cluster, network, visit }) => {
  const one = await visit(network.url);
  const two = new ChatPage(await one.page.context().newPage());
  await two.open(network.url);
  await one.page.evaluate(() => {
    navigator.locks.request("chat.sender", () => new Promise(() => undefined)).catch(() => undefined);
  });
  await two.introduce("Ada", "ada@example.org");
  await two.send("who has the lock");
  const start = await two.page.evaluate(() => performance.now());
  await expect(two.row("who has the lock")).not.toHaveClass(/pending/, { timeout: 40_000 });
  const waited = (await two.page.evaluate(() => performance.now())) - start;
  // By the lock's own clock: 10 s, not a multiple of it.
  expect(waited).toBeGreaterThan(8_000);
  expect(network.posts()).toHaveLength(1);
  expect(await stored(cluster.pod(0))).toHaveLength(1);
});

for (const [what, missing] of [["all files", /^\/assets\//u], ["the style sheet", /\.css$/u], ["the script", /\.js$/u]] as const) {
  test(`a rollout in which another pod has ${what}: the page comes up by itself`, async ({ cluster, network, browser }) => {
    await post(cluster.pod(0), [{ content: "hello" }]);
    let left = 3;
    network.onRequest = (req, res) => {
      if (!missing.test(req.url ?? "") || !req.url?.startsWith("/assets/") || left <= 0) return false;
      left--;
      res.writeHead(404, { "Content-Type": "application/problem+json", "Cache-Control": "no-store" }).end("{}");
      return true;
    };
    const page = await browser.newPage();
    await page.goto(network.url);
    await expect(page.getByRole("log", { name: "Messages" })).toContainText("hello");
    expect(left).toBe(0);
    expect(await page.evaluate(() => [...document.styleSheets].length)).toBeGreaterThan(0);
    await page.close();
  });
}

test("a part that the next pod does not have any more: said, with a way out", async ({ network, visit }) => {
  const chat = await visit(network.url);
  network.onRequest = (req, res) => {
    if (!req.url?.startsWith("/assets/Help") && req.url !== "/") return false;
    res.writeHead(req.url === "/" ? 200 : 404, { "Content-Type": "text/html" }).end("<p>a newer page</p>");
    return true;
  };
  await chat.page.getByRole("button", { name: "Help" }).click();
  await expect(chat.status).toHaveText("The server has a newer version of this page.", { timeout: 20_000 });
  await expect(chat.page.getByRole("button", { name: "Reload" })).toBeVisible();
});

test("a clock a day wrong: no false alarm, no second message", async ({ cluster, network, visit }) => {
  const chat = await visit(network.url);
  await chat.introduce("Ada", "ada@example.org");
  network.onClientFrame = (frame, link) => {
    if (frame.type !== "post") link.toServer(frame);
  };
  await chat.send("when");
  await expect.poll(() => network.posts().length).toBe(1);
  for (const day of [1, -1]) {
    await chat.page.evaluate((day) => {
      const now = Date.now.bind(Date);
      Date.now = () => now() + day * 86_400_000;
    }, day);
    network.cut();
    await expect.poll(() => network.posts().length).toBeGreaterThan(day === 1 ? 1 : 2);
    await expect(chat.row("when")).not.toContainText("Nobody knows");
  }
  network.onClientFrame = (frame, link) => link.toServer(frame);
  network.cut();
  await chat.settled();
  expect(await stored(cluster.pod(0))).toHaveLength(1);
});

test("a megabyte pasted: no task much longer than a bare textarea's, the draft is cut with a word, reload works", async ({ network, visit }) => {
  const chat = await visit(network.url);
  // The same in a textarea that does nothing, of the same size, in the same browser.
  const bare = await chat.page.context().newPage();
  await bare.setContent('<textarea style="width: 900px; height: 44px"></textarea>');
  const text = "word ".repeat(200_000);
  const cost = async (page: Page): Promise<number> => {
    await page.locator("textarea").focus();
    return (await Cpu.of(page)).spent(async () => {
      await page.keyboard.insertText(text);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100))));
    }, "all");
  };
  const bareCost = await cost(bare);
  await bare.close();
  const pageCost = await cost(chat.page);
  console.log(`    figure: 1 MB pasted: ${Math.round(pageCost)} ms of tasks, in a bare textarea ${Math.round(bareCost)} ms`);
  expect(pageCost).toBeLessThan(bareCost + 500);
  await expect(chat.page.locator("#note")).toContainText("cut off");
  await expect(chat.page.locator("#note")).toContainText("Shorten the message by 16000 characters.");
  expect((await chat.message.inputValue()).length).toBe(20_000);
  await chat.page.reload();
  await chat.connected();
  expect((await chat.message.inputValue()).length).toBe(20_000);
  // The limit is said while one types, to the character.
  await chat.message.fill("x".repeat(4_001));
  await expect(chat.page.locator("#note")).toHaveText("Shorten the message by 1 character.");
  await chat.message.fill("x".repeat(4_000));
  await expect(chat.page.locator("#note")).toHaveCount(0);
});

test("two tabs: each keeps its own draft; name and email are shared at once", async ({ cluster, visit }) => {
  const one = await visit(cluster.pod(0).url);
  const two = new ChatPage(await one.page.context().newPage());
  await two.open(cluster.pod(0).url);
  await one.message.fill("the first tab's");
  await two.message.fill("the second tab's");
  await one.page.reload();
  await expect(one.message).toHaveValue("the first tab's");
  await two.message.fill("");
  await one.page.reload();
  await expect(one.message).toHaveValue("the first tab's");
  await one.introduce("Ada", "ada@example.org");
  await one.message.focus();
  await expect(two.who).toHaveAccessibleName("Name and email: Ada, ada@example.org");
});

for (const status of [403, 426]) {
  test(`the upgrade refused with ${status}: the cause in words, messages by HTTP, read-only`, async ({ cluster, network, browser }) => {
    await post(cluster.pod(0), numbered(120).map((content) => ({ content })));
    network.upgradeStatus = status;
    const page = await browser.newPage();
    await page.goto(network.url);
    const chat = new ChatPage(page);
    await expect(chat.row("line 0120")).toBeInViewport();
    await expect(chat.status).toHaveText(/WebSocket connections to it are refused.*proxy.*You can read/u);
    await chat.log.press("Home");
    await expect(chat.row("line 0002")).toHaveCount(1);
    await expect(chat.page.getByText(/\d online/u)).toHaveCount(0);
    // As soon as it may, it is a chat again.
    network.upgradeStatus = undefined;
    await chat.reconnectNow();
    await expect(chat.page.locator(".strip")).not.toHaveClass(/troubled/u);
    await post(cluster.pod(0), [{ content: "live again" }]);
    await expect(chat.row("live again")).toHaveCount(1);
    await page.close();
  });
}
