/**
 * The paths that matter, on Firefox: Debian's firefox-esr, driven by WebDriver BiDi. Playwright's own
 * Firefox is a patched build that cannot be had here.
 */

import { launch, type Browser, type Page } from "puppeteer-core";
import { expect, numbered, post, stored, test as base } from "./fixtures.ts";

const FIREFOX = process.env["FIREFOX"] ?? "/usr/bin/firefox-esr";

const test = base.extend<object, { readonly firefox: Browser }>({
  firefox: [
    async ({}, use) => {
      const browser = await launch({ browser: "firefox", executablePath: FIREFOX, headless: true });
      await use(browser);
      await browser.close();
    },
    { scope: "worker", timeout: 60_000 },
  ],
});
test.describe.configure({ mode: "serial" });

async function open(firefox: Browser, url: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await (await firefox.createBrowserContext()).newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => {
    // A cut connection is the point of some tests.
    if (!/connection to the server at ws|connection to ws\S* was interrupted/u.test(String(error))) complaints.push(String(error));
  });
  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(url);
  await page.waitForSelector('[role=status][data-phase="open"]');
  return { page, complaints };
}

/** Waits until the log has a message of this text. */
async function row(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    (text) => [...document.querySelectorAll(".row .content")].some((el) => el.textContent === text && el.closest(".pending") === null),
    {},
    text,
  );
}

async function write(page: Page, selector: string, text: string): Promise<void> {
  const field = await page.waitForSelector(selector);
  await field?.type(text);
}

test("post and read, with all five fields; identity is remembered", async ({ cluster, firefox }) => {
  const { page, complaints } = await open(firefox, cluster.pod(0).url);
  await write(page, "::-p-aria([name='Name'][role='textbox'])", "Ada");
  await write(page, "::-p-aria([name='Email'][role='textbox'])", "ada@example.org");
  await write(page, "#message", "from Firefox");
  await page.keyboard.press("Enter");
  await row(page, "from Firefox");
  await post(cluster.pod(1), [{ name: "Grace", content: "from elsewhere" }]);
  await row(page, "from elsewhere");
  const head = await page.$eval(".row .head", (el) => el.textContent);
  expect(head).toMatch(/Ada.*ada@example\.org.*general.*\d\d:\d\d/u);
  await page.reload();
  await page.waitForSelector("::-p-aria([name='Name and email: Ada, ada@example.org'])");
  expect((await stored(cluster.pod(0))).map(({ content }) => content)).toEqual(["from Firefox", "from elsewhere"]);
  expect(complaints).toEqual([]);
  await page.browserContext().close();
});

test("resume after a cut: what was written meanwhile goes out once, nothing is missed", async ({ cluster, network, firefox }) => {
  const { page, complaints } = await open(firefox, network.url);
  await write(page, "::-p-aria([name='Name'][role='textbox'])", "Ada");
  await write(page, "::-p-aria([name='Email'][role='textbox'])", "ada@example.org");
  network.refuseSockets = true;
  network.cut();
  await write(page, "#message", "written offline");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".row.pending");
  await post(cluster.pod(1), [{ content: "missed" }]);
  network.refuseSockets = false;
  await row(page, "missed");
  await row(page, "written offline");
  expect(await page.$$eval(".row .content", (all) => all.map((el) => el.textContent))).toEqual(["missed", "written offline"]);
  expect(complaints).toEqual([]);
  await page.browserContext().close();
});

test("scrolling: older messages come above, and the line being read stays", async ({ cluster, firefox }) => {
  await post(cluster.pod(0), numbered(200).map((content) => ({ content })));
  const { page, complaints } = await open(firefox, cluster.pod(0).url);
  await row(page, "line 0200");
  const drift = await page.evaluate(async () => {
    const log = document.querySelector(".log") as HTMLElement;
    const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
    log.scrollTop = 200;
    await frame();
    const line = [...log.querySelectorAll<HTMLElement>(".row")].find((el) => el.getBoundingClientRect().top > log.getBoundingClientRect().top);
    if (!line) throw new Error("no line");
    const before = line.getBoundingClientRect().top;
    let most = 0;
    for (let i = 0; i < 60; i++) {
      await frame();
      most = Math.max(most, Math.abs(line.getBoundingClientRect().top - before));
    }
    return most;
  });
  expect(drift).toBeLessThanOrEqual(2);
  // A few make the whole log; the newest stand at the bottom.
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => {
    const log = document.querySelector(".log") as HTMLElement;
    return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
  });
  expect(complaints).toEqual([]);
  await page.browserContext().close();
});

test("few messages stand at the bottom; links, topics, back; a tall message unfolds; the help opens and closes", async ({ cluster, firefox }) => {
  await post(cluster.pod(0), [
    { topic: "tea", content: "看 https://example.org/路径。" },
    { topic: "milk", content: `top${"\n".repeat(300)}end` },
  ]);
  const { page, complaints } = await open(firefox, `${cluster.pod(0).url}/#/tea`);
  const link = await page.waitForSelector(".content a");
  expect(await link?.evaluate((a) => [a.textContent, a.getAttribute("rel"), a.getAttribute("target")])).toEqual([
    "https://example.org/路径",
    "noopener noreferrer nofollow ugc",
    "_blank",
  ]);
  const room = await page.$eval(".row", (el) => (el.closest(".log")?.getBoundingClientRect().bottom ?? 0) - el.getBoundingClientRect().bottom);
  expect(room).toBeLessThan(120);
  await page.locator("nav a[href='#/milk']").click();
  await page.waitForFunction(() => document.querySelector("h1")?.textContent === "milk");
  await page.locator(".fold").click();
  await page.waitForFunction(() => (document.querySelector(".row")?.getBoundingClientRect().height ?? 0) > 5_000);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("h1")?.textContent === "tea");
  await page.locator("::-p-aria([name='Help'][role='button'])").click();
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelector("dialog[open]") === null);
  expect(complaints).toEqual([]);
  await page.browserContext().close();
});

test("a rollout, and a paste too long, are dealt with the same way", async ({ cluster, network, firefox }) => {
  await post(cluster.pod(0), [{ content: "hello" }]);
  let left = 2;
  network.onRequest = (req, res) => {
    if (!req.url?.startsWith("/assets/") || left <= 0) return false;
    left--;
    res.writeHead(404, { "Cache-Control": "no-store" }).end();
    return true;
  };
  const { page, complaints } = await open(firefox, network.url);
  await row(page, "hello");
  await page.evaluate(() => {
    const area = document.querySelector("#message") as HTMLTextAreaElement;
    area.focus();
    area.setRangeText("word ".repeat(50_000));
    area.dispatchEvent(new InputEvent("input", { bubbles: true }));
  });
  await page.waitForFunction(() => document.querySelector("#note")?.textContent?.includes("cut off"));
  // That of the file that was not there is the point.
  expect(complaints.filter((text) => !text.includes("Loading module"))).toEqual([]);
  await page.browserContext().close();
});
