/** Replies, votes, deletions and messages that are not kept, between two people on two pods. */

import { violations } from "./axe.ts";
import { expect, post, test } from "./fixtures.ts";

test("a reply: button and key, the quoted parent and the way to it, one message with its replies", async ({ cluster, visit }) => {
  const [parent] = await post(cluster.pod(0), [{ content: "Shall we have tea?" }, ...Array.from({ length: 80 }, (_, n) => ({ content: `line ${n}` }))]);
  const ada = await visit(cluster.pod(0).url);
  await ada.introduce("Ada", "ada@example.org");
  await ada.page.getByRole("button", { name: "Done" }).click();
  const last = ada.row("line 79");
  await last.hover();
  await last.getByRole("button", { name: "Reply", exact: true }).click();
  await expect(ada.message).toBeFocused();
  await expect(ada.page.getByText("Replying to Grace Hopper: line 79")).toBeVisible();
  await ada.send("the last one");
  await expect(ada.row("the last one").locator(".quote")).toContainText("line 79");
  await expect(last.getByRole("button", { name: "1 reply" })).toBeVisible();

  const grace = await visit(cluster.pod(1).url);
  await grace.introduce("Grace", "g@example.org");
  await grace.page.getByRole("button", { name: "Done" }).click();
  await grace.row("the last one").focus();
  // The conversation's part comes a second after the page has connected.
  await expect(grace.row("the last one").getByRole("button", { name: "Reply", exact: true })).toBeVisible();
  await grace.page.keyboard.press("r");
  await grace.message.fill("second to the last");
  await grace.page.keyboard.press("Enter");
  await expect(ada.row("second to the last").locator(".quote")).toContainText("the last one");
  expect(await violations(ada.page)).toEqual([]);

  // A parent far above: asked for until it is there.
  await post(cluster.pod(0), [{ content: "yes please", reply_to: parent?.id ?? "" }]);
  await ada.row("yes please").locator(".quote").getByRole("button").click();
  await expect(ada.row("Shall we have tea?")).toBeInViewport();
  await expect(ada.row("Shall we have tea?")).toBeFocused();

  await ada.page.keyboard.press("t");
  await expect(ada.page.locator(".found")).toContainText("1 reply in general");
  await expect(ada.rows).toHaveCount(2);
  await ada.send("with milk");
  await expect(ada.rows).toHaveCount(3);
  await expect(ada.page.locator(".found")).toContainText("2 replies");
  expect(await violations(ada.page)).toEqual([]);
  await ada.page.keyboard.press("Escape");
  await expect(ada.page.locator(".found")).toHaveCount(0);
  await expect(ada.row("with milk")).toBeInViewport();
});

test("votes: shown at once, counted once, seen by others, taken back, corrected when refused", async ({ cluster, network, visit }) => {
  const [message] = await post(cluster.pod(0), [{ content: "vote for this" }]);
  const ada = await visit(network.url);
  await ada.row("vote for this").hover();
  await ada.row("vote for this").getByRole("button", { name: "Vote up", exact: true }).click();
  await expect(ada.page.getByText("Enter your name and email to vote.")).toBeVisible();
  await expect(ada.name).toBeFocused();
  await ada.introduce("Ada", "ada@example.org");
  await ada.page.getByRole("button", { name: "Done" }).click();

  const grace = await visit(cluster.pod(1).url);
  await ada.row("vote for this").focus();
  await ada.page.keyboard.press("+");
  const up = ada.row("vote for this").getByRole("button", { name: "Vote up: 1" });
  await expect(up).toHaveAttribute("aria-pressed", "true");
  await expect(grace.row("vote for this").getByRole("button", { name: "Vote up: 1" })).toHaveAttribute("aria-pressed", "false");
  await ada.page.reload();
  await ada.connected();
  await expect(up).toHaveAttribute("aria-pressed", "true");
  await up.click();
  await expect(up).toHaveCount(0);
  await expect(grace.row("vote for this").locator(".numbers")).toHaveCount(0);

  // Shown at once, and taken back when the server will not have it.
  network.onClientFrame = (frame, link) => {
    if (frame.type !== "vote") return link.toServer(frame);
    setTimeout(() => link.toPage({ type: "error", code: "not_found", message: "gone", key: frame.key }), 500);
  };
  await ada.row("vote for this").focus();
  await ada.page.keyboard.press("-");
  await expect(ada.row("vote for this").getByRole("button", { name: "Vote down: 1" })).toBeVisible();
  await expect(ada.page.getByText("The vote was not counted")).toBeVisible();
  await expect(ada.row("vote for this").locator(".numbers")).toHaveCount(0);
  expect(message?.id).toBeTruthy();
});

