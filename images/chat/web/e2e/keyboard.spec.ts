/** Everything without a mouse, and what a screen reader is told. */

import type { Page } from "@playwright/test";
import { violations } from "./axe.ts";
import { expect, numbered, post, test, type ChatPage } from "./fixtures.ts";

/** Presses Tab until the element has the keyboard. */
async function tabTo(chat: ChatPage, target: ReturnType<Page["locator"]>, key = "Tab"): Promise<void> {
  for (let i = 0; i < 40; i++) {
    if (await target.evaluate((el) => el === document.activeElement)) return;
    await chat.page.keyboard.press(key);
  }
  throw new Error("not reached by Tab");
}

test("everything by the keyboard alone", async ({ cluster, network, visit }) => {
  await post(cluster.pod(0), numbered(40).map((content) => ({ content, topic: "tea" })));
  const chat = await visit(network.url);
  const { keyboard } = chat.page;

  // Write: the message, asked for a name, an email, sent by Enter.
  await tabTo(chat, chat.message);
  await keyboard.type("two");
  await keyboard.press("Shift+Enter");
  await keyboard.type("lines");
  await keyboard.press("Enter");
  await expect(chat.name).toBeFocused();
  await keyboard.type("Ada");
  await tabTo(chat, chat.email);
  await keyboard.type("not an address");
  await keyboard.press("Enter");
  await expect(chat.page.getByRole("alert")).toHaveText(/Enter an email/);
  await expect(chat.email).toBeFocused();
  await expect(chat.email).toHaveAttribute("aria-invalid", "true");
  await keyboard.press("Control+A");
  await keyboard.type("ada@example.org");
  await keyboard.press("Enter");
  await expect(chat.message).toBeFocused();
  await expect(chat.row("two")).toHaveText(/two\s*lines/);
  await chat.settled();

  // An input method composes: its Enter does not send.
  await chat.message.evaluate((el) =>
    el.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true })),
  );
  await expect(chat.rows).toHaveCount(41);

  // Change topic, and back.
  await keyboard.press("Alt+ArrowDown");
  await expect(chat.page.getByRole("heading", { level: 1 })).toHaveText("general");
  await expect(chat.message).toBeFocused();
  await keyboard.press("Alt+ArrowDown");
  await expect(chat.page.getByRole("heading", { level: 1 })).toHaveText("tea");
  await expect(chat.topic).toHaveValue("tea");
  await keyboard.press("Alt+ArrowUp");
  await keyboard.press("Alt+ArrowUp");
  await expect(chat.page.getByRole("heading", { level: 1 })).toHaveText("All topics");

  // Read message by message.
  await tabTo(chat, chat.log, "Shift+Tab");
  await keyboard.press("ArrowUp");
  await expect(chat.rows.last()).toBeFocused();
  for (let i = 0; i < 30; i++) await keyboard.press("ArrowUp");
  await expect(chat.rows.nth(10)).toBeFocused();
  await expect(chat.rows.nth(10)).toBeInViewport();
  await keyboard.press("Escape");
  await expect(chat.rows.last()).toBeInViewport();

  // Search and leave it.
  await keyboard.press("/");
  await keyboard.type("line 0007");
  await expect(chat.rows).toHaveCount(1);
  await keyboard.press("Escape");
  await expect(chat.message).toBeFocused();
  await expect(chat.rows).toHaveCount(41);

  // Help, which the letters of a message do not open.
  await keyboard.type("really? / yes");
  await expect(chat.message).toHaveValue("really? / yes");
  await keyboard.press("Control+A");
  await keyboard.press("Delete");
  await tabTo(chat, chat.topics.getByRole("link", { name: "All topics" }), "Shift+Tab");
  await keyboard.press("?");
  await expect(chat.page.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await keyboard.press("Escape");
  await expect(chat.page.getByRole("dialog")).toHaveCount(0);

  // Retry what was refused.
  let refuse = true;
  network.onClientFrame = (frame, link) => {
    if (frame.type === "post" && refuse) link.toPage({ type: "error", code: "bad_message", message: "no", key: frame.key });
    else link.toServer(frame);
  };
  await tabTo(chat, chat.message);
  await keyboard.type("refused");
  await keyboard.press("Enter");
  const retry = chat.page.getByRole("button", { name: "Retry" });
  await expect(retry).toBeVisible();
  refuse = false;
  await tabTo(chat, retry, "Shift+Tab");
  await keyboard.press("Enter");
  await chat.settled();
  await expect(chat.row("refused")).toHaveCount(1);
});

test("on a touch screen Enter is a new line", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url, { hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } });
  await chat.introduce("Ada", "ada@example.org");
  await chat.message.fill("one");
  await chat.message.press("Enter");
  await expect(chat.message).toHaveValue("one\n");
  await chat.page.getByRole("button", { name: "Send", exact: true }).tap();
  await expect(chat.rows).toHaveCount(1);
});

