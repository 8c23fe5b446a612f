/**
 * What the page looks like: light, dark, phone, offline, empty. With SCREENSHOTS=1 the pictures of
 * README and docs are written anew; without it they go where the other results go.
 */

import { join } from "node:path";
import type { Message } from "../src/protocol/message.ts";
import { expect, post, test, type ChatPage } from "./fixtures.ts";
import { account, call, signIn } from "./people.ts";

const FOLDER = join(
  import.meta.dirname,
  process.env["SCREENSHOTS"] ? "../../../../docs/images" : "../test-results/screenshots",
);

const ada = { name: "Ada Lovelace", email: "ada@example.org" };
const grace = { name: "Grace Hopper", email: "grace@example.org" };
const alan = { name: "Alan Turing", email: "turing@example.org" };
const noor = { name: "نور حداد", email: "noor@example.org" };

const TALK: readonly Partial<Message>[] = [
  { ...alan, topic: "kitchen", content: "There is tea. There is also cake, until there is not." },
  { ...grace, topic: "load lab", content: "The overnight run is through: **no message lost, none twice**." },
  { ...grace, topic: "load lab", content: "Charts are in https://example.org/results/run-17" },
  { ...alan, topic: "load lab", content: "Where is the knee?" },
  { ...grace, topic: "load lab", content: "Just past the point where one core was full. To see it yourself:\n```\nlocust --headless -u 9000 -r 300 --shape steps\n```" },
  { ...noor, topic: "general", content: "صباح الخير للجميع" },
  { ...ada, topic: "general", content: "Good morning, Noor!" },
  { ...ada, topic: "deploys", content: "Rolling out now. You should notice *nothing at all*." },
  { ...alan, topic: "deploys", content: "Watched `reconnects_total` the whole time. One each, as promised." },
  { ...noor, topic: "deploys", content: "I was in the middle of a sentence and did not notice." },
];

async function shoot(chat: ChatPage, name: string): Promise<void> {
  await chat.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await chat.page.mouse.move(0, 0);
  await chat.page.screenshot({ path: join(FOLDER, `${name}.png`), animations: "disabled" });
}

/** Writes a first message, so that the sheet that asks who writes is closed. */
async function settleIn(chat: ChatPage): Promise<void> {
  await chat.introduce(ada.name, ada.email);
  await chat.page.getByRole("button", { name: "Done" }).click();
  await expect(chat.who).toBeVisible();
}

