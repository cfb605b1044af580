import assert from "node:assert/strict";
import { test } from "node:test";
import { fromAddress, toAddress } from "../src/address.ts";
import { csvOf, sheetOf, smooth, ticksOf } from "../src/chart/model.ts";
import { spread } from "../src/chart/svg.ts";
import { Clock } from "../src/clock.ts";
import { en } from "../src/texts.en.ts";
import { vi } from "../src/texts.vi.ts";
import { isTaken } from "../src/keyboard.ts";
import { merge } from "../src/health.ts";
import { boundsOf, Projection } from "../src/map/camera.ts";
import { Detail } from "../src/map/detail.ts";
import { placeLabels, type Wish } from "../src/map/labels.ts";
import { neighborsSince } from "../src/pair.ts";
import { unpackNear, unpackPositions } from "../src/report.ts";
import { initial, Store } from "../src/store.ts";
import { changedShare } from "../src/verdict.ts";

const words = ["king", "queen", "học sinh", "a&b=c#", "x"];
const vocabulary = { textOf: (w: number) => words[w]!, find: (text: string) => (words.includes(text) ? words.indexOf(text) : undefined) };

test("the state goes through the address and back", () => {
  const state = { ...initial(), run: 2, view: "health" as const, words: [2, 3], color: "movement" as const, trails: false, camera: { x: -0.25, y: 0.5, zoom: 4 }, axes: [0, 1, 2, 3], renderer: "cpu" as const, theme: "dark" as const, lang: "vi" as const, other: { run: 1, a: 0, b: -1 } };
  const back = fromAddress(toAddress(state, 120, vocabulary), initial());
  assert.deepEqual(back.words.map(vocabulary.find), [2, 3]);
  assert.deepEqual(back.axes.map(vocabulary.find), [0, 1, 2, 3]);
  assert.equal(back.step, 120);
  assert.deepEqual({ ...back.state, words: [2, 3], axes: [0, 1, 2, 3] }, state);
});

test("an address that makes no sense is an ordinary page", () => {
  for (const hash of ["#run=-1&view=x&at=1 2&with=a b c", "#step=abc&%%%", "#at=NaN NaN NaN", "#color=&theme=neon&lang=xx"]) {
    const { state, step } = fromAddress(hash, initial());
    assert.deepEqual(state, initial());
    assert.equal(step, null);
  }
});

test("the clock stands on snapshots when it is paused", () => {
  const clock = new Clock();
  clock.setFrames(10);
  assert.equal(clock.frame, 9);
  clock.seek(3.4);
  assert.equal(clock.position, 3);
  clock.position = 5.6;
  assert.deepEqual(clock.between.map((x) => +x.toFixed(6)), [5, 6, 0.6]);
  clock.playing = true;
  (globalThis as { cancelAnimationFrame?: unknown }).cancelAnimationFrame = () => undefined;
  clock.pause();
  assert.equal(clock.position, 6);
  clock.seek(99);
  clock.setFrames(12);
  assert.equal(clock.frame, 11, "a clock at the end follows a training");
  clock.seek(2);
  clock.setFrames(13);
  assert.equal(clock.frame, 2);
});

test("three words at most are chosen", () => {
  const store = new Store(initial());
  for (const word of [1, 2, 3, 4]) store.choose(word, true);
  assert.deepEqual(store.state.words, [2, 3, 4]);
  store.choose(3, true);
  assert.deepEqual(store.state.words, [2, 4]);
  store.choose(9);
  assert.deepEqual(store.state.words, [9]);
});

test("names do not cover each other, and stay where they were", () => {
  const wishes: Wish[] = Array.from({ length: 400 }, (_, k) => ({ word: k, x: (k * 37) % 500, y: (k * 61) % 300, radius: 2, strong: k === 7 }));
  const size = (): { width: number; height: number } => ({ width: 60, height: 14 });
  const placed = placeLabels(wishes, new Set([390]), 150, 500, 300, size);
  assert.ok(placed.length > 20 && placed.some((p) => p.word === 7) && placed.some((p) => p.word === 390));
  for (const a of placed)
    for (const b of placed)
      if (a !== b) assert.ok(a.x >= b.x + b.width || b.x >= a.x + a.width || a.y >= b.y + b.height || b.y >= a.y + a.height);
});

test("zooming keeps what lies under the pointer", () => {
  const p = new Projection(800, 600, { left: -0.5, right: 0.5, top: 0.4, bottom: -0.4 });
  const before = p.homeCamera, at = p.toMap(before, 123, 456), after = p.zoomAt(before, 123, 456, 3);
  const still = p.toMap(after, 123, 456);
  assert.ok(Math.hypot(at.x - still.x, at.y - still.y) < 1e-12);
  const t = p.transform(after), x = at.x * 30000 * t.scale + t.dx, y = t.dy - at.y * 30000 * t.scale;
  assert.ok(Math.hypot(x - 123, y - 456) < 1e-6);
  assert.deepEqual(boundsOf(new Int16Array([0, 0, 30000, 15000]), 0, 2), { left: 0, right: 1, top: 0.5, bottom: 0 });
});

