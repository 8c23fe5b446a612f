import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, minifySync, type Plugin } from "vite";

/** Port of a chat service for `npm run dev`, which serves the page itself. */
const devTarget = process.env["CHAT_DEV_TARGET"] ?? "http://127.0.0.1:30222";

/** Makes boot.js small, and writes NAME.br and NAME.gz beside each text file worth it, so that the server compresses nothing. */
function precompress(): Plugin {
  return {
    name: "precompress",
    apply: "build",
    // When the files are what they will be: Vite's own last changes come late in the build.
    writeBundle: {
      order: "post",
      handler({ dir = "dist" }) {
        // Vite copies what is public as it is.
        const boot = join(dir, "boot.js");
        writeFileSync(boot, minifySync("boot.js", readFileSync(boot, "utf8")).code);
        for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
          if (!entry.isFile() || !/\.(js|css|html|svg|webmanifest)$/u.test(entry.name)) continue;
          const path = join(entry.parentPath, entry.name);
          const source = readFileSync(path);
          writeFileSync(`${path}.br`, brotliCompressSync(source, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
          writeFileSync(`${path}.gz`, gzipSync(source, { level: 9 }));
        }
      },
    },
  };
}

/** Parts that come later have no styles of their own, and the few parts they share are small: Vite's loader of those is not needed. */
function plainImports(): Plugin {
  return {
    name: "plain-imports",
    apply: "build",
    enforce: "pre",
    load: (id) => (id === "\0vite/preload-helper.js" ? "export const __vitePreload = (load) => load();" : undefined),
  };
}

export default defineConfig({
  // Relative, so that the page works below any path a proxy puts it under.
  base: "./",
  build: {
    target: ["chrome123", "firefox128", "safari17.5"],
    // No inlined data, no polyfill script: the page's policy forbids both, and needs neither.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: true,
    // What is needed at once is one file, though parts that come later use some of it.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "index", tags: ["$initial"] }] } } },
  },
  plugins: [plainImports(), precompress()],
  server: { proxy: { "/ws": { target: devTarget, ws: true }, "/api": devTarget } },
});
