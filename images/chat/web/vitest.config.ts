import { defineConfig } from "vitest/config";

const reportDir = process.env["REPORT_DIR"];

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    // Random sequences by the hundred, on machines that do other work as well. Ms.
    testTimeout: 60_000,
    reporters: reportDir
      ? ["default", ["junit", { outputFile: `${reportDir}/web-unit.xml` }]]
      : ["default"],
  },
});
