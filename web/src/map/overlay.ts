// overlay.ts: what is drawn above the points: trails, lines to neighbours, chosen words, names.

import type { Run } from "../run.ts";
import { hue, type Colors } from "../theme.ts";
import type { Transform } from "./camera.ts";
import { placeLabels, wishesOf, type Placed, type Wish } from "./labels.ts";
import { growth, sizeOf } from "./renderer.ts";

const LABELS_MOST = 150;
const LOOKED_AT = 900;
const TAIL_FRAMES = 5;
export const FONT = 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';

export interface OverlayState {
  from: number;
  to: number;
  mix: number;
  playing: boolean;
  transform: Transform;
  zoom: number;
  width: number;
  height: number;
  ratio: number;
  colors: Colors;
  chosen: number[];
  neighbors: number[][]; // of each chosen word at this frame
  hover: number | null;
  labels: boolean;
  trails: boolean;
  lines: boolean;
  byMovement: boolean;
}

export class Overlay {
  readonly canvas: HTMLCanvasElement;
  private context: CanvasRenderingContext2D;
  private shown = new Set<number>();
  private sprites = new Map<string, HTMLCanvasElement>();
  private widths = new Map<string, number>();
  placed: Placed[] = [];

  constructor(private run: Run, canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d")!;
  }

  private position(word: number, from: number, to: number, mix: number, t: Transform): [number, number] {
    const { positions, mapWords } = this.run;
    const a = (from * mapWords + word) * 2, b = (to * mapWords + word) * 2;
    const x = positions[a]! * (1 - mix) + positions[b]! * mix, y = positions[a + 1]! * (1 - mix) + positions[b + 1]! * mix;
    return [x * t.scale + t.dx, t.dy - y * t.scale];
  }

  draw(s: OverlayState): void {
    const { context: c } = this;
    c.setTransform(s.ratio, 0, 0, s.ratio, 0, 0);
    c.clearRect(0, 0, s.width, s.height);
    if (this.run.frames === 0) return;
    if (this.run.axes) this.drawAxes(s);
    const onMap = s.chosen.filter((word) => word < this.run.mapWords);
    if (s.trails && s.playing && onMap.length === 0) this.drawTails(s);
    if (s.trails) onMap.forEach((word, k) => this.drawTrail(word, k, s));
    if (s.lines) onMap.forEach((word, k) => this.drawLines(word, k, s));
    onMap.forEach((word, k) => this.drawChosen(word, k, s));
    this.placed = s.labels || onMap.length > 0 || s.hover !== null || this.run.axes ? this.place(s, onMap) : [];
    for (const label of this.placed) this.drawLabel(label, s);
  }

  // Where the plane is of two named directions: lines through its middle, with the words at their ends.
  private drawAxes(s: OverlayState): void {
    const { context: c } = this, { dx, dy } = s.transform, rim = 8;
    const x = Math.max(rim, Math.min(s.width - rim, dx)), y = Math.max(rim, Math.min(s.height - rim, dy));
    c.strokeStyle = s.colors.muted;
    c.lineWidth = 1;
    c.globalAlpha = 0.5;
    c.beginPath();
    c.moveTo(0, y);
    c.lineTo(s.width, y);
    c.moveTo(x, 0);
    c.lineTo(x, s.height);
    c.stroke();
    c.globalAlpha = 1;
  }

  private radiusOf(word: number, s: OverlayState): number {
    return (sizeOf(this.run.countOf(word), word, this.run.mapWords) * growth(s.zoom)) / 2;
  }

  // Colours of chosen words: those of the inspector's curves.
  static chosenColor = (k: number): string => hue([1, 0, 2][k] ?? 3);

