// The page in a real browser, against real runs: what a reader does, held against the state of the page, the pixels that
// are drawn, and what axe-core finds. usage: node browser.mjs VECTRAIL FOLDER; FOLDER holds runs made by test_page.sh.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { children, killChildren, serve as serveIn, stop, withBrowser } from "./browser_support.mjs";

const [vectrail, folder] = process.argv.slice(2);
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const serve = (...runs) => serveIn(vectrail, folder, ...runs);

// Whatever hangs, the test ends, and says where.
let at = "starting";
setTimeout(() => {
  console.log(`FAIL nothing happens any more: ${at}`);
  killChildren();
  process.exit(1);
}, 240000).unref();

// ---- what the page is asked ------------------------------------------------------------------------------------------

const state = (page) => page.evaluate(() => ({ ...window.vectrail.app.store.state, frame: window.vectrail.app.clock.frame, position: window.vectrail.app.clock.position, playing: window.vectrail.app.clock.playing }));
const ready = (page) => page.waitForFunction(() => {
  const run = window.vectrail?.app.run;
  return run && run.frames > 0 && run.have.length === run.frames && run.have.every(Boolean) && run.clusters && run.haveMovement.every(Boolean) && Number(document.querySelector(".map-pane .map")?.dataset.drawn) > 0;
}, undefined, { timeout: 40000 });
const idle = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60)))));

// What a reader would see sooner or later: asks again until it holds, for a busy machine may need a while; then fails with what was wrong last.
async function sooner(check, wait = 15000) {
  for (const until = Date.now() + wait; ;) {
    try {
      return await check();
    } catch (cause) {
      if (!(cause instanceof assert.AssertionError) || Date.now() > until) throw cause;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Pixels of the map that are not its ground, and a sum that says whether two pictures are the same.
const pixels = (page) => page.evaluate(() => {
  const canvas = window.vectrail.shell.map.picture(), data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let drawn = 0, sum = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (Math.abs(data[i] - data[0]) + Math.abs(data[i + 1] - data[1]) + Math.abs(data[i + 2] - data[2]) > 24) drawn++;
    sum = (sum * 31 + data[i] + 256 * data[i + 1] + 65536 * data[i + 2]) >>> 0;
  }
  return { drawn, sum, share: drawn / (data.length / 4) };
});

async function axe(page, where) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(found.violations.map((v) => `${where}: ${v.id} ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3)}`), []);
}

// ---- a page, and what it may not do ------------------------------------------------------------------------------------

async function open(context, address, { quiet = true } = {}) {
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !/503|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/.test(message.text()) && page.complaints.push(message.text()));
  if (quiet) page.on("request", (request) => !/^(http:\/\/127\.0\.0\.1|file:|blob:|data:)/.test(request.url()) && page.complaints.push(`asked for ${request.url()}`));
  await page.goto(address);
  return page;
}

const steps = [];
const step = (name, run) => steps.push({ name, run });

// ---- the steps ---------------------------------------------------------------------------------------------------------

step("opens with a map, a verdict and the way to play", async ({ context, main, shared }) => {
  // By the graphics card, though there is none: the page would choose the plain canvas then, which a later step sees.
  const page = (shared.page = await open(context, main + "#renderer=gl"));
  await ready(page);
  const now = await state(page);
  assert.equal(now.view, "map");
  assert.equal(now.position, now.frame);
  assert.equal(await page.evaluate(() => window.vectrail.app.clock.frames - 1), now.frame, "stands at the end");
  assert.match(await page.textContent("#verdict"), /\w{4}/);
  assert.equal(await page.getAttribute(".map-pane .map", "data-renderer"), "gl");
  const shown = await pixels(page);
  assert.ok(shown.share > 0.005, `almost nothing is drawn: ${shown.share}`);
  await sooner(async () => assert.ok((await page.evaluate(() => window.vectrail.shell.map.placedLabels().length)) > 20));
});

step("plays between snapshots and stands on them", async ({ shared: { page } }) => {
  await page.keyboard.press("Home");
  const before = await pixels(page);
  await page.keyboard.press(" ");
  await page.waitForFunction(() => window.vectrail.app.clock.position % 1 > 0.05);
  assert.ok((await state(page)).playing);
  await page.waitForFunction(() => window.vectrail.app.clock.position > 9);
  await page.keyboard.press(" ");
  await sooner(async () => {
    const paused = await state(page);
    assert.ok(!paused.playing && paused.position === paused.frame && paused.frame >= 3);
  });
  await sooner(async () => assert.notEqual((await pixels(page)).sum, before.sum));
});

