/** Scrolling through history: the line being read does not move. */

import { expect, numbered, post, test, type ChatPage } from "./fixtures.ts";

/** The most rows that may stand in the DOM. */
const MAX_ROWS = 400;

/**
 * Scrolls by `by` px and waits until the page has had time to bring more. Returns how far the line
 * being read is from where the scroll alone would have put it, in px, and the rows in the DOM.
 */
async function step(chat: ChatPage, by: number): Promise<{ drift: number; rows: number }> {
  return chat.log.evaluate(async (log, by) => {
    const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
    const top = log.getBoundingClientRect().top;
    const rows = (): HTMLElement[] => [...log.querySelectorAll<HTMLElement>(".row")];
    const line = rows().find((row) => row.getBoundingClientRect().bottom > top + log.clientHeight / 2);
    if (!line) throw new Error("no line to read");
    const id = line.dataset["id"];
    const before = line.getBoundingClientRect().top;
    const from = log.scrollTop;
    log.scrollTop += by;
    const expected = before - (log.scrollTop - from);
    let drift = 0;
    for (let i = 0; i < 3; i++) {
      await frame();
      const now = rows().find((row) => row.dataset["id"] === id);
      if (!now) throw new Error("the line being read was taken away");
      drift = Math.max(drift, Math.abs(now.getBoundingClientRect().top - expected));
    }
    return { drift, rows: rows().length };
  }, by);
}

test("300 messages up to the first and back: the line being read stays within 2 px", async ({ cluster, visit }) => {
  test.slow();
  const contents = numbered(300).map((content, i) => (i % 5 === 0 ? `${content}\n${"more words ".repeat(i % 40)}` : content));
  await post(cluster.pod(0), contents.map((content, i) => ({ content, email: `p${Math.floor(i / 3) % 4}@example.org` })));
  const chat = await visit(cluster.pod(1).url);
  await expect(chat.row("line 0300")).toBeInViewport();

  let worst = 0;
  let most = 0;
  const note = ({ drift, rows }: { drift: number; rows: number }): void => {
    worst = Math.max(worst, drift);
    most = Math.max(most, rows);
  };
  const first = chat.row("line 0001");
  let steps = 0;
  while (!(await first.isVisible()) || !(await first.evaluate((row) => row.getBoundingClientRect().bottom > 0))) {
    note(await step(chat, -500));
    // Others go on talking meanwhile.
    if (++steps % 8 === 0) await post(cluster.pod(0), [{ content: `meanwhile ${steps}` }]);
    expect(steps).toBeLessThan(300);
    if ((await chat.log.evaluate((log) => log.scrollTop)) === 0 && (await first.isVisible())) break;
  }
  await expect(chat.log).toContainText("This is where it begins.");
  await expect(first).toBeInViewport();
  const talked = Math.floor(steps / 8);
  await expect(chat.page.getByRole("button", { name: `${talked} new message${talked === 1 ? "" : "s"}` })).toBeVisible();

  while (!(await chat.row("line 0300").isVisible()) || !(await atBottom(chat))) {
    note(await step(chat, 500));
    expect(++steps).toBeLessThan(600);
  }
  await expect(chat.page.getByRole("button", { name: /new message|newest/ })).toHaveCount(0);
  expect(worst).toBeLessThanOrEqual(2);
  expect(most).toBeLessThanOrEqual(MAX_ROWS);
  expect(steps).toBeGreaterThan(20);

  // Back at the newest, it is followed again.
  await post(cluster.pod(0), [{ content: "followed" }]);
  await expect(chat.row("followed")).toBeInViewport();
});

function atBottom(chat: ChatPage): Promise<boolean> {
  return chat.log.evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 1);
}

test("new messages do not move who reads further up; the button leads back down", async ({ cluster, visit }) => {
  await post(cluster.pod(0), numbered(60).map((content) => ({ content })));
  const chat = await visit(cluster.pod(1).url);
  await expect(chat.row("line 0060")).toBeInViewport();
  await step(chat, -600);
  const line = chat.log.locator(".row").nth(20);
  const id = await line.getAttribute("data-id");
  const top = (): Promise<number> =>
    chat.log.locator(`[data-id="${id}"]`).evaluate((row) => row.getBoundingClientRect().top);
  const before = await top();
  await post(cluster.pod(0), numbered(10, "new").map((content) => ({ content })));
  const button = chat.page.getByRole("button", { name: "10 new messages" });
  await expect(button).toBeVisible();
  expect(Math.abs((await top()) - before)).toBeLessThanOrEqual(2);
  await button.click();
  await expect(chat.row("new 0010")).toBeInViewport();
  await expect(button).toHaveCount(0);

  // The same by the keyboard.
  await step(chat, -600);
  await expect(chat.page.getByRole("button", { name: "Jump to newest" })).toBeVisible();
  await chat.page.keyboard.press("Escape");
  await expect(chat.row("new 0010")).toBeInViewport();
});

test("a topic brings its own history; a search finds what is loaded and shows it in its place", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [
    ...numbered(120, "rare").map((content) => ({ content, topic: "rare" })),
    ...numbered(60, "busy").map((content) => ({ content, topic: "busy" })),
  ]);
  const chat = await visit(cluster.pod(1).url);
  await chat.topics.getByRole("link", { name: "rare" }).click();
  await expect(chat.row("rare 0120")).toBeInViewport();
  await expect(chat.row("rare 0059")).toHaveCount(1);
  expect((await chat.contents()).every((content) => content.startsWith("rare"))).toBe(true);

  await chat.page.keyboard.press("/");
  await chat.page.keyboard.type("RÁRE 0060");
  await expect(chat.rows).toHaveCount(1);
  await chat.rows.first().click();
  await expect(chat.row("rare 0060")).toBeInViewport();
  await expect(chat.row("rare 0059")).toBeInViewport();
});
