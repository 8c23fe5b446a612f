/** What is seen is true. */

import { expect, numbered, post, test } from "./fixtures.ts";

for (const width of [1280, 320]) {
  test(`all five fields stand there without being pointed at, at ${width} px`, async ({ cluster, visit }) => {
    await post(cluster.pod(0), [
      { name: "Ada Lovelace", email: "ada.lovelace@example.org", topic: "tea", content: "first" },
      { name: "Ada Lovelace", email: "ada.lovelace@example.org", topic: "tea", content: "second" },
    ]);
    for (const view of ["", "#/tea"]) {
      const chat = await visit(`${cluster.pod(0).url}/${view}`, { viewport: { width, height: 700 } });
      const row = chat.row("first");
      for (const part of [".name", ".email", ".topic", "time", ".content"]) {
        const found = row.locator(part);
        await expect(found).toBeInViewport({ ratio: 1 });
        await expect(found).toHaveCSS("opacity", "1");
        expect(await found.evaluate((el) => el.scrollWidth <= el.clientWidth + 1 || getComputedStyle(el).display === "inline")).toBe(true);
      }
      // Once per group; the time for each.
      await expect(chat.row("second").locator("time")).toBeInViewport();
      await expect(chat.row("second").locator(".email")).not.toBeInViewport({ ratio: 1 }).catch(() => undefined);
      await chat.expectNoSidewaysScroll();
    }
  });
}

test("a cut that the browser knows of: nothing is claimed within a second", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url);
  await expect(chat.page.getByText("1 online")).toBeVisible();
  await chat.page.context().setOffline(true);
  await expect(chat.status).not.toHaveText("Connected", { timeout: 1_000 });
  await expect(chat.page.getByText(/\d online/u)).toHaveCount(0, { timeout: 1_000 });
  await chat.page.context().setOffline(false);
  await chat.reconnectNow();
  await expect(chat.page.getByText("1 online")).toBeVisible();
});

for (const timezoneId of ["Europe/London", "Pacific/Auckland", "America/St_Johns"]) {
  test(`Today turns to Yesterday at midnight without a message, in ${timezoneId}`, async ({ cluster, browser }) => {
    await post(cluster.pod(0), [{ content: "said before midnight" }]);
    const page = await browser.newPage({ timezoneId });
    // Ten seconds before the midnight that follows the message, there.
    await page.clock.install();
    const before = await page.evaluate(() => {
      const now = new Date();
      return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime() - 10_000;
    });
    await page.clock.setSystemTime(before);
    await page.goto(cluster.pod(0).url);
    await page.clock.runFor(2_000);
    const day = page.getByRole("log").locator(".day");
    await expect(day).toHaveText("Today");
    await page.clock.runFor(12_000);
    await expect(day).toHaveText("Yesterday");
    await page.close();
  });
}

test("copying gives what is seen: time, name, text", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [
    { name: "Ada", email: "ada@example.org", topic: "tea", content: "one\ntwo **bold**" },
    { name: "Ada", email: "ada@example.org", topic: "tea", content: "three" },
    { name: "Grace", email: "grace@example.org", topic: "tea", content: "four" },
  ]);
  const chat = await visit(cluster.pod(0).url, { permissions: ["clipboard-read", "clipboard-write"] });
  await expect(chat.rows).toHaveCount(3);
  // What copying is done by comes with what announces.
  await expect(chat.page.locator("#announcer")).toBeAttached();
  const copy = (): Promise<string> => chat.page.evaluate(() => navigator.clipboard.readText());
  await chat.log.evaluate((log) => getSelection()?.selectAllChildren(log.querySelector("ol") as Element));
  await chat.page.keyboard.press("Control+C");
  const lines = (await copy()).split("\n");
  expect(lines.map((line) => line.replace(/^\d\d:\d\d/u, "HH:MM"))).toEqual(["HH:MM Ada: one", "two bold", "HH:MM Ada: three", "HH:MM Grace: four"]);
  // Within one message it is the text that is selected.
  await chat.row("four").locator(".content").evaluate((el) => getSelection()?.selectAllChildren(el));
  await chat.page.keyboard.press("Control+C");
  expect(await copy()).toBe("four");
});

test("a very tall message is folded, and shown whole when asked; no blank screen", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [
    { content: `top${"\n".repeat(3_990)}end` },
    { content: `${"\n".repeat(400)}after the blank` },
    { content: "short" },
  ]);
  const chat = await visit(cluster.pod(0).url);
  const tall = chat.rows.first();
  expect((await tall.boundingBox())?.height).toBeLessThan(400);
  await expect(chat.row("after the blank")).toBeInViewport();
  const more = tall.getByRole("button", { name: /^Show all/u });
  await expect(more).toHaveAttribute("aria-expanded", "false");
  await more.click();
  expect((await tall.boundingBox())?.height).toBeGreaterThan(50_000);
  await tall.getByRole("button", { name: "Show less" }).click();
  expect((await tall.boundingBox())?.height).toBeLessThan(400);
});

