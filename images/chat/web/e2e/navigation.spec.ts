/** Topics in the address, what is unread, and what is remembered. */

import { ChatPage, expect, numbered, post, test } from "./fixtures.ts";

test("the topic stands in the address: links, back, forward, reload, a shared link", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [
    { topic: "tea", content: "in tea" },
    { topic: "日本語 & more/less", content: "in the other" },
  ]);
  const chat = await visit(cluster.pod(0).url);
  const heading = chat.page.getByRole("heading", { level: 1 });
  await chat.topics.getByRole("link", { name: "tea" }).click();
  await expect(heading).toHaveText("tea");
  await expect(chat.rows).toHaveText(/in tea/);
  await chat.topics.getByRole("link", { name: "日本語" }).click();
  await expect(chat.rows).toHaveText(/in the other/);
  const shared = chat.page.url();
  await chat.page.goBack();
  await expect(heading).toHaveText("tea");
  await chat.page.goForward();
  await expect(heading).toHaveText("日本語 & more/less");
  await chat.page.reload();
  await expect(chat.rows).toHaveText(/in the other/);
  await expect(chat.topics.getByRole("link", { name: "日本語" })).toHaveAttribute("aria-current", "page");
  const other = await visit(shared.replace(cluster.pod(0).url, cluster.pod(1).url));
  await expect(other.rows).toHaveText(/in the other/);
  await expect(other.page).toHaveTitle("日本語 & more/less · Chatapp");

  // A topic that does not exist yet comes into being with its first message.
  const fresh = await visit(`${cluster.pod(1).url}/#/brand%20new`);
  await expect(fresh.log).toContainText("No messages yet. Say hello.");
  await expect(fresh.topic).toHaveValue("brand new");
  await fresh.introduce("Ada", "ada@example.org");
  await fresh.send("first here");
  await expect(chat.topics.getByRole("link", { name: "brand new" })).toBeVisible();

  // Written to another topic than the one on the screen: followed there.
  await fresh.topic.fill("tea");
  await fresh.send("over here");
  await expect(fresh.page.getByRole("heading", { level: 1 })).toHaveText("tea");
  await expect(fresh.row("over here")).toHaveCount(1);
});

test("drafts are kept for each topic, also over a reload", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [{ topic: "tea" }, { topic: "milk" }]);
  const chat = await visit(cluster.pod(0).url);
  await chat.message.fill("for all");
  await chat.topics.getByRole("link", { name: "tea" }).click();
  await expect(chat.message).toHaveValue("");
  await chat.message.fill("for tea");
  await chat.topics.getByRole("link", { name: "milk" }).click();
  await expect(chat.message).toHaveValue("");
  await chat.page.goBack();
  await expect(chat.message).toHaveValue("for tea");
  await chat.page.reload();
  await expect(chat.message).toHaveValue("for tea");
  await chat.topics.getByRole("link", { name: "All topics" }).click();
  await expect(chat.message).toHaveValue("for all");
});

test("unread ones are counted by topic, marked where they begin, and read by being seen", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [{ topic: "tea", content: "old" }, { topic: "milk", content: "old" }]);
  const chat = await visit(`${cluster.pod(0).url}/#/tea`);
  await expect(chat.row("old")).toBeVisible();
  const milk = chat.topics.getByRole("link", { name: "milk" });
  await expect(milk).toHaveText("milk");

  await post(cluster.pod(1), numbered(3).map((content) => ({ topic: "milk", content })));
  await post(cluster.pod(1), [{ topic: "tea", content: "seen at once" }]);
  await expect(chat.row("seen at once")).toBeVisible();
  await expect(milk).toHaveText("milk3 unread");
  await expect(chat.topics.getByRole("link", { name: "All topics" })).toHaveText("All topics3 unread");
  await expect(chat.page).toHaveTitle("(3) tea · Chatapp");

  await milk.click();
  await expect(chat.row("line 0001").locator(".unread")).toHaveText("New");
  await expect(milk).toHaveText("milk");
  await expect(chat.page).toHaveTitle("milk · Chatapp");

  // Remembered over a reload; so is what came meanwhile.
  await chat.page.goto("about:blank");
  await post(cluster.pod(1), numbered(80, "away").map((content) => ({ topic: "milk", content })));
  await chat.open(`${cluster.pod(0).url}/#/milk`);
  // It opens at the first that is unread, which is not on the last screen.
  await expect(chat.row("away 0001").locator(".unread")).toBeInViewport();
  await expect(chat.row("away 0080")).not.toBeInViewport();
  await chat.page.keyboard.press("Escape");
  await expect(chat.row("away 0080")).toBeInViewport();
  await expect(milk).toHaveText("milk");
});

