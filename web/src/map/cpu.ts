// cpu.ts: points without a graphics card: straight into the pixels of a canvas. Every point is a stamp of coverage by
// size, blended in integers; stamps of one pixel, which most rare words get, are written without a loop.

import { growth, sizeOf, type DrawState, type PointData, type PointRenderer } from "./renderer.ts";
import { rgb } from "../theme.ts";

interface Stamp {
  width: number;
  cover: Uint8Array; // width x width, 0 to 255
}

// A disc of this diameter with soft edges.
function makeStamp(diameter: number): Stamp {
  const width = Math.max(1, Math.ceil(diameter)), cover = new Uint8Array(width * width);
  const middle = (width - 1) / 2, radius = diameter / 2;
  for (let y = 0; y < width; y++)
    for (let x = 0; x < width; x++) {
      const inside = radius + 0.5 - Math.hypot(x - middle, y - middle);
      cover[y * width + x] = Math.round(255 * Math.max(0, Math.min(1, inside)));
    }
  return { width, cover };
}

const STEPS = 4; // stamps to a pixel of diameter
const LARGEST = 40;

export class CpuRenderer implements PointRenderer {
  readonly kind = "cpu";
  private context: CanvasRenderingContext2D;
  private image: ImageData;
  private pixels = new Uint32Array(1);
  private data: PointData | null = null;
  private sizes = new Float32Array(0);
  private stamps: Stamp[] = [];
  private packed = new Uint32Array(256);

  constructor(readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true })!;
    this.image = this.context.createImageData(1, 1);
    for (let k = 0; k <= LARGEST * STEPS; k++) this.stamps.push(makeStamp(Math.max(1, k / STEPS)));
  }

  setData(data: PointData): void {
    this.data = data;
    this.sizes = new Float32Array(data.words);
    for (let w = 0; w < data.words; w++) this.sizes[w] = sizeOf(data.counts[w] ?? 0, w, data.words);
  }
  frames(): void {}
  clustersChanged(clusters: Uint8Array | null): void {
    if (this.data) this.data = { ...this.data, clusters };
  }

  resize(width: number, height: number, ratio: number): void {
    const wide = Math.max(1, Math.round(width * ratio)), high = Math.max(1, Math.round(height * ratio));
    if (this.image.width === wide && this.image.height === high) return;
    this.canvas.width = wide;
    this.canvas.height = high;
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  draw(state: DrawState): void {
    const { data, pixels } = this, { colors } = state;
    const pack = ([r, g, b]: [number, number, number]): number => (255 << 24) | (b << 16) | (g << 8) | r;
    pixels.fill(pack(rgb(colors.paper)));
    if (data) {
      for (let k = 0; k < 256; k++)
        this.packed[k] = state.byMovement
          ? pack([colors.scale[3 * k]!, colors.scale[3 * k + 1]!, colors.scale[3 * k + 2]!])
          : pack(rgb(k < colors.hues.length ? colors.hues[k]! : colors.none));
      this.drawPoints(data, state);
    }
    this.context.putImageData(this.image, 0, 0);
  }

  private drawPoints(data: PointData, state: DrawState): void {
    const { words, positions, movement, clusters } = data, { sizes, stamps, packed } = this;
    const from = state.from * words * 2, to = state.to * words * 2, t = state.mix, s = 1 - t;
    const moved = state.from * words, movedTo = state.to * words;
    const { ratio, byMovement } = state;
    const scale = state.transform.scale * ratio, dx = state.transform.dx * ratio, dy = state.transform.dy * ratio;
    const grow = growth(state.zoom) * ratio * STEPS, width = this.canvas.width, height = this.canvas.height;
    const alpha = state.dimmed ? 90 : 217;
    for (let w = Math.min(words, state.most) - 1; w >= 0; w--) {
      const i = 2 * w;
      const px = (positions[from + i]! * s + positions[to + i]! * t) * scale + dx;
      const py = dy - (positions[from + i + 1]! * s + positions[to + i + 1]! * t) * scale;
      if (px < -LARGEST || py < -LARGEST || px >= width + LARGEST || py >= height + LARGEST) continue;
      let strength = alpha, index = 255;
      if (byMovement) {
        index = (movement[moved + w]! * s + movement[movedTo + w]! * t + 0.5) | 0;
        strength = (alpha * (90 + ((165 * index) >> 8))) >> 8;
      } else if (clusters) index = clusters[w]!;
      const stamp = stamps[Math.min(LARGEST * STEPS, (sizes[w]! * grow + 0.5) | 0)]!;
      this.stampAt(stamp, px, py, packed[index]!, strength, width, height);
    }
  }

  // Blends red and blue together in one product, and green in another.
  private stampAt(stamp: Stamp, px: number, py: number, color: number, strength: number, width: number, height: number): void {
    const { pixels } = this, side = stamp.width, { cover } = stamp;
    const left = Math.floor(px - side / 2 + 0.5), top = Math.floor(py - side / 2 + 0.5);
    const rb = color & 0xff00ff, g = color & 0x00ff00;
    const y0 = Math.max(0, -top), y1 = Math.min(side, height - top), x0 = Math.max(0, -left), x1 = Math.min(side, width - left);
    for (let y = y0; y < y1; y++) {
      let at = (top + y) * width + left + x0;
      for (let k = y * side + x0, end = y * side + x1; k < end; k++, at++) {
        const a = (cover[k]! * strength) >> 8;
        if (a === 0) continue;
        const below = pixels[at]!, b = 256 - a;
        pixels[at] =
          0xff000000 | ((((rb * a + (below & 0xff00ff) * b) >>> 8) & 0xff00ff) | (((g * a + (below & 0x00ff00) * b) >>> 8) & 0x00ff00));
      }
    }
  }

  dispose(): void {}
}