test("a message that is not kept: looks like it, reaches who is here, and is gone after a reload", async ({ cluster, visit }) => {
  const ada = await visit(cluster.pod(0).url);
  const grace = await visit(cluster.pod(1).url);
  await ada.introduce("Ada", "ada@example.org");
  await ada.page.getByRole("button", { name: "Not kept" }).click();
  await expect(ada.page.getByRole("button", { name: "Not kept" })).toHaveAttribute("aria-pressed", "true");
  await ada.send("between us");
  for (const chat of [ada, grace]) {
    await expect(chat.row("between us")).toHaveClass(/fleeting/);
    await expect(chat.row("between us")).toContainText("Not kept");
  }
  await ada.page.getByRole("button", { name: "Not kept" }).click();
  await ada.send("for the record");
  await expect(grace.row("for the record")).not.toHaveClass(/fleeting/);
  expect(await grace.contents()).toEqual(["between us", "for the record"]);
  expect(await violations(grace.page)).toEqual([]);
  await grace.page.reload();
  await grace.connected();
  await expect(grace.row("for the record")).toHaveCount(1);
  await expect(grace.row("between us")).toHaveCount(0);
});

test("a server that names no features: nothing of them is there, and nothing is asked for", async ({ cluster, network, visit }) => {
  await post(cluster.pod(0), [{ content: "plain" }]);
  // As before there were accounts, rooms and replies.
  network.onServerFrame = (frame, link) => {
    if (frame.type === "welcome") {
      const { features: _, you: __, time: ___, ...rest } = frame;
      link.toPage(rest);
    } else if (frame.type === "presence") link.toPage({ type: "presence", online: frame.online });
    else link.toPage(frame);
  };
  const asked: string[] = [];
  network.onRequest = ({ url = "" }) => (asked.push(url.replace(/-[\w-]{8}\./u, ".")), false);
  const chat = await visit(network.url);
  // All that comes after the first messages has had its time.
  await expect(chat.page.locator("#announcer")).toBeAttached();
  await chat.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
  expect(asked.filter((url) => /conversation|People|guests|session|filters|rooms/u.test(url))).toEqual([]);
  await expect(chat.page.getByText("1 online")).toBeVisible();
  for (const name of ["Sign in", "New room", "Members", "Not kept"]) {
    await expect(chat.page.getByRole("button", { name })).toHaveCount(0);
  }
  await chat.row("plain").hover();
  await chat.row("plain").focus();
  await chat.page.keyboard.press("r");
  await expect(chat.page.getByText("Replying to")).toHaveCount(0);
  await chat.page.getByRole("searchbox", { name: "Search loaded messages" }).fill("plain");
  await expect(chat.page.locator(".found")).toContainText("1 of 1 loaded message");
  await expect(chat.page.getByRole("button", { name: "Save as view" })).toHaveCount(0);
  await chat.page.keyboard.press("Escape");
  await chat.introduce("Ada", "ada@example.org");
  await chat.send("it is a chat all the same");
  await chat.settled();
  await expect(chat.rows).toHaveCount(2);
});

test("what is being answered is deleted meanwhile: said, and sent as a message of its own", async ({ cluster, visit }) => {
  const { url } = cluster.pod(0);
  const storageState = await account(url, "ada@example.org", "Ada");
  const ada = await visit(url, { storageState });
  await ada.send("soon gone");
  await ada.settled();
  const grace = await visit(cluster.pod(1).url);
  await grace.introduce("Grace", "g@example.org");
  await grace.page.getByRole("button", { name: "Done" }).click();
  await grace.row("soon gone").hover();
  await grace.row("soon gone").getByRole("button", { name: "Reply", exact: true }).click();
  await grace.message.fill("an answer");
  await expect(grace.page.getByText("Replying to Ada: soon gone")).toBeVisible();
  await ada.row("soon gone").hover();
  await ada.row("soon gone").getByRole("button", { name: "Delete" }).click();
  await expect(grace.page.getByText("The message you replied to was deleted.")).toBeVisible();
  await expect(grace.page.getByText("Replying to")).toHaveCount(0);
  await expect(grace.message).toHaveValue("an answer");
  await grace.page.getByRole("button", { name: "Send", exact: true }).click();
  await grace.settled();
  await expect(grace.row("an answer").locator(".quote")).toHaveCount(0);
  await expect(ada.row("an answer")).toHaveCount(1);
});

