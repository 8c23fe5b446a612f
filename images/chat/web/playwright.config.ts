import { defineConfig } from "@playwright/test";

const results = process.env["E2E_RESULTS"];

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  // Each test has its own Redis and pods; two at a time fill two cores.
  fullyParallel: true,
  workers: Number(process.env["E2E_WORKERS"] ?? 2),
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: results ? [["list"], ["junit", { outputFile: results }]] : [["list"]],
  use: {
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    timezoneId: "Europe/London",
    trace: process.env["E2E_TRACE"] ? "retain-on-failure" : "off",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        // A plain-http origin that is no secure context, as the node port of a cluster is.
        "--host-resolver-rules=MAP chat.test 127.0.0.1",
      ],
    },
  },
});