const phone = { isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

for (const [name, options] of [
  ["light", { colorScheme: "light", viewport: { width: 1280, height: 800 } }],
  ["dark", { colorScheme: "dark", viewport: { width: 1280, height: 800 } }],
  ["phone", { ...phone, colorScheme: "light", viewport: { width: 390, height: 780 } }],
  ["phone-320", { ...phone, colorScheme: "dark", viewport: { width: 320, height: 640 } }],
  ["landscape", { ...phone, colorScheme: "light", viewport: { width: 844, height: 390 } }],
] as const) {
  test(`screenshot: ${name}`, async ({ cluster, visit }) => {
    await post(cluster.pod(0), TALK);
    const chat = await visit(cluster.pod(0).url, options);
    await settleIn(chat);
    await expect(chat.row("did not notice")).toBeInViewport();
    await chat.page.evaluate(() => (location.hash = "#/deploys"));
    await expect(chat.page.getByRole("heading", { level: 1 })).toHaveText("deploys");
    await post(cluster.pod(1), [
      { ...grace, topic: "kitchen", content: "The cake is gone." },
      { ...alan, topic: "kitchen", content: "I know nothing about any cake." },
    ]);
    await expect(chat.topics.getByRole("link", { name: "kitchen" })).toContainText("2");
    await chat.page.evaluate(() => (location.hash = "#/"));
    await expect(chat.row("any cake")).toBeInViewport();
    await expect(chat.row("The cake is gone").locator(".unread")).toHaveCount(1);
    await chat.expectNoSidewaysScroll();
    await shoot(chat, name);
  });
}

for (const [name, options] of [
  ["first-use", { viewport: { width: 1280, height: 800 } }],
  ["first-use-phone", { ...phone, viewport: { width: 390, height: 780 } }],
  ["first-use-landscape", { ...phone, viewport: { width: 844, height: 390 } }],
] as const) {
  test(`screenshot: ${name}`, async ({ cluster, visit }) => {
    await post(cluster.pod(0), TALK);
    const chat = await visit(cluster.pod(0).url, options);
    await expect(chat.row("did not notice")).toBeInViewport();
    await expect(chat.topics.getByRole("link", { name: "kitchen" })).toHaveCount(1);
    await shoot(chat, name);
  });
}

test("screenshot: offline", async ({ cluster, network, visit }) => {
  await post(cluster.pod(0), TALK);
  const chat = await visit(network.url);
  await settleIn(chat);
  network.refuseSockets = true;
  network.cut();
  await chat.send("Is anybody there? This waits until you are.");
  await expect(chat.page.locator(".strip")).toHaveClass(/troubled/);
  await expect(chat.row("waits until").getByRole("button", { name: "Discard" })).toBeInViewport();
  await shoot(chat, "offline");
});

test("screenshot: failed entries", async ({ cluster, network, visit }) => {
  await post(cluster.pod(0), TALK);
  const chat = await visit(network.url, { ...phone, viewport: { width: 390, height: 780 } });
  await settleIn(chat);
  network.onClientFrame = (frame, link) => {
    if (frame.type !== "post") return link.toServer(frame);
    link.toPage({ type: "error", code: "bad_message", message: "this server takes no news of cake", key: frame.key });
  };
  await chat.send("There is cake again.");
  await chat.send("Two kinds of it.");
  await expect(chat.log.locator(".row.failed")).toHaveCount(2);
  await expect(chat.row("Two kinds").getByRole("button", { name: "Discard" })).toBeInViewport();
  await shoot(chat, "failed");
});

test("screenshot: 2,000 messages, a search", async ({ cluster, visit }) => {
  test.setTimeout(120_000);
  const people = [ada, grace, alan, noor];
  const drafts = Array.from({ length: 2_000 }, (_, i) => ({
    ...people[Math.floor(i / 3) % people.length],
    topic: `topic ${i % 30}`,
    content: `Message ${i + 1}: ${"so it goes, ".repeat(i % 5)}and on.`,
  }));
  for (let i = 0; i < drafts.length; i += 50) await Promise.all(drafts.slice(i, i + 50).map((draft) => post(cluster.pod(0), [draft])));
  const chat = await visit(cluster.pod(0).url);
  await settleIn(chat);
  await expect.poll(() => chat.topics.getByRole("link").count()).toBe(31);
  await shoot(chat, "many");
  await chat.page.getByRole("searchbox").fill("goes on");
  await expect(chat.page.locator(".found")).toBeVisible();
  await shoot(chat, "search");
});

test("screenshot: empty", async ({ cluster, visit }) => {
  const chat = await visit(cluster.pod(0).url);
  await expect(chat.log).toContainText("No messages yet. Say hello.");
  await shoot(chat, "empty");
});

for (const [name, options] of [
  ["conversation", { colorScheme: "light", viewport: { width: 1280, height: 800 } }],
  ["conversation-dark", { colorScheme: "dark", viewport: { width: 1280, height: 800 } }],
  ["conversation-phone", { ...phone, colorScheme: "light", viewport: { width: 390, height: 780 } }],
  ["conversation-320", { ...phone, colorScheme: "dark", viewport: { width: 320, height: 640 } }],
] as const) {
  test(`screenshot: ${name}, a filter and a message with its replies`, async ({ cluster, visit }) => {
    const pod = cluster.pod(0);
    const [question] = await post(pod, [{ ...alan, topic: "kitchen", content: "Is there tea? #urgent" }]);
    const answer = { topic: "kitchen", reply_to: question?.id ?? "" };
    await post(pod, [
      { ...grace, ...answer, content: "There is, and cake." },
      { ...noor, ...answer, content: "الشاي جاهز" },
      { ...alan, topic: "kitchen", content: "Then I am on my way." },
    ]);
    for (const [email, vote] of [["a@example.org", 1], ["b@example.org", 1], ["c@example.org", -1]] as const) {
      await fetch(`${pod.url}/api/v1/messages/${question?.id}/vote`, {
        method: "PUT",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ vote, name: "Voter", email }),
      });
    }
    const chat = await visit(pod.url, options);
    await settleIn(chat);
    await expect(chat.row("Is there tea").locator(".numbers")).toContainText("2 replies");
    await chat.row("Is there tea").getByRole("button", { name: "Vote up: 2" }).click();
    await chat.page.getByRole("button", { name: "Not kept" }).click();
    await chat.send("Whoever reads this gets the last piece.");
    await expect(chat.row("the last piece")).toHaveClass(/fleeting/u);
    await chat.row("Then I am").focus();
    await chat.page.keyboard.press("r");
    await chat.row("Then I am").focus();
    await chat.expectNoSidewaysScroll();
    // The keyboard stays in the row, so that its buttons are seen.
    await chat.page.mouse.move(0, 0);
    await chat.page.screenshot({ path: join(FOLDER, `${name}.png`), animations: "disabled" });
    await chat.row("Is there tea").focus();
    await chat.page.keyboard.press("t");
    await expect(chat.rows).toHaveCount(3);
    await chat.expectNoSidewaysScroll();
    await shoot(chat, `${name}-replies`);
    await chat.page.keyboard.press("Escape");
    // On a phone the field is an icon until it is used.
    await chat.page.locator(".search").click();
    await chat.page.getByRole("searchbox").fill("#urgent OR from:grace");
    await chat.page.getByRole("button", { name: "Save as view" }).click();
    await chat.page.getByRole("textbox", { name: "View’s name" }).fill("Urgent");
    await chat.page.keyboard.press("Enter");
    await expect(chat.rows).toHaveCount(2);
    await chat.expectNoSidewaysScroll();
    await shoot(chat, `${name}-filter`);
    await chat.page.getByRole("searchbox").fill("(tea OR cake");
    await expect(chat.page.getByRole("alert").filter({ hasText: "expected" })).toBeVisible();
    await chat.expectNoSidewaysScroll();
    await shoot(chat, `${name}-grammar`);
  });
}