test("a screen reader hears a new message once, and history never", async ({ cluster, visit }) => {
  await post(cluster.pod(0), numbered(200).map((content) => ({ content })));
  const chat = await visit(cluster.pod(0).url);
  await expect(chat.row("line 0200")).toBeVisible();
  // Whatever becomes live text anywhere on the page from now on.
  await chat.page.evaluate(() => {
    const heard: string[] = [];
    Object.assign(window, { heard });
    new MutationObserver((records) => {
      for (const record of records) {
        const region = (record.target as Element).closest?.("[aria-live=polite], [role=alert], [role=status], [role=log]");
        if (!region || region.getAttribute("aria-live") === "off") continue;
        for (const node of record.addedNodes) heard.push(node.textContent ?? "");
        if (record.type === "characterData") heard.push(record.target.textContent ?? "");
      }
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  const heard = (): Promise<string[]> => chat.page.evaluate(() => (window as unknown as { heard: string[] }).heard);

  for (let i = 0; i < 6; i++) {
    await chat.log.evaluate((log) => (log.scrollTop = 0));
    await expect.poll(() => chat.log.evaluate((log) => log.scrollTop > 0 || log.textContent?.includes("begins"))).toBe(true);
  }
  await expect(chat.row("line 0001")).toHaveCount(1);
  expect(await heard()).toEqual([]);

  // What announces comes after the first messages; what came before it is no news any more.
  await expect(chat.page.locator("#announcer")).toBeAttached();
  await post(cluster.pod(1), [{ name: "Grace", content: "listen" }]);
  await expect.poll(heard).toEqual(["Grace: listen"]);
  await chat.introduce("Ada", "ada@example.org");
  await chat.send("my own");
  await chat.settled();
  await post(cluster.pod(1), numbered(6, "fast").map((content) => ({ name: "Grace", content })));
  await expect.poll(async () => (await heard()).at(-1)).toMatch(/Grace/);
  expect((await heard()).filter((text) => text.includes("my own") || text.includes("listen"))).toEqual(["Grace: listen"]);
});

test("the accessibility tree says what there is", async ({ cluster, visit }) => {
  await post(cluster.pod(0), [{ topic: "tea", name: "Grace", email: "grace@example.org", content: "hello **you**" }]);
  const chat = await visit(cluster.pod(0).url);
  await expect(chat.row("hello")).toBeVisible();
  await expect(chat.page.locator("body")).toMatchAriaSnapshot(`
    - banner:
      - heading "All topics" [level=1]
      - text: 1 online 0 users, 1 guest
      - searchbox "Search all messages"
      - button "Notifications"
      - button "Sign in"
      - 'button "Theme: system"'
      - button "Help"
    - navigation "Topics":
      - button "New topic"
      - list:
        - listitem:
          - link "All topics"
        - listitem:
          - link "tea"
    - main:
      - status "Connection": Connected
      - log "Messages":
        - paragraph: This is where it begins.
        - list:
          - listitem: Today
          - listitem:
            - text: Grace grace@example.org
            - link "tea"
            - time: /\\d\\d:\\d\\d/
            - text: hello
            - strong: you
      - group "Who you are":
        - text: Name
        - textbox "Name"
        - text: Email
        - textbox "Email"
        - paragraph: Shown with each of your messages, to everybody. No account is made.
        - button "Done"
      - text: Topic
      - textbox "Topic": general
      - textbox "Message"
      - button "Send"
  `);
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const [device, viewport] of [["desktop", { width: 1280, height: 800 }], ["phone", { width: 360, height: 740 }]] as const) {
    test(`axe finds nothing: ${colorScheme}, ${device}`, async ({ cluster, network, visit }) => {
      await post(cluster.pod(0), [
        { topic: "tea", content: "`code` **bold** https://example.org" },
        { topic: "tea", content: "```\nfenced\n```" },
        ...Array.from({ length: 12 }, (_, i) => ({ name: `Person ${i}`, email: `p${i * 7}@example.org`, topic: `t${i}` })),
      ]);
      const chat = await visit(network.url, { colorScheme, viewport });
      await expect(chat.rows).toHaveCount(14);
      expect(await violations(chat.page)).toEqual([]);

      // A row in use, a failed message, a question, an outage, unread ones, a search.
      await chat.introduce("Ada", "ada@example.org");
      network.onClientFrame = (frame, link) => {
        if (frame.type === "post") link.toPage({ type: "error", code: "bad_message", message: "no", key: frame.key });
      };
      await chat.send("refused");
      await expect(chat.page.getByRole("button", { name: "Retry" })).toBeVisible();
      await chat.rows.first().focus();
      network.refuseSockets = true;
      network.cut();
      await chat.who.click();
      await chat.name.fill("");
      await chat.send("x");
      await expect(chat.page.locator(".strip")).toHaveClass(/troubled/);
      expect(await violations(chat.page)).toEqual([]);

      // Where there is no keyboard there is no help for keys.
      if (device === "phone") return;
      await chat.page.keyboard.press("Escape");
      await chat.page.getByRole("button", { name: "Help" }).click();
      expect(await violations(chat.page)).toEqual([]);
    });
  }
}