test("tables and CSV hold what the chart shows", () => {
  const sheet = sheetOf({ kind: "curve", title: "t", xName: "step", yName: "y", x: [0, 10], curves: [{ name: "a", color: "", values: [1.5, null] }] });
  assert.deepEqual(sheet, { head: ["step", "a"], rows: [[0, 1.5], [10, null]] });
  assert.equal(csvOf({ head: ["w", "n"], rows: [['say "hi", x', 1], ["=1+1", null]] }), 'w,n\r\n"say ""hi"", x",1\r\n\'=1+1,\r\n');
  assert.deepEqual(sheetOf({ kind: "scatter", title: "t", xName: "time", yName: "machine", color: "", x: [0.1, -0.2], y: [1, 2] }), { head: ["", "time", "machine"], rows: [[1, 0.1, 1], [2, -0.2, 2]] });
  assert.deepEqual(ticksOf(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(smooth([0, 3, null, 3], 3), [1.5, 1.5, 3, 3]);
  const merged = merge("t", "y", [{ label: "a", color: "", steps: [0, 10], values: [0, 10] }, { label: "b", color: "", steps: [5], values: [7] }]);
  assert.ok(merged.kind === "curve");
  assert.deepEqual(merged.x, [0, 5, 10]);
  assert.deepEqual(merged.curves.map((c) => c.values), [[0, 5, 10], [null, 7, null]]);
});

test("names at the ends of curves are pushed apart within the chart", () => {
  const placed = spread([50, 51, 52, 99], 10, 0, 100);
  const sorted = [...placed].sort((a, b) => a - b);
  for (let k = 1; k < sorted.length; k++) assert.ok(sorted[k]! - sorted[k - 1]! >= 10 - 1e-9);
  assert.ok(Math.max(...placed) <= 100);
});

test("two words are neighbours since the first frame of the last stretch", () => {
  assert.equal(neighborsSince([[1, 1, 1], [0, 50, 2], [0.5, 9, 10], [0.6, 3, 3]]), 2);
  assert.equal(neighborsSince([[1, 1, 1], [0.2, 11, 2]]), null);
  assert.equal(neighborsSince([]), null);
});

test("ten of ten kept is nothing changed, half an overlap a third", () => {
  assert.equal(changedShare(1), 0);
  assert.ok(Math.abs(changedShare(0.5) - 1 / 3) < 1e-12);
});

test("a report's positions and neighbours are unpacked as they were packed", () => {
  const frames = 3, count = 4, all = frames * count * 2;
  const grains = Array.from({ length: all }, (_, i) => Math.round(3000 * Math.sin(i * 1.7)));
  const bytes = new Uint8Array(all * 2);
  grains.forEach((g, i) => {
    const change = g - (i >= count * 2 ? grains[i - count * 2]! : 0), folded = change < 0 ? -2 * change - 1 : 2 * change;
    bytes[i] = folded & 255;
    bytes[all + i] = folded >> 8;
  });
  assert.deepEqual([...unpackPositions(bytes, frames, count)], grains.map((g) => g * 8));

  // Two words, one neighbour each (the other one), told at both frames; then the rarer one left out.
  const none = [255, 255, 255, 255, 255, 255, 255, 255, 255];
  const near = unpackNear(Uint8Array.from([10, ...none, 10, ...none, 0, ...none, 0, ...none]), Uint8Array.from([1, 0, 0, 0]), Uint8Array.from([70, ...new Array<number>(9).fill(0), 70, ...new Array<number>(9).fill(0), 246, ...new Array<number>(9).fill(0), 1, ...new Array<number>(9).fill(0)]), 2, 2);
  assert.equal(near.ids[0], 1);
  assert.equal(near.ids[10], 0);
  assert.equal(near.ids[20], 1);
  assert.equal(near.cosines[20], 60);
  assert.equal(near.cosines[30], 71);
});

test("keys are left to what has the focus", () => {
  assert.ok(isTaken("t", { tagName: "INPUT", type: "search" }));
  assert.ok(!isTaken("t", { tagName: "INPUT", type: "range" }));
  assert.ok(isTaken(" ", { tagName: "BUTTON" }));
  assert.ok(!isTaken("t", { tagName: "BUTTON" }));
});

test("both languages say everything", () => {
  const shape = (value: unknown): unknown => (typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, shape(v)]).sort()) : typeof value);
  assert.deepEqual(shape(vi), shape(en));
  const filled = (value: unknown): void => {
    if (typeof value === "string") assert.notEqual(value.trim(), "");
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(filled);
  };
  filled(vi);
});

test("the map at home fits below what covers it, and shows the words that have to be seen", () => {
  const positions = new Int16Array(2 * 1000);
  for (let w = 0; w < 999; w++) positions.set([(w % 30) * 1000 - 15000, Math.floor(w / 30) * 1000 - 15000], 2 * w);
  positions.set([3000, 30000], 2 * 999);
  assert.ok(boundsOf(positions, 0, 1000).top < 0.7, "one in a thousand is left out");
  const home = boundsOf(positions, 0, 1000, [999, 5000]);
  assert.equal(home.top, 1);
  const projection = new Projection(800, 600, home, 100), { scale, dy } = projection.transform(projection.homeCamera);
  const top = dy - 30000 * home.top * scale, bottom = dy - 30000 * home.bottom * scale;
  assert.ok(top > 100 && Math.abs(top - 100 - (600 - bottom)) < 1e-6, `${top} ${bottom}`);
});

test("a slow machine moves fewer words, a fast one all, and at rest all are there", () => {
  const detail = new Detail(() => undefined);
  for (let k = 0; k < 200; k++) detail.note(16, 100000, 100000);
  assert.equal(detail.most, Infinity);
  for (let k = 0; k < 200; k++) detail.note(100, Math.min(100000, detail.most), 100000);
  assert.equal(detail.most, 4000, "never fewer than can be read");
  assert.equal(detail.wordsOf(100000), 100000, "nothing moves yet");
  detail.moves();
  assert.equal(detail.wordsOf(100000), 4000);
  assert.equal(detail.wordsOf(300), 300);
  for (let k = 0; k < 400; k++) detail.note(10, Math.min(100000, detail.most), 100000);
  assert.equal(detail.most, Infinity);
});