step("scrubs by slider and keys, and says where it is", async ({ shared: { page } }) => {
  const slider = page.locator(".timeline .slider"), box = await slider.boundingBox();
  await page.mouse.click(box.x + box.width * 0.5, box.y + box.height / 2);
  const middle = await sooner(async () => {
    const now = await state(page);
    assert.ok(now.frame > 0 && now.frame < (await page.evaluate(() => window.vectrail.app.clock.frames - 1)) && now.position === now.frame);
    return now;
  });
  await page.keyboard.press("ArrowRight");
  await sooner(async () => assert.equal((await state(page)).frame, middle.frame + 1));
  await sooner(async () => assert.match(await slider.getAttribute("aria-valuetext"), /^step [\d,]+.*snapshot \d+ of \d+$/));
  await page.locator(".stage").first().focus();
  await page.keyboard.press("Shift+ArrowRight");
  await sooner(async () => assert.ok((await state(page)).frame > middle.frame));
  await page.keyboard.press("End");
  await page.waitForFunction(() => !location.hash.includes("step="));
  await page.keyboard.press("Home");
  await page.waitForFunction(() => location.hash.includes("step=0"));
  await page.keyboard.press("End");
});

step("finds a word, tells its story, and a pair's", async ({ shared: { page }, words }) => {
  await page.keyboard.press("/");
  await page.keyboard.type(words[0]);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".inspector .near li:nth-child(10)");
  await page.waitForSelector(".inspector .chart svg g path");
  await page.waitForSelector(".inspector .ledger svg rect");
  const alone = await pixels(page);
  await page.fill(".inspector-head input", words[1]);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".inspector .chart .curve").length >= 2);
  await sooner(async () => assert.match(await page.textContent(".inspector .lead"), new RegExp(`${words[0]} and ${words[1]}`)));
  await page.waitForFunction(() => document.querySelectorAll(".inspector .chart svg circle").length >= 2 * 24); // a point for each of 24 numbers, before and after
  const both = await page.evaluate(() => fetch(`/api/runs/0/coordinates?a=${window.vectrail.app.store.state.words[0]}&b=${window.vectrail.app.store.state.words[1]}`).then((r) => r.json()));
  const dot = (u, v) => u.reduce((s, x, k) => s + x * v[k], 0);
  assert.ok(both.a.length === 24 && Math.abs(dot(both.a, both.b) / Math.sqrt(dot(both.a, both.a) * dot(both.b, both.b)) - both.cosine) < 1e-3, "the numbers have the cosine that is told");
  const parts = await page.evaluate(() => fetch(`/api/runs/0/explain?word=${window.vectrail.app.store.state.words[0]}&toward=${window.vectrail.app.store.state.words[1]}&centered=1&k=1000`).then((r) => r.json()));
  const sum = parts.baseline + parts.start + parts.rest + parts.contributions.reduce((s, c) => s + c.contribution, 0);
  assert.ok(Math.abs(sum - parts.cosine) < 1e-4, `${sum} is not ${parts.cosine}`);
  await sooner(async () => assert.notEqual((await pixels(page)).sum, alone.sum));
  await sooner(async () => assert.ok(new URL(page.url()).hash.includes(`word=${words[0]}&word=${words[1]}`)));
  await axe(page, "a pair");
});

step("says why a word is not there", async ({ shared: { page }, words }) => {
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type(words[0] + "q");
  await page.waitForSelector(".found .why");
  await sooner(async () => assert.match(await page.textContent(".found .why"), /is not among the [\d,]+ words/));
  assert.ok((await page.locator(".found li").allTextContents()).some((text) => text.startsWith(words[0])), "spelt nearly so");
  await page.keyboard.press("Escape");
  await page.locator(".stage").first().focus();
});

step("is the same by WebGL and by the plain canvas", async ({ shared: { page } }) => {
  await page.keyboard.press("f");
  await page.waitForFunction(() => window.vectrail.app.store.state.camera === null && !window.vectrail.shell.map.flying);
  await page.evaluate(() => window.vectrail.app.store.set({ labels: false }));
  await idle(page);
  const gl = await pixels(page);
  await page.evaluate(() => window.vectrail.app.store.set({ renderer: "cpu" }));
  await idle(page);
  await sooner(async () => assert.equal(await page.getAttribute(".map-pane .map", "data-renderer"), "cpu"));
  await sooner(async () => {
    const cpu = await pixels(page);
    assert.ok(Math.abs(cpu.drawn / gl.drawn - 1) < 0.35, `${gl.drawn} and ${cpu.drawn} pixels`);
  });
  await page.evaluate(() => window.vectrail.app.store.set({ renderer: "auto" }));
  await sooner(async () => assert.match(await page.textContent(".map-note"), /No WebGL by a graphics card/));
  assert.equal(await page.getAttribute(".map-pane .map", "data-renderer"), "cpu");
  await page.evaluate(() => window.vectrail.app.store.set({ renderer: "gl", labels: true }));
  await sooner(async () => assert.equal(await page.getAttribute(".map-pane .map", "data-renderer"), "gl"));
});