for (const [name, options] of [
  ["people", { colorScheme: "light", viewport: { width: 1280, height: 800 } }],
  ["people-dark", { colorScheme: "dark", viewport: { width: 1280, height: 800 } }],
  ["people-phone", { ...phone, colorScheme: "light", viewport: { width: 390, height: 780 } }],
  ["people-320", { ...phone, colorScheme: "dark", viewport: { width: 320, height: 640 } }],
] as const) {
  test(`screenshot: ${name}`, async ({ cluster, visit }) => {
    await post(cluster.pod(0), TALK);
    const made = await account(cluster.pod(0), "Ada Lovelace", "countess@example.org");
    await account(cluster.pod(0), "Noor", "n@example.org");
    await call(cluster.pod(0), made.token, "POST", "rooms", { key: "k", name: "plans", members: ["n@example.org"] });
    const chat = await visit(cluster.pod(0).url, options);
    await chat.page.getByRole("button", { name: "Sign in" }).click();
    await chat.page.getByRole("dialog").waitFor();
    await shoot(chat, `${name}-sign-in`);
    await signIn(chat, "countess@example.org", false);
    await chat.topics.getByRole("link", { name: /^plans/u }).click();
    await chat.send("Between us: Friday.");
    await chat.settled();
    await chat.expectNoSidewaysScroll();
    await shoot(chat, `${name}-room`);
    await chat.page.getByRole("button", { name: "Members" }).click();
    await chat.page.getByRole("button", { name: "Leave the room…" }).waitFor();
    await shoot(chat, `${name}-members`);
  });
}
