import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Port of a chat service for `npm run dev`, which serves the page itself. */
const devTarget = process.env["CHAT_DEV_TARGET"] ?? "http://127.0.0.1:30222";

/** Writes NAME.br and NAME.gz beside each text file worth it, so that the server compresses nothing. */
function precompress(): Plugin {
  return {
    name: "precompress",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      for (const [fileName, file] of Object.entries(bundle)) {
        if (!/\.(js|css|html|svg|webmanifest)$/u.test(fileName)) continue;
        const source = Buffer.from(file.type === "chunk" ? file.code : file.source);
        const br = brotliCompressSync(source, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
        this.emitFile({ type: "asset", fileName: `${fileName}.br`, source: br });
        this.emitFile({ type: "asset", fileName: `${fileName}.gz`, source: gzipSync(source, { level: 9 }) });
      }
    },
  };
}

export default defineConfig({
  // Relative, so that the page works below any path a proxy puts it under.
  base: "./",
  build: {
    target: ["chrome123", "firefox128", "safari17.5"],
    // No inlined data, no polyfill script: the page's policy forbids both, and needs neither.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  plugins: [precompress()],
  server: { proxy: { "/ws": { target: devTarget, ws: true }, "/api": devTarget } },
});
