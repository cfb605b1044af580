// browser_support.mjs: a server of runs, and a Chromium to look at it with, for the tests here and for bench/page.mjs.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const ARGUMENTS = ["--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-gpu-compositing"];

export const children = []; // to be ended with the process that started them

// Starts a server in a folder, on a port of its own choice, and waits for its address.
export function serve(vectrail, folder, ...runs) {
  const child = spawn(vectrail, ["serve", ...runs], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let told = "";
    child.stdout.on("data", (part) => {
      told += part;
      const address = /http:\/\/\S+/.exec(told);
      if (address) resolve({ child, address: address[0] });
    });
    child.on("exit", (code) => reject(new Error(`serve ended with ${code}: ${told}`)));
  });
}

export const stop = (child) => new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null) return resolve();
  child.on("exit", resolve);
  return child.kill("SIGINT");
});

export function killChildren() {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
}

// Runs with a browser that draws WebGL by SwiftShader, so that a machine without a graphics card does as others do. Pages are
// composed without it, as browsers there do: by SwiftShader it takes four times as long.
export async function withBrowser(use, more = []) {
  const profile = mkdtempSync(join(tmpdir(), "vectrail-chromium-"));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...ARGUMENTS, ...more, `--crash-dumps-dir=${profile}`] });
  try {
    return await use(browser);
  } finally {
    await browser.close();
    killChildren();
    rmSync(profile, { recursive: true, force: true });
  }
}