for (const [what, view] of [["all", ""], ["one topic", "#/tea"]] as const) {
  test(`loading older messages moves nothing and shifts nothing: ${what}`, async ({ cluster, network, visit }) => {
    await post(cluster.pod(0), numbered(130).map((content, i) => ({ content, topic: "tea", email: `p${Math.floor(i / 4) % 3}@example.org` })));
    await post(cluster.pod(0), numbered(45, "other").map((content) => ({ content, topic: "milk" })));
    const chat = await visit(`${network.url}/${view}`);
    await expect(chat.rows.last()).toBeInViewport();
    await chat.page.evaluate(() => {
      const shifts: string[] = [];
      Object.assign(window, { shifts });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as (PerformanceEntry & { value: number; sources: { node: Node | null }[] })[]) {
          shifts.push(`${entry.value} ${entry.sources.map(({ node }) => node?.textContent?.slice(0, 40)).join("; ")}`);
        }
      }).observe({ type: "layout-shift", buffered: true });
    });
    // Up to the top of what is loaded: the first row there does not move by a pixel.
    const asked = (): number => network.events.filter((one) => one.kind === "to-server" && one.frame.type === "history").length;
    const answered = (): number => network.events.filter((one) => one.kind === "to-page" && one.frame.type === "history").length;
    for (let i = 0; i < 3; i++) {
      // A browser takes a jump of a script, and rows that come above in the same frame, for a shift:
      // what was asked for has come, and stands there, before the next jump.
      await expect.poll(() => asked() - answered()).toBe(0);
      const moved = await chat.log.evaluate(async (log) => {
        for (let frame = 0; frame < 20; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
        log.scrollTop = 0;
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const row = log.querySelector<HTMLElement>(".row");
        if (!row) throw new Error("no row");
        const top = row.getBoundingClientRect().top;
        let most = 0;
        for (let frame = 0; frame < 40; frame++) {
          await new Promise((resolve) => requestAnimationFrame(resolve));
          if (row.isConnected) most = Math.max(most, Math.abs(row.getBoundingClientRect().top - top));
        }
        return most;
      });
      expect(moved).toBeLessThanOrEqual(1);
    }
    expect(answered()).toBeGreaterThan(0);
    expect(await chat.page.evaluate(() => (window as unknown as { shifts: string[] }).shifts)).toEqual([]);
  });
}

test("twins are warned of where one is made; a topic named All topics is not the entry", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [{ topic: "tea" }, { topic: "All topics", content: "inside" }]);
  const chat = await visit(cluster.pod(0).url);
  await chat.topic.fill("Tea");
  const note = chat.page.locator(".note");
  await expect(note).toContainText("There is a topic “tea” already");
  await note.getByRole("button", { name: /Use/u }).click();
  await expect(chat.topic).toHaveValue("tea");
  await expect(note).toHaveCount(0);

  const entry = chat.topics.getByRole("link", { name: "All topics", exact: true });
  await expect(entry).toHaveCount(1);
  await chat.topics.getByRole("link", { name: /^All topics.*a topic of this name/u }).click();
  await expect(chat.rows).toHaveText(/inside/u);
  await expect(entry).not.toHaveAttribute("aria-current", "page");
});

test("notifications are cut at characters as people see them", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url, { permissions: ["notifications"] });
  await chat.page.evaluate(() => {
    const shown: string[] = [];
    class FakeNotification {
      static permission = "granted";
      static requestPermission = async (): Promise<string> => "granted";
      constructor(_: string, options: { body: string }) {
        shown.push(options.body);
      }
      close(): void {}
    }
    Object.assign(window, { shown, Notification: FakeNotification });
    document.hasFocus = () => false;
    window.dispatchEvent(new Event("blur"));
  });
  // What notifies comes after the first messages.
  await expect(chat.page.locator("#announcer")).toBeAttached();
  await chat.page.getByRole("button", { name: "Notifications" }).click();
  const family = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}";
  await post(cluster.pod(1), [{ content: family.repeat(300) }]);
  const shown = (): Promise<string[]> => chat.page.evaluate(() => (window as unknown as { shown: string[] }).shown);
  await expect.poll(async () => (await shown()).length).toBe(1);
  expect((await shown())[0]).toBe(`${family.repeat(200)}…`);
});
