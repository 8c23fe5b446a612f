/** Private rooms: made, filled, handed over, left, deleted; and what those outside see, which is nothing. */

import { violations } from "./axe.ts";
import { ChatPage, expect, post, stored, test } from "./fixtures.ts";
import { account, call, signIn } from "./people.ts";

interface Room {
  readonly room: string;
}

test("make a room, add who has an account, be told who has none, and speak there", async ({ cluster, visit }) => {
  await account(cluster.pod(0), "Ada", "ada@example.org");
  await account(cluster.pod(0), "Grace", "grace@example.org");
  const ada = await visit(cluster.pod(0).url);
  const stranger = await visit(cluster.pod(1).url);
  await expect(stranger.page.getByRole("button", { name: "New room" })).toHaveCount(0);
  await signIn(ada, "ada@example.org");

  // By the keyboard alone.
  await ada.page.getByRole("button", { name: "New room" }).press("Enter");
  const dialog = ada.page.getByRole("dialog", { name: "New private room" });
  await expect(dialog.getByRole("textbox", { name: "Name of the room" })).toBeFocused();
  await ada.page.keyboard.type("plans");
  await ada.page.keyboard.press("Tab");
  await ada.page.keyboard.type("grace@example.org, nobody@example.org");
  await ada.page.keyboard.press("Enter");
  await expect(dialog.getByRole("alert")).toContainText("No account has this address: nobody@example.org.");
  expect(await violations(ada.page)).toEqual([]);
  await dialog.getByRole("textbox", { name: "Members" }).fill("grace@example.org");
  await ada.page.keyboard.press("Enter");
  await expect(dialog).toHaveCount(0);
  await expect(ada.page.getByRole("heading", { level: 1 })).toHaveText("plans");
  await expect(ada.topic).toHaveValue("plans");
  await expect(ada.topics.getByRole("link", { name: /^plans\s+private room/u })).toHaveAttribute("aria-current", "page");
  await ada.send("between us");
  await ada.settled();

  // Grace finds it, with its past.
  const grace = await visit(cluster.pod(1).url);
  await signIn(grace, "grace@example.org");
  await grace.topics.getByRole("link", { name: /^plans\s+private room/u }).click();
  await expect(grace.row("between us")).toHaveCount(1);
  await expect(grace.page).toHaveTitle(/plans/u);

  // A stranger sees nothing, not even by its address.
  await expect(stranger.page.locator("body")).not.toContainText("between us");
  await stranger.page.goto(ada.page.url());
  await expect(stranger.page.getByRole("heading", { level: 1 })).toHaveText("No such topic");
});

test("who is removed is led out with a word why, and hears all of it again when added", async ({ cluster, visit }) => {
  const made = await account(cluster.pod(0), "Ada", "ada@example.org");
  await account(cluster.pod(0), "Grace", "grace@example.org");
  const { room } = await call<Room>(cluster.pod(0), made.token, "POST", "rooms", { key: "k", name: "plans", members: ["grace@example.org"] });
  await post(cluster.pod(0), [{ email: "guest@example.org", content: "in public" }]);
  const grace = await visit(cluster.pod(1).url);
  await signIn(grace, "grace@example.org");
  await grace.topics.getByRole("link", { name: "plans" }).click();
  await grace.send("before");
  await grace.settled();

  const ada = await visit(`${cluster.pod(0).url}/#/${encodeURIComponent(room)}`);
  await signIn(ada, "ada@example.org");
  await expect(ada.row("before")).toHaveCount(1);
  await ada.page.getByRole("button", { name: "Members" }).click();
  const sheet = ada.page.getByRole("dialog", { name: "plans" });
  await sheet.getByRole("button", { name: "Remove Grace" }).click();
  await expect(sheet.getByText("1 member", { exact: true })).toBeVisible();

  await expect(grace.page.getByRole("status", { name: "Notice" })).toHaveText("You are no longer a member of “plans”, or it was deleted.");
  await expect(grace.page.getByRole("heading", { level: 1 })).toHaveText("All topics");
  await expect(grace.topics.getByRole("link", { name: "plans" })).toHaveCount(0);
  await expect(grace.row("in public")).toHaveCount(1);
  await expect(grace.row("before")).toHaveCount(0);

  await sheet.getByRole("textbox", { name: "Address of a new member" }).fill("nobody@example.org");
  await sheet.getByRole("button", { name: "Add", exact: true }).click();
  await expect(sheet.getByRole("form", { name: "Add a member" }).getByRole("alert")).toContainText("nobody@example.org");
  await ada.page.keyboard.press("Escape");
  await ada.send("while she was out");
  await ada.settled();
  await call(cluster.pod(0), made.token, "PUT", `rooms/${room}/members/grace%40example.org`);
  await grace.topics.getByRole("link", { name: "plans" }).click();
  await expect(grace.row("while she was out")).toHaveCount(1);
  await expect(grace.row("before")).toHaveCount(1);
});

