/** Names, topics and contents made to hurt: they are text, they stay in their box, they lead nowhere. */

import { expect, post, test } from "./fixtures.ts";

const ZALGO = `z${"\u0301\u0308\u0323\u0489".repeat(900)}algo`;

const HOSTILE = [
  "<img src=x onerror=\"document.body.dataset.pwned='1'\">",
  "<script>document.body.dataset.pwned='1'</script>",
  "\"'><svg/onload=\"document.body.dataset.pwned='1'\">",
  "javascript:document.body.dataset.pwned='1'",
  "[click](javascript:alert(1)) data:text/html,<b>x</b> vbscript:x file:///etc/passwd ftp://example.org/x",
  "https://example.org/\u202egpj.exe https://ok.example.org/a?b=1&c=2#d.",
  "JaVaScRiPt://example.org/%0aalert(1) https:///nothing http://",
  "mailto:ada@example.org mailto:javascript",
  "\u202eright to left override\u202c and \u2066isolate without end",
  ZALGO,
  `${"W".repeat(2000)}`,
  `**${"*".repeat(300)} \`${"`".repeat(300)} ${"_a".repeat(300)}`,
  "```\n<b>fenced</b>\n```",
  "&lt;b&gt; &amp; &#x3c;",
  "__proto__ constructor ${7*7} {{7*7}}",
];

for (const width of [320, 1280]) {
  test(`show as text at ${width} px, without sideways scroll or foreign links`, async ({ cluster, visit }) => {
    const hostileName = `<b onclick=x>${"\u0301".repeat(20)}evil${"M".repeat(20)}`;
    await post(cluster.pod(0), [
      ...HOSTILE.map((content) => ({ content, topic: "plain" })),
      { name: hostileName, topic: `<i>${"\u0334".repeat(20)}${"W".repeat(30)}`, content: "names and topics too" },
      { name: "\u0627\u200f(\u200f", topic: "__proto__", content: "a name from right to left" },
      { topic: "/../%2e%2e#?&", content: "topic with an address in it" },
    ]);
    const chat = await visit(cluster.pod(1).url, { viewport: { width, height: 700 } });
    await expect(chat.rows).toHaveCount(HOSTILE.length + 3);

    // Every text stands there letter by letter (markup delimiters aside).
    const shown = await chat.log.locator(".content").allTextContents();
    for (const content of HOSTILE.filter((text) => !/[*`_]/u.test(text))) expect(shown).toContain(content);
    expect(shown.some((text) => text.includes("<b>fenced</b>"))).toBe(true);
    expect(await chat.log.locator(".name").allTextContents()).toContain(hostileName);

    // Nothing became an element that was not meant to.
    expect(await chat.log.locator("img, script, iframe, svg, b, i, object, [onerror], [onclick]").count()).toBe(0);
    expect(await chat.page.evaluate(() => "pwned" in document.body.dataset)).toBe(false);
    const links = await chat.log.locator(".content a").evaluateAll((all) =>
      all.map((a) => [(a as HTMLAnchorElement).protocol, a.getAttribute("rel"), a.textContent]),
    );
    expect(links).toEqual([
      ["https:", "noopener noreferrer nofollow ugc", "https://example.org/"],
      ["https:", "noopener noreferrer nofollow ugc", "https://ok.example.org/a?b=1&c=2#d"],
      ["mailto:", "noopener noreferrer nofollow ugc", "mailto:ada@example.org"],
    ]);

    // Each message paints inside its own box, in width and height.
    await chat.expectNoSidewaysScroll();
    // Nothing is cut off, but one character under 3,600 marks: no line can break inside a character.
    const cutOff = await chat.log
      .locator(".content")
      .evaluateAll((all) => all.filter((c) => c.scrollWidth > c.clientWidth).map((c) => c.textContent));
    expect(cutOff.filter((text) => text !== ZALGO)).toEqual([]);
    const clipped = await chat.log.locator(".message").evaluateAll((all) => all.map((m) => getComputedStyle(m).overflowY));
    expect(new Set(clipped)).toEqual(new Set(["clip"]));

    // The same in each topic, by its link and by its address.
    for (const topic of ["__proto__", "/../%2e%2e#?&"]) {
      await chat.topics.getByRole("link", { name: topic }).click();
      await expect(chat.page.getByRole("heading", { level: 1 })).toHaveText(topic);
      await expect(chat.rows).toHaveCount(1);
      await chat.page.reload();
      await expect(chat.page.getByRole("heading", { level: 1 })).toHaveText(topic);
      await expect(chat.rows).toHaveCount(1);
      await chat.expectNoSidewaysScroll();
    }
  });
}

test("the page's policy refuses markup, scripts and workers by whatever road", async ({ cluster, browser }) => {
  const page = await browser.newPage();
  await page.goto(cluster.pod(0).url);
  const outcomes = await page.evaluate(async () => {
    const outcome = async (attempt: () => unknown): Promise<string> => {
      try {
        await attempt();
        return "done";
      } catch (error) {
        return (error as Error).name;
      }
    };
    const script = document.createElement("script");
    return {
      innerHTML: await outcome(() => (document.body.innerHTML = "<b>x</b>")),
      script: await outcome(() => (script.text = "1")),
      handler: await outcome(() => document.body.setAttribute("onclick", "1")),
      policy: await outcome(() =>
        (window as unknown as { trustedTypes: { createPolicy(name: string, rules: object): void } }).trustedTypes.createPolicy("x", {}),
      ),
      // Why the page has no service worker: to register one takes a trusted URL, and nothing may make those.
      serviceWorker: await outcome(() => navigator.serviceWorker.register("/sw.js")),
      worker: await outcome(() => new Worker("/w.js")),
    };
  });
  expect(outcomes).toEqual({
    innerHTML: "TypeError",
    script: "TypeError",
    handler: "TypeError",
    policy: "TypeError",
    serviceWorker: "TypeError",
    worker: "TypeError",
  });
  await page.close();
});
