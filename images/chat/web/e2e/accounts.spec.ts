/** Accounts: signing in and out, whose things are shown to whom, and what guests may do. */

import type { Page } from "@playwright/test";
import { Alone } from "./cluster.ts";
import { violations } from "./axe.ts";
import { expect, post, test, type ChatPage } from "./fixtures.ts";
import { account, PASSWORD, signIn } from "./people.ts";

const stored = (page: Page): Promise<string> => page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));

async function signOut(chat: ChatPage): Promise<void> {
  await chat.page.getByRole("button", { name: /^Signed in as/u }).click();
  await chat.page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await expect(chat.page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await chat.connected();
}

test("register, speak, be known; a name once changed holds", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url);
  await chat.page.getByRole("button", { name: "Sign in" }).click();
  const dialog = chat.page.getByRole("dialog");
  await dialog.getByRole("button", { name: /register/u }).click();
  await dialog.getByRole("textbox", { name: "Name" }).fill("Ada");
  await dialog.getByRole("textbox", { name: "Email" }).fill("ada@example.org");
  await dialog.getByLabel("Password").fill("short");
  await dialog.getByRole("button", { name: "Register", exact: true }).click();
  await expect(dialog.getByRole("alert")).toHaveText("Choose a password of 10 to 256 characters.");
  await dialog.getByLabel("Password").fill(PASSWORD);
  await dialog.getByRole("button", { name: "Register", exact: true }).click();

  const me = chat.page.getByRole("button", { name: "Signed in as Ada, ada@example.org" });
  await expect(me).toBeVisible();
  await chat.connected();
  await expect(chat.page.getByText("1 user, 0 guests")).toBeVisible();
  await expect(chat.name).toHaveCount(0);
  await chat.send("it is me");
  await chat.settled();
  const mark = chat.row("it is me").getByText("verified");
  await expect(mark).toBeVisible();
  await expect(mark).toHaveAttribute("title", /account that holds this address/u);

  // A guest may not speak as her.
  const guest = await visit(cluster.pod(1).url);
  await guest.introduce("Mallory", "ada@example.org");
  await guest.send("it is me, too");
  await expect(guest.row("it is me, too")).toContainText("Not sent");
  await expect(guest.row("it is me, too").getByText("verified")).toHaveCount(0);
  await expect(guest.page.getByText("1 user, 1 guest")).toBeVisible();

  await me.click();
  const own = chat.page.getByRole("form", { name: "Name and password" });
  await own.getByRole("textbox", { name: "Name" }).fill("Ada L.");
  await own.getByLabel("Current password").fill("not the password");
  await own.getByRole("button", { name: "Save" }).click();
  await expect(own.getByRole("alert")).toHaveText("The current password is wrong.");
  await own.getByLabel("Current password").fill(PASSWORD);
  await own.getByRole("button", { name: "Save" }).click();
  await expect(chat.page.getByRole("status", { name: "Account" })).toHaveText("Saved.");
  await chat.page.keyboard.press("Escape");
  await expect(chat.page.getByRole("button", { name: "Signed in as Ada L., ada@example.org" })).toBeVisible();
});

test("password managers find what they look for, and axe finds nothing", async ({ cluster, visit }) => {
  for (const [colorScheme, viewport] of [["light", { width: 1280, height: 800 }], ["dark", { width: 320, height: 640 }]] as const) {
    const chat = await visit(cluster.pod(0).url, { colorScheme, viewport });
    // By the keyboard alone.
    await chat.page.getByRole("button", { name: "Sign in" }).focus();
    await chat.page.keyboard.press("Enter");
    const dialog = chat.page.getByRole("dialog", { name: "Sign in" });
    const hints = (): Promise<(string | null)[]> =>
      dialog.locator("form input").evaluateAll((inputs) => inputs.map((input) => input.getAttribute("autocomplete")));
    await expect(dialog.getByRole("textbox", { name: "Email" })).toBeFocused();
    expect(await hints()).toEqual(["username", "current-password"]);
    expect(await violations(chat.page)).toEqual([]);
    await chat.page.keyboard.press("Tab");
    await expect(dialog.getByLabel("Password")).toBeFocused();
    await dialog.getByRole("button", { name: /register/u }).press("Enter");
    expect(await hints()).toEqual(["name", "username", "new-password"]);
    expect(await violations(chat.page)).toEqual([]);
    await chat.page.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
  }
});

