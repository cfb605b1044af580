// renderer.ts: what a renderer of points does. Two do it: WebGL 2 (gl.ts) and a plain canvas (cpu.ts), since a browser
// without a graphics card has no WebGL by default. Everything else (labels, trails, lines) is drawn above them by
// overlay.ts, the same for both.

import type { Colors } from "../theme.ts";
import type { Transform } from "./camera.ts";

export interface PointData {
  words: number;
  frames: number;
  positions: Int16Array; // frames x words x 2
  movement: Uint8Array; // frames x words
  clusters: Uint8Array | null;
  counts: number[];
}

export interface DrawState {
  from: number; // frames
  to: number;
  mix: number; // 0: from, 1: to
  transform: Transform; // in pixels of the screen
  ratio: number; // pixels of the canvas for one of the screen
  zoom: number;
  most: number; // words to draw, the most frequent ones; fewer than all where a slow machine moves them (detail.ts)
  byMovement: boolean;
  dimmed: boolean; // while words are chosen, the others step back
  colors: Colors;
}

export interface PointRenderer {
  readonly kind: "gl" | "cpu";
  readonly canvas: HTMLCanvasElement;
  setData(data: PointData): void; // anew
  frames(have: boolean[], haveMovement: boolean[]): void; // these are there now
  clustersChanged(clusters: Uint8Array | null): void;
  resize(width: number, height: number, ratio: number): void;
  draw(state: DrawState): void;
  dispose(): void;
}

// The diameter of a point in pixels of the screen at zoom 1, by how often its word occurs. Frequencies go over many
// powers of ten, so it goes by the logarithm; rank stands in where counts are not known.
export function sizeOf(count: number, rank: number, words: number): number {
  const crowd = Math.max(0.75, Math.min(1.5, 1.5 - Math.log10(Math.max(10, words)) * 0.14));
  const weight = count > 0 ? Math.log10(count + 1) : Math.max(0, 4 - Math.log10(rank + 1));
  return crowd * (1.7 + Math.max(0, weight - 0.8) * 1.35);
}

export const growth = (zoom: number): number => Math.min(2.6, Math.max(0.85, Math.pow(zoom, 0.33)));
