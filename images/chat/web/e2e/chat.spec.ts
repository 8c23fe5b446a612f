/** Two people, two pods: what one writes the other sees. */

import { expect, test } from "./fixtures.ts";

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
  await expect(ada.name).toHaveValue("Ada Lovelace");
  await expect(ada.email).toHaveValue("ada@example.org");
  await expect(ada.rows).toHaveCount(2);

  await grace.page.context().close();
  await expect(ada.page.getByText("1 online")).toBeVisible();
});