  // Where the words with names came from, while playing.
  private drawTails(s: OverlayState): void {
    const { context: c } = this;
    c.lineWidth = 1.2;
    c.lineCap = "round";
    for (const { word } of this.placed) {
      if (word >= this.run.mapWords) continue;
      let [x, y] = this.position(word, s.from, s.to, s.mix, s.transform);
      for (let k = 0; k < TAIL_FRAMES && s.from - k >= 0 && this.run.have[s.from - k]; k++) {
        const [px, py] = this.position(word, s.from - k, s.from - k, 0, s.transform);
        c.globalAlpha = 0.32 * (1 - k / TAIL_FRAMES);
        c.strokeStyle = this.colorOf(word, s);
        c.beginPath();
        c.moveTo(x, y);
        c.lineTo(px, py);
        c.stroke();
        [x, y] = [px, py];
      }
    }
    c.globalAlpha = 1;
  }

  // The whole way of a chosen word so far, with a mark at each snapshot; fainter what is long ago.
  private drawTrail(word: number, k: number, s: OverlayState): void {
    const { context: c } = this;
    c.strokeStyle = c.fillStyle = Overlay.chosenColor(k);
    c.lineWidth = 1.6;
    c.lineJoin = c.lineCap = "round";
    let before: [number, number] | null = null;
    const until = s.mix > 0 ? s.to : s.from;
    for (let f = 0; f <= until; f++) {
      if (!this.run.have[f]) {
        before = null;
        continue;
      }
      const at = f === s.to && s.mix > 0 ? this.position(word, s.from, s.to, s.mix, s.transform) : this.position(word, f, f, 0, s.transform);
      c.globalAlpha = 0.25 + 0.6 * (f / Math.max(1, until));
      if (before) {
        c.beginPath();
        c.moveTo(...before);
        c.lineTo(...at);
        c.stroke();
      }
      c.beginPath();
      c.arc(at[0], at[1], 1.8, 0, 7);
      c.fill();
      before = at;
    }
    c.globalAlpha = 1;
  }

  private drawLines(word: number, k: number, s: OverlayState): void {
    const { context: c } = this, [x, y] = this.position(word, s.from, s.to, s.mix, s.transform);
    c.strokeStyle = Overlay.chosenColor(k);
    c.globalAlpha = 0.45;
    c.lineWidth = 1;
    c.beginPath();
    for (const other of s.neighbors[k] ?? []) {
      if (other >= this.run.mapWords) continue;
      c.moveTo(x, y);
      c.lineTo(...this.position(other, s.from, s.to, s.mix, s.transform));
    }
    c.stroke();
    c.globalAlpha = 1;
    for (const other of s.neighbors[k] ?? []) {
      if (other >= this.run.mapWords) continue;
      const [px, py] = this.position(other, s.from, s.to, s.mix, s.transform);
      c.fillStyle = this.colorOf(other, s);
      c.beginPath();
      c.arc(px, py, Math.max(2.5, this.radiusOf(other, s)), 0, 7);
      c.fill();
    }
  }

  private drawChosen(word: number, k: number, s: OverlayState): void {
    const { context: c } = this, [x, y] = this.position(word, s.from, s.to, s.mix, s.transform);
    c.fillStyle = Overlay.chosenColor(k);
    c.strokeStyle = s.colors.paper;
    c.lineWidth = 2;
    c.beginPath();
    c.arc(x, y, Math.max(6, this.radiusOf(word, s) + 2), 0, 7);
    c.fill();
    c.stroke();
  }

  private colorOf(word: number, s: OverlayState): string {
    const cluster = this.run.clusters?.[word] ?? 255;
    return s.byMovement || cluster >= s.colors.hues.length ? s.colors.muted : hue(cluster);
  }