/** A new account, and the storage of a browser that is signed in to it. */
async function account(url: string, email: string, name: string) {
  const response = await fetch(`${url}/api/v1/accounts`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, name, password: "correct horse battery" }),
  });
  const made = (await response.json()) as { account: object; token: string };
  const value = JSON.stringify({ token: made.token, ...made.account });
  return { cookies: [], origins: [{ origin: url, localStorage: [{ name: "chat.session", value }] }] };
}

test("delete: own messages only, with undo for a few seconds, then gone for everybody; replies stay", async ({ cluster, visit }) => {
  const { url } = cluster.pod(0);
  const ada = await visit(url, { storageState: await account(url, "ada@example.org", "Ada") });
  const grace = await visit(cluster.pod(1).url);
  await post(cluster.pod(1), [{ content: "of somebody else" }]);
  await expect(grace.page.locator("#announcer")).toBeAttached();
  await ada.send("a secret slipped out");
  await ada.settled();
  await expect(grace.row("a secret")).toHaveCount(1);
  await expect(grace.page.locator("#announcer")).toContainText("a secret slipped out");

  await ada.row("of somebody else").hover();
  await expect(ada.row("of somebody else").getByRole("button", { name: "Reply", exact: true })).toBeVisible();
  await expect(ada.row("of somebody else").getByRole("button", { name: "Delete" })).toHaveCount(0);
  await ada.row("a secret").focus();
  await ada.page.keyboard.press("Delete");
  await expect(ada.page.getByText("The message is deleted.")).toBeVisible();
  expect(await violations(ada.page)).toEqual([]);
  await ada.page.getByRole("button", { name: "Undo" }).click();
  await expect(ada.page.getByText("The message is deleted.")).toHaveCount(0);
  await expect(grace.row("a secret")).toHaveCount(1);

  await ada.row("a secret").hover();
  await ada.row("a secret").getByRole("button", { name: "Delete" }).click();
  await expect(grace.row("This message was deleted.")).toHaveCount(1);
  await expect(ada.row("This message was deleted.")).toHaveCount(1);
  // Nor in what was read out.
  await expect(grace.page.locator("body")).not.toContainText("a secret slipped out");
  await ada.page.reload();
  await ada.connected();
  await expect(ada.row("This message was deleted.")).toHaveCount(1);

  // The page goes away before the time is over: it was meant.
  await ada.send("another one");
  await ada.settled();
  // What deletes comes after the first messages.
  await ada.row("another one").hover();
  await expect(ada.row("another one").getByRole("button", { name: "Delete" })).toBeVisible();
  await ada.row("another one").focus();
  await ada.page.keyboard.press("Delete");
  await ada.page.goto("about:blank");
  await expect(grace.row("This message was deleted.")).toHaveCount(2);
});

test("saved filters of an account are there in another browser", async ({ cluster, visit }) => {
  const { url } = cluster.pod(0);
  const storageState = await account(url, "ada@example.org", "Ada");
  const one = await visit(url, { storageState });
  await one.send("mine #tag");
  await one.page.getByRole("searchbox").fill("is:mine");
  await one.page.getByRole("button", { name: "Save as view" }).click();
  await one.page.getByRole("textbox", { name: "View’s name" }).fill("Said by me");
  await one.page.keyboard.press("Enter");
  await expect(one.topics.getByRole("button", { name: "Said by me", exact: true })).toBeVisible();
  const two = await visit(url, { storageState });
  await two.topics.getByRole("button", { name: "Said by me", exact: true }).click();
  await expect.poll(() => two.contents()).toEqual(["mine #tag"]);
});
