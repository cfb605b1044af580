// The page on a large run, in a browser: how soon there is a picture, how many a second, how much memory. Needs what
// tests/cli/test_page.sh needs (npm ci in web/ first).
//
// usage: node bench/page.mjs VECTRAIL RUN [SECONDS]     one JSON object; SECONDS for each rate [5]
//
// For the plain canvas ("cpu", in a browser without a graphics card, which then composes pages by the processor, too) and
// for WebGL by the processor ("gl", SwiftShader):
// - first_picture_ms: from the beginning of the navigation to the first drawn map: of a server that was just started, and
//   again of one that has computed everything; whole_ms: until all that there is has come, the first time.
// - rate: maps drawn a second, while it plays (play), while the slider is moved to and fro (scrub), while the wheel zooms
//   (zoom); words: the same with two words chosen, coloured by movement. page_ms and drawing_ms: processor time for one
//   map, in the process of the page and in the one that draws, whatever else the machine did meanwhile. share: of the words,
//   the last map that was drawn while it moved.
// - memory_mb: what the process of the page has for itself, and what the one that draws has more than an empty browser's.
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
  const share = await act(Date.now() + 1000 * Number(seconds));
  const after = await drawn(page), maps = after.maps - before.maps;
  return { rate: tenths((1000 * maps) / (after.at - before.at)), page_ms: tenths((1000 * (after.page - before.page)) / maps), drawing_ms: tenths((1000 * (after.drawing - before.drawing)) / maps), share };
}

// Of the words, those that the last map showed.
const shareOf = (page) => page.evaluate(() => Math.round((1000 * Number(document.querySelector(".map-pane .map").dataset.words)) / window.vectrail.app.run.mapWords) / 1000);

async function play(page, until) {
  await page.evaluate(() => {
    const { clock } = window.vectrail.app;
    clock.seek(0);
    clock.speed = 0.5;
    clock.play();
  });
  await new Promise((done) => setTimeout(done, until - Date.now()));
  const share = await shareOf(page);
  await page.evaluate(() => window.vectrail.app.clock.pause());
  return share;
}

// From one side to the other and back, once for each picture that the browser shows, as fast as it can.
async function each(page, until, kind) {
  await page.evaluate(([milliseconds, what]) => new Promise((done) => {
    const slider = document.querySelector(".timeline .slider"), stage = document.querySelector(".map-pane .stage"), box = stage.getBoundingClientRect(), end = performance.now() + milliseconds;
    const act = {
      scrub: (share) => {
        slider.value = String(Number(slider.max) * share);
        slider.dispatchEvent(new Event("input"));
      },
      zoom: (share, k) => stage.dispatchEvent(new WheelEvent("wheel", { deltaY: k % 80 < 40 ? -40 : 40, clientX: box.left + box.width * (0.3 + 0.4 * share), clientY: box.top + box.height / 2, cancelable: true })),
    }[what];
    let k = 0;
    const next = () => {
      act(Math.abs(((k / 150) % 2) - 1), k++);
      if (performance.now() < end) requestAnimationFrame(next);
      else done();
    };
    requestAnimationFrame(next);
  }), [until - Date.now(), kind]);
  return shareOf(page);
}

async function rates(page, renderer) {
  await page.evaluate((choice) => window.vectrail.app.store.set({ renderer: choice }), renderer);
  await page.waitForFunction((kind) => document.querySelector(".map-pane .map").dataset.renderer === kind, renderer);
  await new Promise((done) => setTimeout(done, 1000));
  const found = { play: await rate(page, (until) => play(page, until)), scrub: await rate(page, (until) => each(page, until, "scrub")), zoom: await rate(page, (until) => each(page, until, "zoom")) };
  await page.evaluate(() => window.vectrail.app.store.set({ words: [300, 301], color: "movement", camera: null }));
  await page.waitForFunction(() => document.querySelectorAll(".inspector .chart .curve").length >= 2, undefined, { timeout: 60000 });
  found.words = { play: await rate(page, (until) => play(page, until)), scrub: await rate(page, (until) => each(page, until, "scrub")) };
  return found;
}

// One browser looks at a server: opens the page twice, the second time for good.
async function look(address, renderer, result, flags) {
  await withBrowser(async (browser) => {
    const empty = (await processes(browser, "GPU")).megabytes, first = await firstPicture(browser, address);
    await first.page.waitForFunction(whole, undefined, { timeout: 300000 });
    const wholeAt = await first.page.evaluate(() => Math.round(performance.now()));
    await first.context.close();
    const again = await firstPicture(browser, address), { page } = again;
    await page.waitForFunction(whole, undefined, { timeout: 300000 });
    Object.assign(result, await page.evaluate(() => ({ words: window.vectrail.app.run.mapWords, frames: window.vectrail.app.run.frames })));
    result[renderer] = { first_picture_ms: [first.milliseconds, again.milliseconds], whole_ms: wholeAt, ...(await rates(page, renderer)) };
    result[renderer].memory_mb = { page: Math.round((await processes(browser, "renderer")).megabytes), drawing: Math.round((await processes(browser, "GPU")).megabytes - empty) };
  }, flags);
}

const result = { words: 0, frames: 0 };
for (const [renderer, flags] of [["cpu", ["--disable-gpu"]], ["gl", []]]) {
  const { child, address } = await serve(command, folder, run); // each meets a server that was just started
  await look(address, renderer, result, flags);
  await stop(child);
}
console.log(JSON.stringify(result));
