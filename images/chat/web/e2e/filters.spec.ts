/** The search field as a filter that the server answers, and filters kept as views. */

import { violations } from "./axe.ts";
import { expect, numbered, post, test } from "./fixtures.ts";
import { account, call, signIn } from "./people.ts";

const ada = { name: "Ada", email: "ada@example.org" };

test("a filter finds what is not loaded, is explained where it cannot be read, and is chosen from examples", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [
    { ...ada, content: "the oldest needle" },
    { content: "a needle of hers", topic: "sewing" },
    ...numbered(120).map((content) => ({ content })),
    { ...ada, content: "the newest needle" },
  ]);
  const chat = await visit(cluster.pod(1).url);
  const box = chat.page.getByRole("searchbox");
  await chat.page.keyboard.press("/");
  await box.pressSequentially("from:ada needle", { delay: 20 });
  await expect.poll(() => chat.contents()).toEqual(["the oldest needle", "the newest needle"]);
  await expect(chat.page.locator(".found")).toContainText("2 matches found in all history");
  await expect(chat.log.locator("mark")).toHaveText(["Ada", "ada", "needle", "Ada", "ada", "needle"]);
  expect(await violations(chat.page)).toEqual([]);

  await box.fill("(needle");
  await expect(chat.page.getByRole("alert").filter({ hasText: "expected" })).toHaveText(/At character 8: expected a closing \)/u);
  await box.fill("is:funny");
  await expect(chat.page.getByRole("alert").filter({ hasText: "expected" })).toHaveText(/At character 1: expected is: with reply/u);
  expect(await violations(chat.page)).toEqual([]);
  await chat.page.getByRole("button", { name: "topic:general" }).click();
  await expect(box).toHaveValue("topic:general");
  await expect(box).toBeFocused();

  // What comes while one looks is found too; a result leads to its place, however far up.
  await box.fill("from:ada");
  await expect(chat.rows).toHaveCount(2);
  await post(cluster.pod(0), [{ ...ada, content: "one more" }]);
  await expect(chat.rows).toHaveCount(3);
  await chat.row("the oldest needle").click();
  await expect(box).toHaveValue("");
  await expect(chat.row("the oldest needle")).toBeInViewport();
  await expect(chat.row("the oldest needle")).toBeFocused();
});

test("a filter that matches more than a page goes on further back", async ({ cluster, visit }) => {
  test.slow();
  const contents = numbered(130, "tick");
  for (let i = 0; i < contents.length; i += 26) {
    await Promise.all(contents.slice(i, i + 26).map((content) => post(cluster.pod(0), [{ content }])));
  }
  const chat = await visit(cluster.pod(0).url);
  await chat.page.getByRole("searchbox").fill('"tick" from:grace');
  await expect(chat.page.locator(".found")).toContainText("50 matches found in all history so far");
  const further = chat.page.getByRole("button", { name: "Look further back" });
  await further.click();
  await expect(chat.page.locator(".found")).toContainText("100 matches");
  await further.click();
  await expect(chat.page.locator(".found")).toContainText("130 matches found in all history");
  await expect(chat.log).toContainText("These are all.");
});

test("a saved view: in the side list, with what is new, over a reload, removed again", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [{ content: "a #release it was" }]);
  const chat = await visit(cluster.pod(0).url);
  await chat.page.getByRole("searchbox").fill("#release");
  await chat.page.getByRole("button", { name: "Save as view" }).click();
  const name = chat.page.getByRole("textbox", { name: "View’s name" });
  await expect(name).toHaveValue("#release");
  await name.fill("Releases");
  await chat.page.keyboard.press("Enter");
  const view = chat.topics.getByRole("button", { name: /^Releases/u });
  await expect(view).toHaveAttribute("aria-current", "true");
  await chat.page.getByRole("button", { name: "Leave search" }).click();
  await expect(view).not.toHaveAttribute("aria-current", "true");
  await post(cluster.pod(1), [{ content: "another #release", topic: "deploys" }, { content: "no such thing" }]);
  await expect(view).toHaveAccessibleName(/1 unread/u);
  expect(await violations(chat.page)).toEqual([]);
  await chat.page.reload();
  await chat.connected();
  await expect(view).toHaveAccessibleName(/1 unread/u);
  await view.click();
  await expect.poll(() => chat.contents()).toEqual(["a #release it was", "another #release"]);
  await chat.page.getByRole("button", { name: "Leave search" }).click();
  await expect(view).toHaveAccessibleName("Releases");
  await view.click();
  await chat.page.getByRole("button", { name: "Remove view" }).click();
  await expect(view).toHaveCount(0);
});

test("a view begins when it is saved, and when another browser first sees it, whatever becomes of the first looks", async ({ cluster, network, visit }) => {
  const { token } = await account(cluster.pod(0), "Ada", "ada@example.org");
  await post(cluster.pod(0), [{ content: "a #release it was" }]);
  const chat = await visit(network.url);
  await signIn(chat, "ada@example.org");
  const box = chat.page.getByRole("searchbox", { name: "Search all messages" });
  // The server stumbles over the first questions of the page, and answers none of them in time.
  let refused = 0;
  network.onClientFrame = (frame, link) => {
    if (frame.type === "history" && frame.filter !== undefined && refused++ < 4) {
      link.toPage({ type: "error", code: "unavailable", message: "not now", ref: frame.ref });
    } else {
      link.toServer(frame);
    }
  };
  await box.fill("#release");
  await chat.page.getByRole("button", { name: "Save as view" }).click();
  await chat.page.getByRole("textbox", { name: "View’s name" }).fill("Releases");
  await chat.page.keyboard.press("Enter");
  const view = chat.topics.getByRole("button", { name: /^Releases/u });
  await expect(view).toHaveAttribute("aria-current", "true");
  await chat.page.getByRole("button", { name: "Leave search" }).click();
  await post(cluster.pod(1), [{ content: "another #release" }]);
  await expect(view).toHaveAccessibleName(/1 unread/u);

  // Another browser of the same account: what was there when it came is seen, what comes is not.
  expect(await call(cluster.pod(0), token, "GET", "filters")).toEqual({ filters: [{ name: "Releases", filter: "#release" }] });
  refused = 0;
  const second = await visit(network.url);
  await signIn(second, "ada@example.org");
  const there = second.topics.getByRole("button", { name: /^Releases/u });
  await expect(there).toBeVisible();
  await post(cluster.pod(1), [{ content: "a third #release" }]);
  await expect(there).toHaveAccessibleName(/1 unread/u);
  await expect(view).toHaveAccessibleName(/2 unread/u);
});
