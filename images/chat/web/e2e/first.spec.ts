/** The first minute. */

import { expect, numbered, post, test } from "./fixtures.ts";

test("name and email: asked for once, with why; then one line, which opens them again", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url);
  const sheet = chat.page.getByRole("group", { name: "Who you are" });
  await expect(sheet).toContainText("Shown with each of your messages");
  await chat.send("hello");
  await expect(chat.page.getByRole("alert")).toHaveText("Enter your name to send.");
  await expect(chat.name).toBeFocused();
  await chat.page.keyboard.type("Ada");
  await chat.email.fill("nobody");
  await chat.page.keyboard.press("Enter");
  await expect(chat.email).toBeFocused();
  await expect(chat.page.getByRole("alert")).toHaveText("Enter an email such as ada@example.org.");
  await chat.email.fill("ada@example.org");
  await chat.page.keyboard.press("Enter");
  await expect(chat.row("hello")).toHaveCount(1);
  await expect(sheet).toHaveCount(0);
  await expect(chat.message).toBeFocused();

  await chat.who.click();
  await expect(chat.name).toBeFocused();
  await chat.name.fill("Ada Lovelace");
  await chat.page.keyboard.press("Escape");
  await expect(chat.who).toHaveText("Ada");
  await chat.who.click();
  await chat.name.fill("Ada Lovelace");
  await chat.page.getByRole("button", { name: "Done" }).click();
  await expect(chat.who).toHaveText("Ada Lovelace");
});

for (const [what, viewport, touch] of [
  ["320 px", { width: 320, height: 640 }, true],
  ["a phone", { width: 390, height: 780 }, true],
  ["landscape", { width: 844, height: 390 }, true],
] as const) {
  test(`${what}: targets of 44 px, nothing cut, the log has its share`, async ({ cluster, visit }) => {
    await post(cluster.pod(0), numbered(30).map((content, i) => ({ content, topic: `topic ${i % 6}`, name: "Bartholomew Featherstonehaugh" })));
    const chat = await visit(cluster.pod(0).url, { viewport, hasTouch: touch, isMobile: true });
    const check = async (): Promise<void> => {
      await chat.expectNoSidewaysScroll();
      const small = await chat.page.locator("button, input, textarea, nav a").evaluateAll((all) =>
        all
          .filter((el) => el.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
          .map((el) => [el.getAttribute("aria-label") ?? el.textContent, el.closest("label, .search")?.getBoundingClientRect().height ?? 0, el.getBoundingClientRect().height] as const)
          .filter(([, label, own]) => Math.max(label, own) < 44),
      );
      expect(small).toEqual([]);
      const height = (await chat.log.boundingBox())?.height ?? 0;
      if (viewport.height < 480) expect(height / viewport.height).toBeGreaterThanOrEqual(0.6);
      const cut = await chat.page.locator("h1, .name, .email, .head .topic").evaluateAll((all) =>
        all.filter((el) => el.checkVisibility() && el.closest(".grouped") === null && el.scrollWidth > el.clientWidth + 1 && getComputedStyle(el).display !== "inline").map((el) => el.textContent),
      );
      expect(cut).toEqual([]);
    };
    await expect(chat.rows.last()).toBeInViewport();
    await check();
    await chat.introduce("Ada", "ada@example.org");
    await chat.send("sent from a phone");
    await expect(chat.row("sent from a phone")).toBeInViewport();
    await expect(chat.topic).toBeInViewport();
    await check();
  });
}

test("New topic: a control beside the topics; where a message goes is plain before it is sent", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [{ topic: "tea" }]);
  const chat = await visit(`${cluster.pod(0).url}/#/tea`);
  await chat.introduce("Ada", "ada@example.org");
  await expect(chat.topic).toHaveValue("tea");
  await chat.topics.getByRole("button", { name: "New topic" }).click();
  await expect(chat.topic).toBeFocused();
  await expect(chat.topic).toHaveValue("");
  await chat.page.keyboard.type("coffee");
  await expect(chat.message).toHaveAttribute("placeholder", "Message coffee");
  await chat.send("beans");
  await expect(chat.page.getByRole("heading", { level: 1 })).toHaveText("coffee");
  await expect(chat.row("beans")).toHaveCount(1);
});

test("search: marks, a count, a way out, and it ends with the topic", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [
    ...numbered(10).map((content) => ({ content, topic: "tea" })),
    { content: "Crème **brûlée**", topic: "tea" },
    { content: "other", topic: "milk" },
  ]);
  const chat = await visit(cluster.pod(0).url);
  const box = chat.page.getByRole("searchbox");
  await box.fill("brulee");
  await expect(chat.rows).toHaveCount(1);
  await expect(chat.log.locator("mark")).toHaveText(["brûlée"]);
  await expect(chat.page.locator(".found")).toContainText("1 of 12 loaded messages");
  await box.fill("zebra");
  await expect(chat.page.locator(".found")).toContainText("None of 12");
  await chat.page.getByRole("button", { name: "Leave search" }).click();
  await expect(box).toHaveValue("");
  await expect(chat.rows).toHaveCount(12);
  await box.fill("line");
  await expect(chat.rows).toHaveCount(10);
  await chat.topics.getByRole("link", { name: "milk" }).click();
  await expect(box).toHaveValue("");
  await expect(chat.rows).toHaveText(/other/u);
});

test("Home reaches the top once; a second Enter after a good send says nothing", async ({ cluster, network, visit }) => {
  await post(cluster.pod(0), numbered(400).map((content) => ({ content })));
  const chat = await visit(network.url);
  await expect(chat.row("line 0400")).toBeInViewport();
  // What opening asks for comes first.
  await chat.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_000)));
  const asked = network.sent("history").length;
  await chat.log.press("Home");
  await chat.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_000)));
  expect(network.sent("history").length - asked).toBeLessThanOrEqual(1);
  await expect(chat.page.getByRole("button", { name: "Jump to newest" })).toBeVisible();
  await chat.log.press("End");
  await expect(chat.row("line 0400")).toBeInViewport();

  await chat.introduce("Ada", "ada@example.org");
  await chat.message.fill("good");
  await chat.message.press("Enter");
  await chat.message.press("Enter");
  await expect(chat.row("good")).toHaveCount(1);
  await expect(chat.page.locator("#problem")).toHaveText("");
  // But who writes nothing at all is told.
  await chat.message.fill(" ");
  await chat.message.press("Enter");
  await expect(chat.page.getByRole("alert")).toHaveText("Write a message first.");
});

test("people's texts keep their direction to themselves, wherever they stand", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [{ name: "نور", topic: "שלום", content: "مرحبا (1)" }]);
  const chat = await visit(`${cluster.pod(0).url}/#/${encodeURIComponent("שלום")}`);
  await expect(chat.rows).toHaveCount(1);
  const loose = await chat.page.evaluate(() => {
    const found: string[] = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      if (!/[\u0590-\u06ff]/u.test(node.textContent ?? "")) continue;
      const own = node.parentElement?.closest("bdi, [dir=auto], .avatar, title");
      if (!own) found.push(node.parentElement?.outerHTML ?? "");
    }
    return found;
  });
  expect(loose).toEqual([]);
  await expect(chat.page).toHaveTitle("\u2068שלום\u2069 · Chatapp");
});
