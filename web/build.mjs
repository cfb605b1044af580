// Bundles src/ into dist/: one script, one style sheet, the page and its icon. The result depends on the sources and the
// versions in package-lock.json alone, so that a test can hold dist/ against them. usage: node build.mjs [FOLDER]
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "dist");
mkdirSync(out, { recursive: true });
const common = { absWorkingDir: here, bundle: true, minify: true, legalComments: "none", logLevel: "warning" };
await build({ ...common, entryPoints: ["src/main.ts"], outfile: join(out, "app.js"), format: "iife", target: "es2022", charset: "utf8", banner: { js: "/* With uPlot, (c) Leon Sorokin, MIT licence, https://github.com/leeoniya/uPlot */" } });
await build({ ...common, entryPoints: ["src/style.css"], outfile: join(out, "app.css"), target: ["chrome110", "firefox115", "safari16"] });
for (const name of ["index.html", "icon.svg"]) copyFileSync(join(here, "src", name), join(out, name));