test("nobody looking: the title counts, and a notification is shown to who asked for them", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url, { permissions: ["notifications"] });
  await chat.page.evaluate(() => {
    const shown: string[] = [];
    class FakeNotification {
      static permission = "granted";
      static requestPermission = async (): Promise<string> => "granted";
      onclick = null;
      constructor(title: string, options: { body: string }) {
        shown.push(`${title}: ${options.body}`);
      }
      close(): void {}
    }
    Object.assign(window, { shown, Notification: FakeNotification });
  });
  const bell = chat.page.getByRole("button", { name: "Notifications" });
  // What notifies comes after the first messages.
  await expect(chat.page.locator("#announcer")).toBeAttached();
  await expect(bell).toHaveAttribute("aria-pressed", "false");
  const shown = (): Promise<string[]> => chat.page.evaluate(() => (window as unknown as { shown: string[] }).shown);
  const look = (away: boolean): Promise<void> =>
    chat.page.evaluate((away) => {
      document.hasFocus = () => !away;
      window.dispatchEvent(new Event(away ? "blur" : "focus"));
    }, away);

  await look(true);
  await post(cluster.pod(1), [{ content: "not asked for" }]);
  await expect(chat.page).toHaveTitle("(1) Chatapp");
  expect(await shown()).toEqual([]);
  await bell.click();
  await expect(bell).toHaveAttribute("aria-pressed", "true");
  await post(cluster.pod(1), [{ name: "Grace", topic: "tea", content: "asked for" }]);
  await expect.poll(shown).toEqual(["Grace in tea: asked for"]);
  await expect(chat.page).toHaveTitle("(2) Chatapp");
  await expect(chat.row("not asked for").locator(".unread")).toHaveText("New");

  await look(false);
  await expect(chat.page).toHaveTitle("Chatapp");
  await post(cluster.pod(1), [{ content: "seen" }]);
  await expect(chat.row("seen")).toBeVisible();
  expect(await shown()).toHaveLength(1);
});

test("light and dark: as the system says until the person chooses, and then for good", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url, { colorScheme: "dark" });
  const scheme = (): Promise<string> => chat.page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  const surface = (): Promise<string> => chat.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await surface();
  const toggle = chat.page.getByRole("button", { name: /^Theme/ });
  await toggle.click();
  await expect(toggle).toHaveAccessibleName("Theme: light");
  expect(await scheme()).toBe("light");
  expect(await surface()).not.toBe(dark);
  await chat.page.reload();
  await chat.connected();
  expect(await scheme()).toBe("light");
  await toggle.click();
  await chat.page.emulateMedia({ colorScheme: "light" });
  expect(await scheme()).toBe("dark");
  expect(await surface()).toBe(dark);
});

test("a second tab knows what the first has read", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [{ topic: "tea", content: "old" }]);
  const one = await visit(`${cluster.pod(0).url}/#/elsewhere`);
  const two = new ChatPage(await one.page.context().newPage());
  await two.open(`${cluster.pod(0).url}/#/elsewhere`);
  await post(cluster.pod(1), [{ topic: "tea", content: "new" }]);
  const badge = (chat: ChatPage) => chat.topics.getByRole("link", { name: "tea" });
  for (const chat of [one, two]) await expect(badge(chat)).toHaveText("tea1 unread");
  await badge(one).click();
  for (const chat of [one, two]) await expect(badge(chat)).toHaveText("tea");
});

test("phone layout: nothing wider than 320 px, the log keeps a place above an open keyboard", async ({ cluster, visit }) => {
  await post(cluster.pod(0), numbered(30).map((content, i) => ({ content, topic: `a topic with a long name ${i % 6}` })));
  const chat = await visit(cluster.pod(0).url, { viewport: { width: 320, height: 568 }, isMobile: true, hasTouch: true });
  await expect(chat.row("line 0030")).toBeInViewport();
  await chat.expectNoSidewaysScroll();
  await chat.introduce("Ada", "ada@example.org");
  await chat.message.focus();
  // What is left beside a keyboard of common height.
  await chat.page.setViewportSize({ width: 320, height: 290 });
  await expect(chat.row("line 0030")).toBeInViewport();
  const box = await chat.log.boundingBox();
  expect(box?.height).toBeGreaterThan(120);
  await chat.expectNoSidewaysScroll();
  // Without a name one cannot send: the fields come back to ask for it.
  await chat.page.setViewportSize({ width: 320, height: 568 });
  await chat.message.blur();
  await chat.name.fill("");
  await chat.message.fill("who am I");
  await chat.page.setViewportSize({ width: 320, height: 290 });
  await chat.page.getByRole("button", { name: "Send", exact: true }).tap();
  await expect(chat.name).toBeFocused();
});