test("handing over, renaming, leaving, deleting: each asks, each is seen by the others", async ({ cluster, visit }) => {
  const made = await account(cluster.pod(0), "Ada", "ada@example.org");
  await account(cluster.pod(0), "Grace", "grace@example.org");
  const { room } = await call<Room>(cluster.pod(0), made.token, "POST", "rooms", { key: "k", name: "plans", members: ["grace@example.org"] });
  const address = `/#/${encodeURIComponent(room)}`;
  const ada = await visit(cluster.pod(0).url);
  await signIn(ada, "ada@example.org");
  await ada.page.goto(cluster.pod(0).url + address);
  const grace = await visit(cluster.pod(1).url);
  await signIn(grace, "grace@example.org");
  await grace.page.goto(cluster.pod(1).url + address);

  await ada.page.getByRole("button", { name: "Members" }).click();
  const sheet = ada.page.getByRole("dialog");
  await sheet.getByRole("textbox", { name: "Name of the room" }).fill("better plans");
  await sheet.getByRole("button", { name: "Rename" }).click();
  await expect(grace.page.getByRole("heading", { level: 1 })).toHaveText("better plans");
  expect(await violations(ada.page)).toEqual([]);
  await sheet.getByRole("button", { name: "Hand over to Grace" }).click();
  await sheet.getByRole("button", { name: "Yes, hand over" }).click();
  await expect(sheet.getByRole("button", { name: "Rename" })).toHaveCount(0);
  await sheet.getByRole("button", { name: "Leave the room…" }).click();
  await sheet.getByRole("button", { name: "Yes, leave" }).click();
  await expect(ada.page.getByRole("status", { name: "Notice" })).toHaveText("You left “better plans”.");
  await expect(ada.page.getByRole("heading", { level: 1 })).toHaveText("All topics");

  await grace.page.getByRole("button", { name: "Members" }).click();
  await grace.page.getByRole("button", { name: "Delete the room…" }).click();
  await grace.page.getByRole("button", { name: "No", exact: true }).click();
  await expect(grace.page.getByRole("heading", { level: 1 })).toHaveText("better plans");
  await grace.page.getByRole("button", { name: "Delete the room…" }).click();
  await grace.page.getByRole("button", { name: "Yes, delete" }).click();
  await expect(grace.page.getByRole("status", { name: "Notice" })).toHaveText("“better plans” is deleted.");
});

test("leaving oneself is one's own word, whichever is faster, the server's frame or its answer; other tabs are led out", async ({ cluster, network, visit }) => {
  test.slow();
  const made = await account(cluster.pod(0), "Ada", "ada@example.org");
  const ada = await visit(network.url);
  await signIn(ada, "ada@example.org");
  const other = new ChatPage(await ada.page.context().newPage());
  await other.open(network.url);
  const notice = ada.page.getByRole("status", { name: "Notice" });
  const heading = ada.page.getByRole("heading", { level: 1 });
  /** A new room, looked at in both tabs, and asked to be left in one of them. */
  const leave = async (name: string): Promise<Room> => {
    const room = await call<Room>(cluster.pod(0), made.token, "POST", "rooms", { key: name, name, members: [] });
    for (const tab of [other, ada]) {
      await tab.topics.getByRole("link", { name }).click();
      await expect(tab.page.getByRole("heading", { level: 1 })).toHaveText(name);
    }
    await ada.page.getByRole("button", { name: "Members" }).click();
    await ada.page.getByRole("button", { name: "Leave the room…" }).click();
    await ada.page.getByRole("button", { name: "Yes, leave" }).click();
    return room;
  };

  // The frame first: the answer waits until the room has left the list.
  await ada.page.route("**/members/**", async (route) => {
    const response = await route.fetch();
    // Not by role: the dialog hides the list from assistive tools.
    await expect(ada.page.locator("nav a", { hasText: "frame" })).toHaveCount(0);
    await expect(notice).toHaveCount(0);
    await route.fulfill({ response });
  });
  await leave("frame");
  await expect(notice).toHaveText("You left “frame”.");
  await expect(heading).toHaveText("All topics");
  await expect(other.page.getByRole("status", { name: "Notice" })).toHaveText("You are no longer a member of “frame”, or it was deleted.");
  await ada.page.unrouteAll({ behavior: "wait" });

  // The answer first: frames with rooms are held back until its word is said.
  const held: (() => void)[] = [];
  network.onServerFrame = (frame, link) => {
    if (frame.type === "rooms" && frame.rooms.length === 0) held.push(() => link.toPage(frame));
    else link.toPage(frame);
  };
  await leave("answer");
  await expect(notice).toHaveText("You left “answer”.");
  await expect(heading).toHaveText("All topics");
  await expect.poll(() => held.length).toBe(2);
  for (const pass of held) pass();
  await expect(ada.topics.getByRole("link", { name: "answer" })).toHaveCount(0);
  await expect(notice).toHaveText("You left “answer”.");
  await expect(other.page.getByRole("status", { name: "Notice" })).toHaveText("You are no longer a member of “answer”, or it was deleted.");
  network.onServerFrame = (frame, link) => link.toPage(frame);

  // The answer is lost: what became of it is said by what is there.
  await ada.page.route("**/members/**", async (route) => {
    await route.fetch();
    await route.abort();
  });
  const { room } = await leave("nothing");
  await expect(notice).toHaveText("You are no longer a member of “nothing”, or it was deleted.");
  await expect(heading).toHaveText("All topics");
  await expect(ada.page.getByRole("dialog")).toHaveCount(0);

  // Come back to its address, one is told what anybody is told.
  await ada.page.goto(`${network.url}/#/${encodeURIComponent(room)}`);
  await expect(notice).toHaveText("This room is not there for you.");
});