step("draws the words along two directions that are named", async ({ context, shared, shared: { page }, words }) => {
  const places = () => page.evaluate(() => window.vectrail.app.run.positions.reduce((sum, at) => (sum * 31 + at) | 0, 0));
  const map = await pixels(page), placed = await places(), four = await page.evaluate(() => [0, 1, 2, 3].map((k) => window.vectrail.app.run.textOf([3, 40, 7, 60][k])));
  await page.keyboard.press("x");
  for (const text of ["qqq", ...four.slice(1)]) {
    await page.keyboard.type(text);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter"); // the button that shows it
  await sooner(async () => assert.match(await page.textContent(".axes .problem"), /“qqq” is not among the [\d,]+ words/));
  assert.ok(await page.evaluate(() => document.activeElement === document.querySelector(".axes input")), "stands at the word that is wrong");
  await page.evaluate(() => { const box = document.querySelector(".axes input"); box.blur(); box.focus(); });
  await page.fill(".axes input", four[0]);
  await page.waitForTimeout(300); // what it found stays, though the box was left a moment ago
  await page.keyboard.press("Enter"); // the word
  assert.ok(await page.evaluate(() => document.activeElement === document.querySelectorAll(".axes input")[1]), "goes on to the next word");
  await page.locator(".axes button.primary").press("Enter");
  await page.waitForFunction(() => window.vectrail.app.run.axes && window.vectrail.app.run.have.every(Boolean));
  await sooner(async () => assert.match(await page.textContent(".plane"), new RegExp(`→ ${four[0]} to ${four[1]} · ↑ ${four[2]} to ${four[3]}shows [\\d.]+% of the variance`)));
  // The words stand where they should: B to the right of A as far as D is above C in their own direction.
  const at = await page.evaluate((texts) => texts.map((text) => {
    const { run, clock } = window.vectrail.app, k = (clock.frame * run.mapWords + run.find(text)) * 2;
    return [run.positions[k], run.positions[k + 1]];
  }), four);
  assert.ok(at[1][0] > at[0][0] && at[3][1] > at[2][1], `${JSON.stringify(at)}`);
  assert.ok(Math.abs(at[1][1] - at[0][1]) <= 2, "what lies between the first two lies on the first axis alone");
  await sooner(async () => assert.notEqual((await pixels(page)).sum, map.sum));
  await sooner(async () => assert.equal(new URL(page.url()).hash.match(/axis=/g)?.length, 4));
  await axe(page, "axes");
  const other = await open(context, page.url().replace("renderer=gl&", "") + "&lang=vi");
  await sooner(async () => assert.match(await other.textContent(".plane"), /giữ [\d,]+% phương sai/));
  assert.deepEqual(other.complaints, []);
  await other.close();
  await page.click(".plane button");
  await page.waitForFunction(() => window.vectrail.app.run.axes === null && !location.hash.includes("axis="));
  assert.equal(await places(), placed, "the map is again what it was");
  // Two directions that are one.
  await page.evaluate((texts) => window.vectrail.app.store.set({ axes: [0, 1, 0, 1].map((k) => window.vectrail.app.run.find(texts[k])) }), four);
  await sooner(async () => assert.match(await page.textContent(".axes .problem"), /span no plane/));
  assert.equal((await state(page)).axes, null);
  page.complaints.splice(0, page.complaints.length, ...page.complaints.filter((text) => !/422/.test(text)));
  await page.locator(".axes-menu summary").press("Escape");
});

step("goes on when the graphics card is taken away", async ({ shared: { page } }) => {
  await page.evaluate(() => document.querySelector(".map-pane canvas.points").getContext("webgl2").getExtension("WEBGL_lose_context").loseContext());
  await page.waitForFunction(() => document.querySelector(".map-pane .map").dataset.renderer === "cpu");
  assert.ok((await pixels(page)).share > 0.005);
  await sooner(async () => assert.match(await page.textContent(".map-note"), /graphics card/));
});

step("speaks Vietnamese, and is dark", async ({ shared: { page } }) => {
  await page.click(".lang");
  await sooner(async () => assert.equal(await page.evaluate(() => document.documentElement.lang), "vi"));
  await sooner(async () => assert.match(await page.textContent(".tabs"), /Bản đồ/));
  await axe(page, "Vietnamese");
  const light = await pixels(page);
  await page.keyboard.press("d");
  await sooner(async () => assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark"));
  await sooner(async () => assert.notEqual((await pixels(page)).sum, light.sum));
  await axe(page, "dark");
  await page.click(".lang");
});

step("answers about health", async ({ shared: { page } }) => {
  await page.keyboard.press("2");
  await page.waitForSelector(".health .answers .finding, .health .answers .fine", { timeout: 40000 });
  await page.waitForSelector(".health table.sortable tbody tr:nth-child(20)");
  assert.ok((await page.locator(".health .chart").count()) >= 6);
  const first = await page.textContent(".sortable tbody tr:first-child th");
  await page.click(".sortable thead th:nth-child(3) button");
  const lengths = (await page.locator(".sortable tbody td:nth-child(3)").allTextContents()).map(Number);
  assert.deepEqual(lengths, [...lengths].sort((a, b) => b - a));
  assert.ok(first.length > 0);
  // Every chart is a table, too, and can be saved.
  await page.locator(".health .chart-menu summary").first().click();
  await page.locator(".health .chart-menu[open] input").first().check();
  assert.ok((await page.locator("#curve-loss table tbody tr").count()) > 10);
  for (const kind of ["PNG", "SVG", "CSV"]) {
    if (!(await page.locator("#curve-loss .chart-menu[open]").count())) await page.locator("#curve-loss .chart-menu summary").click();
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(`#curve-loss .chart-menu button:has-text("${kind}")`)]);
    const bytes = readFileSync(await file.path());
    const head = { PNG: "\x89PNG", SVG: "<svg", CSV: "\xef\xbb\xbfstep" }[kind];
    assert.equal(bytes.subarray(0, head.length).toString("latin1"), head);
  }
  await axe(page, "health");
});

