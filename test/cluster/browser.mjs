// What a person does, in a real browser: two windows that chat through two
// pods, then a load test started on Locust's page.
//
//   node browser.mjs CHAT_URL LOCUST_URL [FOLDER for screenshots]
//
// Prints what it saw; exit status 0 when all was as it should be. Playwright
// is the page's own, in images/chat/web/node_modules.
import { createRequire } from "node:module";
import { strict as assert } from "node:assert";
import { join } from "node:path";

const require = createRequire(new URL("../../images/chat/web/package.json", import.meta.url));
const { chromium, expect } = require("@playwright/test");

const [chatUrl, locustUrl, shots] = process.argv.slice(2);
/** How many times a window may be opened until it is on another pod than the first. */
const TRIES = 20;
const LOAD = { users: 40, perSecond: 20, seconds: 20 };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});
const shoot = (page, name) => (shots ? page.screenshot({ path: join(shots, name) }) : undefined);

/** A window of a new person, and the pod it is connected to, as its welcome says. */
async function open() {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  const welcomed = new Promise((resolve) => {
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => {
        const frame = JSON.parse(payload.toString());
        if (frame.type === "welcome") resolve(frame.server);
      }),
    );
  });
  await page.goto(chatUrl);
  return { page, pod: await welcomed };
}

async function send(page, name, email, content) {
  const field = page.getByRole("textbox", { name: "Name" });
  if (!(await field.isVisible())) await page.getByRole("button", { name: /^Name and email/u }).click();
  await field.fill(name);
  await page.getByRole("textbox", { name: "Email" }).fill(email);
  await page.getByRole("textbox", { name: "Message" }).fill(content);
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

try {
  const ada = await open();
  let grace = await open();
  for (let n = 1; grace.pod === ada.pod && n < TRIES; n++) {
    await grace.page.context().close();
    grace = await open();
  }
  assert.notEqual(ada.pod, grace.pod, "all windows are on one pod");

  const stamp = Date.now().toString(36);
  await send(ada.page, "Ada Lovelace", "ada@example.org", `hello ${stamp} from ${ada.pod}`);
  await send(grace.page, "Grace Hopper", "grace@example.org", `hello ${stamp} from ${grace.pod}`);
  for (const { page } of [ada, grace]) {
    const log = page.getByRole("log", { name: "Messages" });
    for (const text of [`hello ${stamp} from ${ada.pod}`, `hello ${stamp} from ${grace.pod}`]) {
      await expect(log.getByText(text)).toHaveCount(1, { timeout: 10_000 });
    }
    await expect(log).toContainText("ada@example.org");
    await expect(log).toContainText("grace@example.org");
  }
  await shoot(ada.page, "chat-first-window.png");
  await shoot(grace.page, "chat-second-window.png");
  console.log(`two windows on ${ada.pod} and ${grace.pod} exchanged messages`);

  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  await page.goto(locustUrl);
  const again = page.getByRole("button", { name: "New", exact: true }); // there was a run before
  const users = page.locator("input[name=userCount]");
  await expect(again.or(users).first()).toBeVisible();
  if (await again.isVisible()) await again.click();
  await users.fill(String(LOAD.users));
  await page.locator("input[name=spawnRate]").fill(String(LOAD.perSecond));
  const runTime = page.locator("input[name=runTime]");
  for (const fold of ["Advanced options", "More settings"]) {
    const button = page.getByRole("button", { name: fold });
    if (!(await runTime.isVisible()) && (await button.isVisible())) await button.click();
    await page.waitForTimeout(500); // it unfolds
  }
  await runTime.fill(`${LOAD.seconds}s`);
  await shoot(page, "locust-form.png");
  await page.getByRole("button", { name: /^start/i }).click();
  const stats = async () => (await page.request.get(new URL("/stats/requests", locustUrl).href)).json();
  await expect.poll(async () => (await stats()).state, { timeout: 20_000 }).toBe("running");
  await expect.poll(async () => (await stats()).state, { timeout: 120_000 }).toBe("stopped");
  const end = await stats();
  await shoot(page, "locust-end.png");
  assert.equal(end.workers.length, 3, "two workers and a probe");
  assert.deepEqual(end.errors, []);
  const count = Object.fromEntries(end.stats.map((s) => [s.name, s.num_requests]));
  assert.ok(count.ack > 0 && count.deliver > count.ack, JSON.stringify(count));
  console.log(`a load test of ${LOAD.users} users on ${end.workers.length} workers: ${count.ack} posts, ${count.deliver} deliveries, no errors`);
} finally {
  await browser.close();
}