test("signing out in a room leaves a guest outside of it, without a word about the room", async ({ cluster, visit }) => {
  const made = await account(cluster.pod(0), "Ada", "ada@example.org");
  await call<Room>(cluster.pod(0), made.token, "POST", "rooms", { key: "k", name: "plans", members: [] });
  const ada = await visit(cluster.pod(0).url);
  await signIn(ada, "ada@example.org");
  await ada.topics.getByRole("link", { name: "plans" }).click();
  await expect(ada.page.getByRole("heading", { level: 1 })).toHaveText("plans");
  await ada.page.getByRole("button", { name: /^Signed in as/u }).click();
  await ada.page.getByRole("form", { name: "Sign out" }).getByRole("button", { name: "Sign out" }).click();
  await expect(ada.page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await ada.connected();
  await expect(ada.page.getByRole("heading", { level: 1 })).toHaveText("All topics");
  await expect(ada.page.locator("body")).not.toContainText("plans");
  await expect(ada.page.getByRole("status", { name: "Notice" })).toHaveCount(0);
});

test("what waits for a room one is no member of any more: said so, edited for elsewhere, or thrown away", async ({ cluster, network, visit }) => {
  const ada = await account(cluster.pod(0), "Ada", "ada@example.org");
  await account(cluster.pod(0), "Grace", "grace@example.org");
  const { room } = await call<Room>(cluster.pod(0), ada.token, "POST", "rooms", { key: "k", name: "plans", members: ["grace@example.org"] });
  const grace = await visit(network.url);
  await signIn(grace, "grace@example.org");
  await grace.topics.getByRole("link", { name: "plans" }).click();
  await expect(grace.topic).toHaveValue("plans");
  network.refuseSockets = true;
  network.cut();
  for (const content of ["too late", "far too late"]) await grace.send(content);
  await expect(grace.log.locator(".row.pending")).toHaveCount(2);
  await call(cluster.pod(0), ada.token, "DELETE", `rooms/${room}/members/grace%40example.org`);
  network.refuseSockets = false;
  await grace.reconnectNow();

  await expect(grace.page.getByRole("heading", { level: 1 })).toHaveText("All topics");
  const late = grace.log.locator(".row.failed");
  await expect(late).toHaveCount(2);
  for (const row of await late.all()) await expect(row).toContainText(/You are not in this room any more/u);
  await late.last().getByRole("button", { name: "Discard" }).click();
  await expect(late).toHaveCount(1);
  await late.getByRole("button", { name: "Edit" }).click();
  await expect(grace.message).toHaveValue("too late");
  await expect(grace.topic).toHaveValue("general");
  await grace.page.getByRole("button", { name: "Send", exact: true }).click();
  await grace.settled();
  expect((await stored(cluster.pod(0))).map(({ content, topic }) => [content, topic])).toEqual([["too late", "general"]]);
});
