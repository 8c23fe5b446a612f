/** Private rooms: made, filled, handed over, left, deleted; and what those outside see, which is nothing. */

import { violations } from "./axe.ts";
import { expect, post, test } from "./fixtures.ts";
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
