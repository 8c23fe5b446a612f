import { defineConfig } from "vitest/config";

const reportDir = process.env["REPORT_DIR"];

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    reporters: reportDir
      ? ["default", ["junit", { outputFile: `${reportDir}/web-unit.xml` }]]
      : ["default"],
  },
});