test("what is one's own is not shown to the next person, in this tab or another", async ({ cluster, network, visit }) => {
  await account(cluster.pod(0), "Ada", "ada@example.org");
  await account(cluster.pod(0), "Grace", "grace@example.org");
  const chat = await visit(network.url);
  await signIn(chat, "ada@example.org");
  // A second tab of the same browser.
  const other = await chat.page.context().newPage();
  await other.goto(network.url);
  await expect(other.getByRole("button", { name: /^Signed in as Ada/u })).toBeVisible();
  await other.getByRole("textbox", { name: "Message" }).fill("a secret draft");

  await chat.message.fill("another draft");
  expect(await stored(chat.page)).toContain("another draft");
  await signOut(chat);
  await expect(other.getByRole("button", { name: "Sign in" })).toBeVisible();
  await expect(other.getByRole("textbox", { name: "Message" })).toHaveValue("");
  for (const page of [chat.page, other]) {
    const left = await stored(page);
    for (const word of ["Ada", "ada@", "draft", "token"]) expect(left).not.toContain(word);
  }

  await signIn(chat, "grace@example.org");
  await expect(chat.message).toHaveValue("");
  await expect(chat.page.locator("body")).not.toContainText("Ada");
});

test("a session that ended elsewhere: said so, nothing shown, and no coming back by itself", async ({ cluster, network, visit }) => {
  await account(cluster.pod(0), "Ada", "ada@example.org");
  await post(cluster.pod(0), [{ content: "public" }]);
  const chat = await visit(network.url);
  await signIn(chat, "ada@example.org");
  await chat.message.fill("a draft to come back to");
  const elsewhere = await visit(cluster.pod(1).url);
  await signIn(elsewhere, "ada@example.org");
  await elsewhere.page.getByRole("button", { name: /^Signed in as/u }).click();
  const own = elsewhere.page.getByRole("form", { name: "Name and password" });
  await own.getByLabel("New password").fill("another password");
  await own.getByLabel("Current password").fill(PASSWORD);
  await own.getByRole("button", { name: "Save" }).click();

  await expect(chat.page.getByRole("heading", { name: "You are signed out" })).toBeVisible();
  await expect(chat.status).toHaveAttribute("data-phase", "stopped");
  await expect(chat.log).toHaveCount(0);
  expect(await violations(chat.page)).toEqual([]);
  const hellos = network.sent("hello").length;
  await chat.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_500)));
  expect(network.sent("hello").length).toBe(hellos);

  await chat.page.getByLabel("Password").fill("another password");
  await chat.page.getByRole("button", { name: "Sign in", exact: true }).click();
  await chat.connected();
  await expect(chat.message).toHaveValue("a draft to come back to");
});

test("deleting the account asks, and leaves a guest", async ({ cluster, visit }) => {
  await account(cluster.pod(0), "Ada", "ada@example.org");
  const chat = await visit(cluster.pod(0).url);
  await signIn(chat, "ada@example.org");
  await chat.page.getByRole("button", { name: /^Signed in as/u }).click();
  await chat.page.getByRole("button", { name: "Delete the account…" }).click();
  const form = chat.page.getByRole("form", { name: "Delete the account" });
  await form.getByLabel("Current password").fill(PASSWORD);
  await form.getByRole("button", { name: "Delete for good" }).click();
  await expect(chat.page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await chat.connected();
});

test("where guests only read, the page says how to get to write", async ({ visit }) => {
  const alone = await Alone.start("--guests", "read");
  try {
    const chat = await visit(alone.pod.url);
    await expect(chat.page.getByText("Guests may read here.")).toBeVisible();
    await expect(chat.message).toHaveCount(0);
    await account(alone.pod, "Ada", "ada@example.org");
    await chat.page.locator(".to-write").getByRole("button", { name: "sign in" }).click();
    await signIn(chat, "ada@example.org", false);
    await chat.send("now I may");
    await chat.settled();
  } finally {
    await alone.stop();
  }
});

test("where guests get nothing, the page is a sign-in page; where registration is closed, it offers none", async ({ browser }) => {
  const alone = await Alone.start("--guests", "none", "--registration", "closed");
  const page = await browser.newPage();
  try {
    await page.goto(alone.pod.url);
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await expect(page.getByText("New accounts are made by who runs this server.")).toBeVisible();
    await expect(page.getByRole("button", { name: /register/u })).toHaveCount(0);
    await page.getByRole("textbox", { name: "Email" }).fill("ada@example.org");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("alert")).toHaveText("No account has this address with this password.");
  } finally {
    await page.close();
    await alone.stop();
  }
});