step("compares two moments, and two runs", async ({ shared: { page } }) => {
  await page.keyboard.press("3");
  await page.waitForSelector(".compare .least tbody tr", { timeout: 40000 });
  await page.waitForFunction(() => document.querySelectorAll(".compare .chart").length >= 6);
  await page.selectOption(".side:nth-child(2) select", "1");
  await page.waitForFunction(() => /seed/.test(document.querySelector(".compare")?.textContent ?? ""), undefined, { timeout: 40000 });
  await page.waitForFunction(() => Number(document.querySelectorAll(".compare .map")[1].dataset.drawn) > 0);
  await axe(page, "compare");
});

step("comes back by its address", async ({ context, shared, words }) => {
  const page = await open(context, `${shared.main}#step=0&word=${words[0]}&color=movement&theme=light&hide=trails&at=0.1000 0.2000 3.000`);
  await ready(page);
  const now = await state(page);
  assert.equal(now.frame, 0);
  assert.equal(now.words.length, 1);
  assert.equal(now.color, "movement");
  assert.equal(now.trails, false);
  assert.deepEqual(now.camera, { x: 0.1, y: 0.2, zoom: 3 });
  // The page stays, and goes where its address goes: to a word of another run, away, and back before it wrote of it.
  const goes = (run) => page.evaluate((hash) => { location.hash = hash; }, `run=${run}&word=${words[1]}`);
  const arrives = (run) => sooner(async () => assert.deepEqual(await page.evaluate(() => {
    const { run, store } = window.vectrail.app;
    return [run?.id, store.state.run, ...store.state.words.map((word) => run?.textOf(word))];
  }), [run, run, words[1]]));
  await goes(1);
  await arrives(1);
  await page.waitForTimeout(300);
  await page.evaluate((hash) => new Promise((done) => {
    const back = location.hash;
    location.hash = hash;
    setTimeout(() => { location.hash = back; done(); }, 20);
  }), `run=0&word=${words[1]}`);
  await arrives(1);
  assert.deepEqual(page.complaints, []);
  await page.close();
});

step("fits a phone", async ({ browser, shared }) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, colorScheme: "dark", reducedMotion: "reduce" });
  const page = await open(context, shared.main);
  await ready(page);
  for (const view of ["map", "health", "compare"]) {
    await page.evaluate((name) => window.vectrail.app.store.set({ view: name }), view);
    await idle(page);
  await sooner(async () => assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, `${view} is wider than the phone`));
  }
  await axe(page, "phone");
  assert.deepEqual(page.complaints, []);
  await context.close();
});

