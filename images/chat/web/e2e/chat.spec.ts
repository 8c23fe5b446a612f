/** Two people, two pods: what one writes the other sees. */

import { Alone } from "./cluster.ts";
import { expect, numbered, post, stored, test } from "./fixtures.ts";

test("two windows on two pods show each other's messages with all five fields", async ({ cluster, visit }) => {
  const ada = await visit(cluster.pod(0).url);
  const grace = await visit(cluster.pod(1).url);
  await expect(ada.page.getByText("2 online")).toBeVisible();
  await expect(grace.page.getByText("2 online")).toBeVisible();

  // Nothing is asked before the first send; then what is missing is.
  await ada.send("hello from pod 0");
  await expect(ada.page.getByRole("alert")).toHaveText("Enter your name to send.");
  await expect(ada.name).toBeFocused();
  await ada.introduce("Ada Lovelace", "ada@example.org");
  await ada.topic.fill("engines");
  await ada.page.getByRole("button", { name: "Send", exact: true }).click();
  await grace.introduce("Grace Hopper", "grace@example.org");
  await grace.send("hello from pod 1");

  for (const { row, topics } of [ada, grace].map((p) => ({ row: p.row.bind(p), topics: p.topics }))) {
    const first = row("hello from pod 0");
    await expect(first).toContainText("Ada Lovelace");
    await expect(first).toContainText("ada@example.org");
    await expect(first).toContainText("engines");
    await expect(first.locator("time")).toHaveText(/^\d\d:\d\d$/);
    await expect(first.locator("time")).toHaveAttribute("datetime", /^\d{4}-\d\d-\d\dT.*Z$/);
    await expect(row("hello from pod 1")).toContainText("Grace Hopper");
    await expect(topics.getByRole("link", { name: /^engines/ })).toBeVisible();
  }
  await expect(ada.rows).toHaveCount(2);
  await ada.settled();

  // Identity is remembered.
  await ada.page.reload();
  await ada.connected();
  await expect(ada.who).toHaveAccessibleName("Name and email: Ada Lovelace, ada@example.org");
  await expect(ada.name).toHaveCount(0);
  await ada.who.click();
  await expect(ada.name).toHaveValue("Ada Lovelace");
  await expect(ada.email).toHaveValue("ada@example.org");
  await expect(ada.rows).toHaveCount(2);

  await grace.page.context().close();
  await expect(ada.page.getByText("1 online")).toBeVisible();
});

test("the embedded server killed and started again: all is still there, and the page goes on by itself", async ({ visit }) => {
  const alone = await Alone.start();
  try {
    const chat = await visit(alone.pod.url);
    await chat.introduce("Ada", "ada@example.org");
    const before = numbered(20, "before");
    await post(alone.pod, before.map((content) => ({ content })));
    await chat.send("mine before");
    await chat.settled();
    await alone.pod.kill();
    await chat.send("mine meanwhile");
    await expect(chat.row("mine meanwhile")).toHaveClass(/pending/);
    await alone.pod.start();
    await post(alone.pod, [{ content: "after" }]);
    await expect(chat.row("after")).toHaveCount(1);
    await chat.settled();
    const log = (await stored(alone.pod)).map(({ content }) => content);
    expect([...log].sort()).toEqual([...before, "mine before", "mine meanwhile", "after"].sort());
    await expect.poll(() => chat.contents()).toEqual(log);
  } finally {
    await alone.stop();
  }
});
