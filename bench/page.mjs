// The page on a large run, in a browser: how soon there is a picture, how many a second, how much memory. Needs what
// tests/cli/test_page.sh needs (npm ci in web/ first).
//
// usage: node bench/page.mjs VECTRAIL RUN [SECONDS]     one JSON object; SECONDS for each rate [5]
//
// first_picture_ms: from the beginning of the navigation to the first drawn map: `cold` of a server that was just started,
// `warm` of one that has computed everything. frames_per_second: maps drawn a second, while it plays (`play`), while the
// slider is dragged (`scrub`), while the map is dragged and zoomed (`pan`), by WebGL on the processor (SwiftShader) and by
// the plain canvas; `words` the same with two words chosen. page_ms and drawing_ms: processor time for one map, in the process of
// the page and in the one that draws, whatever else the machine did meanwhile. memory_mb: what the process of the page has for itself, and what
// the process that draws (WebGL's buffers lie there) has more than before the map.
import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { serve, stop, withBrowser } from "../web/tests/browser_support.mjs";

const [vectrail, path, seconds = "5"] = process.argv.slice(2);
if (!path) {
  console.error("usage: node bench/page.mjs VECTRAIL RUN [SECONDS]");
  process.exit(2);
}
const SIZE = { width: 1280, height: 720 };
const command = resolve(vectrail), folder = dirname(resolve(path)), run = basename(resolve(path));

const whole = () => {
  const found = window.vectrail?.app.run;
  return found?.complete === true && found.frames > 0 && Number(document.querySelector(".map-pane .map")?.dataset.drawn) > 0;
};

// Milliseconds since the navigation began, told by the page itself.
async function firstPicture(browser, address) {
  const context = await browser.newContext({ viewport: SIZE }), page = await context.newPage();
  await page.addInitScript(() => {
    const look = () => (document.querySelector(".map-pane .map")?.dataset.drawn ? (window.firstPicture = performance.now()) : requestAnimationFrame(look));
    requestAnimationFrame(look);
  });
  await page.goto(address);
  const found = await page.waitForFunction(() => window.firstPicture, undefined, { timeout: 120000 });
  return { page, context, milliseconds: Math.round(await found.jsonValue()) };
}

// The browser's processes of one type ("renderer": of pages, "GPU": what draws): private megabytes of the largest one, and
// seconds of processor time of all.
async function processes(browser, type) {
  const session = await browser.newBrowserCDPSession(), { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const own = processInfo.filter((process) => process.type === type);
  const megabytes = Math.max(0, ...own.map(({ id }) => {
    const text = readFileSync(`/proc/${id}/smaps_rollup`, "latin1");
    return [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+)/gm)].reduce((sum, m) => sum + Number(m[1]), 0) / 1024;
  }));
  return { megabytes, seconds: own.reduce((sum, { cpuTime }) => sum + cpuTime, 0) };
}

async function drawn(page) {
  const browser = page.context().browser();
  const maps = await page.evaluate(() => {
    window.vectrail.shell.map.picture(); // waits for what WebGL still has to draw
    return window.vectrail.shell.map.drawn;
  });
  return { maps, at: performance.now(), page: (await processes(browser, "renderer")).seconds, drawing: (await processes(browser, "GPU")).seconds };
}

const tenths = (x) => Math.round(10 * x) / 10;

// Maps a second while something goes on, and the milliseconds of processor time that one takes.
async function rate(page, act) {
  const before = await drawn(page);
  await act(Date.now() + 1000 * Number(seconds));
  const after = await drawn(page), maps = after.maps - before.maps;
  return { rate: tenths((1000 * maps) / (after.at - before.at)), page_ms: tenths((1000 * (after.page - before.page)) / maps), drawing_ms: tenths((1000 * (after.drawing - before.drawing)) / maps) };
}

async function play(page, until) {
  await page.evaluate(() => {
    const { clock } = window.vectrail.app;
    clock.seek(0);
    clock.speed = 0.5;
    clock.play();
  });
  await new Promise((done) => setTimeout(done, until - Date.now()));
  await page.evaluate(() => window.vectrail.app.clock.pause());
}

// Drags from one side to the other and back.
async function drag(page, box, until) {
  const at = (share) => [box.x + box.width * (0.05 + 0.9 * share), box.y + box.height / 2];
  await page.mouse.move(...at(0));
  await page.mouse.down();
  for (let k = 0; Date.now() < until; k++) await page.mouse.move(...at(Math.abs(((k / 150) % 2) - 1)));
  await page.mouse.up();
}

async function pan(page, until) {
  const box = await page.locator(".map-pane .stage").boundingBox();
  const middle = { x: box.x + box.width * 0.4, y: box.y, width: box.width * 0.2, height: box.height };
  await drag(page, middle, (until + Date.now()) / 2);
  for (let k = 0; Date.now() < until; k++) await page.mouse.wheel(0, k % 40 < 20 ? -40 : 40);
}

async function rates(page) {
  const found = {};
  for (const renderer of ["gl", "cpu"]) {
    await page.evaluate((choice) => {
      window.vectrail.app.store.set({ renderer: choice, words: [], camera: null, color: "cluster" });
    }, renderer);
    await page.waitForFunction((kind) => document.querySelector(".map-pane .map").dataset.renderer === kind, renderer);
    const slider = await page.locator(".timeline .slider").boundingBox();
    found[renderer] = { play: await rate(page, (until) => play(page, until)), scrub: await rate(page, (until) => drag(page, slider, until)), pan: await rate(page, (until) => pan(page, until)) };
    await page.evaluate(() => window.vectrail.app.store.set({ words: [300, 301], color: "movement", camera: null }));
    await page.waitForFunction(() => document.querySelectorAll(".inspector .chart .curve").length >= 2, undefined, { timeout: 60000 });
    found[renderer].words = { play: await rate(page, (until) => play(page, until)), scrub: await rate(page, (until) => drag(page, slider, until)) };
  }
  return found;
}

process.exitCode = await withBrowser(async (browser) => {
  const result = { words: 0, frames: 0, first_picture_ms: {}, frames_per_second: {}, memory_mb: {} };
  const empty = (await processes(browser, "GPU")).megabytes;
  const { child, address } = await serve(command, folder, run);
  const cold = await firstPicture(browser, address);
  result.first_picture_ms.cold = cold.milliseconds;
  await cold.page.waitForFunction(whole, undefined, { timeout: 300000 });
  result.whole_ms = await cold.page.evaluate(() => Math.round(performance.now()));
  await cold.context.close();
  const warm = await firstPicture(browser, address), { page } = warm;
  result.first_picture_ms.warm = warm.milliseconds;
  await page.waitForFunction(whole, undefined, { timeout: 300000 });
  Object.assign(result, await page.evaluate(() => ({ words: window.vectrail.app.run.mapWords, frames: window.vectrail.app.run.frames })));
  result.frames_per_second = await rates(page);
  result.memory_mb = { page: Math.round((await processes(browser, "renderer")).megabytes), drawing: Math.round((await processes(browser, "GPU")).megabytes - empty) };
  await stop(child);
  console.log(JSON.stringify(result));
  return 0;
});