  private place(s: OverlayState, chosen: number[]): Placed[] {
    const { run } = this, near = new Set(s.neighbors.flat().filter((word) => word < run.mapWords));
    const ends = (run.axes ?? []).filter((word) => word < run.mapWords);
    const strong = [...chosen, ...ends, ...near, ...(s.hover !== null ? [s.hover] : [])];
    const strongSet = new Set(strong);
    const wishes: Wish[] = [...strongSet].map((word) => {
      const [x, y] = this.position(word, s.from, s.to, s.mix, s.transform);
      return { word, x, y, radius: Math.max(this.radiusOf(word, s), chosen.includes(word) ? 7 : 2), strong: true };
    });
    if (s.labels) {
      const each = run.mapWords * 2;
      const among = Math.min(run.mapWords, Math.max(4000, Math.round(4000 * s.zoom * s.zoom)));
      const most = chosen.length > 0 ? LOOKED_AT / 3 : LOOKED_AT;
      wishes.push(...wishesOf(run.positions, s.from * each, s.to * each, s.mix, among, s.transform, s.width, s.height, most,
        (word) => this.radiusOf(word, s), (word) => strongSet.has(word)));
    }
    const most = Math.round(Math.min(LABELS_MOST, (s.width * s.height) / 5200) * (chosen.length > 0 ? 0.5 : 1)) + strongSet.size;
    const placed = placeLabels(wishes, this.shown, most, s.width, s.height, (word, bold) => this.measure(word, bold));
    this.shown = new Set(placed.map((label) => label.word));
    return placed;
  }

  private fontOf(word: number, strong: boolean): { font: string; px: number } {
    const px = strong ? 13 : word < 60 ? 13 : word < 400 ? 12 : 11;
    return { font: `${strong ? 650 : 450} ${px}px ${FONT}`, px };
  }

  private measure(word: number, strong: boolean): { width: number; height: number } {
    const { font, px } = this.fontOf(word, strong), key = font + "|" + word;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.context.font = font;
      width = Math.ceil(this.context.measureText(this.run.textOf(word)).width);
      this.widths.set(key, width);
    }
    return { width: width + 2, height: px + 3 };
  }

  // Names are painted once, with a rim in the colour of the paper, and copied from then on.
  private drawLabel(label: Placed, s: OverlayState): void {
    const color = this.labelColor(label, s), key = `${label.word}|${label.strong}|${color}|${s.colors.paper}|${s.ratio}`;
    let sprite = this.sprites.get(key);
    if (!sprite) {
      if (this.sprites.size > 3000) this.sprites.clear();
      sprite = document.createElement("canvas");
      sprite.width = Math.ceil((label.width + 6) * s.ratio);
      sprite.height = Math.ceil((label.height + 6) * s.ratio);
      const c = sprite.getContext("2d")!;
      c.scale(s.ratio, s.ratio);
      c.font = this.fontOf(label.word, label.strong).font;
      c.textBaseline = "middle";
      c.lineJoin = "round";
      c.lineWidth = 3.2;
      c.strokeStyle = s.colors.paper;
      c.globalAlpha = 0.85;
      c.strokeText(this.run.textOf(label.word), 3, label.height / 2 + 3);
      c.globalAlpha = 1;
      c.fillStyle = color;
      c.fillText(this.run.textOf(label.word), 3, label.height / 2 + 3);
      this.sprites.set(key, sprite);
    }
    this.context.drawImage(sprite, Math.round((label.x - 2) * s.ratio) / s.ratio, Math.round((label.y - 3) * s.ratio) / s.ratio, label.width + 6, label.height + 6);
  }

  private labelColor(label: Placed, s: OverlayState): string {
    if (label.strong || s.byMovement) return s.colors.ink;
    return s.chosen.length > 0 ? s.colors.muted : s.colors.ink;
  }

  // The nearest word within some pixels, a frequent one before a rare one at nearly the same place.
  pick(px: number, py: number, s: OverlayState, within: number): number | null {
    for (const label of this.placed)
      if (px >= label.x && px <= label.x + label.width && py >= label.y && py <= label.y + label.height) return label.word;
    let best: number | null = null, bestCost = within * within;
    const { positions, mapWords } = this.run, { scale, dx, dy } = s.transform;
    const from = s.from * mapWords * 2, to = s.to * mapWords * 2;
    for (let w = 0; w < mapWords; w++) {
      const x = (positions[from + 2 * w]! * (1 - s.mix) + positions[to + 2 * w]! * s.mix) * scale + dx - px;
      const y = dy - (positions[from + 2 * w + 1]! * (1 - s.mix) + positions[to + 2 * w + 1]! * s.mix) * scale - py;
      const cost = x * x + y * y + Math.log2(w + 1) * 0.5;
      if (cost < bestCost) [best, bestCost] = [w, cost];
    }
    return best;
  }
}