step("shows a training as it goes on, and keeps what it has when the server ends", async ({ context }) => {
  const trainer = spawn(vectrail, ["train", "text.txt", "--run", "live", "--dim", "40", "--epochs", "60000", "--snapshots", "6000", "--threads", "1", "--quiet"], { cwd: folder, stdio: "ignore" });
  children.push(trainer);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const { child, address } = await serve("live");
  const page = await open(context, address);
  await page.waitForFunction(() => window.vectrail && Number(document.querySelector(".map-pane .map")?.dataset.drawn) > 0, undefined, { timeout: 60000 });
  const before = await page.evaluate(() => window.vectrail.app.run.frames);
  assert.match(await page.textContent("#verdict"), /Training now/);
  await page.waitForFunction((frames) => window.vectrail.app.run.frames > frames && window.vectrail.app.clock.frame === window.vectrail.app.run.frames - 1, before, { timeout: 60000 });
  await stop(trainer);
  await stop(child);
  await page.waitForSelector(".notice.warn", { timeout: 30000 });
  await sooner(async () => assert.match(await page.textContent(".notice.warn"), /server is gone.*vectrail serve/s));
  await sooner(async () => {
    const { share } = await pixels(page); // the map may just be drawn anew
    assert.ok(share > 0.001, `the map shows ${share} of its pixels`);
  });
  await page.close();
});

step("has words for runs that are not as they should be", async ({ context }) => {
  const { child, address } = await serve("one", "few", "cut", "wild");
  const page = await open(context, address);
  for (const [id, text] of [[0, /one snapshot/], [1, /Only 1\d words/], [2, /cut off at step.*vectrail resume cut/s], [3, /diverged/i]]) {
    await page.goto(`${address}#run=${id}`); // the page stays, and opens another run
    await sooner(async () => assert.match((await page.locator(".notice").allTextContents()).join(" "), text), 30000);
    if (id === 0) await axe(page, "a notice"); // one is like another
    assert.deepEqual(page.complaints, []);
  }
  await stop(child);
  const none = await serve();
  await page.goto(none.address);
  await page.waitForSelector(".state code");
  await sooner(async () => assert.match(await page.textContent(".state code"), /vectrail train/));
  await axe(page, "no runs");
  await page.close();
  await stop(none.child);
});

step("opens a report from the disk, without a network", async ({ browser, words }) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, offline: true });
  const page = await open(context, `file://${join(folder, "report.html")}#word=${words[0]}`);
  await ready(page);
  await page.waitForSelector(".inspector .near li:nth-child(10)");
  await page.waitForSelector(".inspector .chart svg g path");
  await page.waitForSelector(".inspector .ledger svg rect");
  await page.keyboard.press("Home");
  await page.keyboard.press(" ");
  await page.waitForFunction(() => window.vectrail.app.clock.position > 1);
  for (const view of ["health", "compare", "map"]) {
    await page.evaluate((name) => window.vectrail.app.store.set({ view: name }), view);
    await idle(page);
    if (view !== "compare") continue;
    // Before and after: two histograms, and a heat map of each.
    await page.waitForFunction(() => {
      const titles = [...document.querySelectorAll(".chart svg.drawn")].map((s) => s.getAttribute("aria-label"));
      return titles.includes("Numbers in the vectors") && titles.includes("Cosines of pairs of words") && titles.filter((title) => title.startsWith("Table at step")).length === 2;
    });
  }
  // And the numbers of two words against each other.
  await page.fill(".inspector-head input", words[1]);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => [...document.querySelectorAll(".inspector .chart svg.drawn")].filter((s) => s.getAttribute("aria-label").startsWith("Their numbers at step") && s.querySelectorAll("circle").length === 24).length === 2);
  assert.deepEqual(page.complaints, []);
  await axe(page, "report");
  await context.close();
});

// ---- running them ------------------------------------------------------------------------------------------------------

let failed = 0;
await withBrowser(async (browser) => {
  const { address } = await serve("main", "other");
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, locale: "en-GB", colorScheme: "light", acceptDownloads: true });
  const shared = { main: address }, words = JSON.parse(readFileSync(join(folder, "words.json"), "utf8"));
  for (const { name, run } of steps) {
    const began = Date.now();
    at = name;
    try {
      await run({ browser, context, main: address, shared, words });
      console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (cause) {
      failed++;
      console.log(`FAIL ${name}: ${cause.stack}`);
      if (shared.page && process.env.SHOTS) await shared.page.screenshot({ path: join(process.env.SHOTS, "failed.png") }).catch(() => undefined);
    }
  }
  if (shared.page) assert.deepEqual(shared.page.complaints, []);
});
process.exit(failed > 0 ? 1 : 0);
