// camera.ts: from coordinates of the map (int16, 30000 at the edge) to pixels, and back.

import type { Camera } from "../store.ts";

export const EDGE = 30000;
export const ZOOM_LOW = 0.5, ZOOM_HIGH = 150;

export interface Bounds {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

// px = x * scale + dx, py = -y * scale + dy
export interface Transform {
  scale: number;
  dx: number;
  dy: number;
}

export class Projection {
  // inset: pixels above that something else covers; the bounds at home lie below it.
  constructor(public width: number, public height: number, public home: Bounds, public inset = 0) {}

  get homeCamera(): Camera {
    return { x: (this.home.left + this.home.right) / 2, y: (this.home.top + this.home.bottom) / 2 + this.inset / 2 / this.unit, zoom: 1 };
  }

  // Pixels for one unit (the map's edge) at zoom 1: the bounds at home fill what there is, with a rim.
  get unit(): number {
    const wide = Math.max(1e-3, this.home.right - this.home.left), high = Math.max(1e-3, this.home.top - this.home.bottom);
    return 0.9 * Math.min(this.width / wide, Math.max(1, this.height - this.inset) / high);
  }

  transform(camera: Camera): Transform {
    const unit = this.unit * camera.zoom;
    return { scale: unit / EDGE, dx: this.width / 2 - camera.x * unit, dy: this.height / 2 + camera.y * unit };
  }

  toMap(camera: Camera, px: number, py: number): { x: number; y: number } {
    const unit = this.unit * camera.zoom;
    return { x: camera.x + (px - this.width / 2) / unit, y: camera.y - (py - this.height / 2) / unit };
  }

  // Zooms by a factor, with what lies under a pixel staying there.
  zoomAt(camera: Camera, px: number, py: number, factor: number): Camera {
    const zoom = Math.max(ZOOM_LOW, Math.min(ZOOM_HIGH, camera.zoom * factor));
    const fixed = this.toMap(camera, px, py);
    const unit = this.unit * zoom;
    return { x: fixed.x - (px - this.width / 2) / unit, y: fixed.y + (py - this.height / 2) / unit, zoom };
  }
}

// What the words of a frame take up, the outermost of a thousand on each side left out, except those that have to be seen.
export function boundsOf(positions: Int16Array, start: number, words: number, seen: number[] = []): Bounds {
  const step = Math.max(1, Math.floor(words / 20000));
  const xs: number[] = [], ys: number[] = [];
  for (let w = 0; w < words; w += step) {
    xs.push(positions[start + 2 * w]!);
    ys.push(positions[start + 2 * w + 1]!);
  }
  const range = (values: number[]): [number, number] => {
    values.sort((a, b) => a - b);
    const cut = values.length > 400 ? Math.floor(values.length * 0.001) : 0;
    const low = (values[cut] ?? 0) / EDGE, high = (values[values.length - 1 - cut] ?? 0) / EDGE;
    return high - low > 1e-3 ? [low, high] : [low - 0.5, high + 0.5];
  };
  const [left, right] = range(xs), [bottom, top] = range(ys);
  const at = (axis: 0 | 1): number[] => seen.filter((word) => word < words).map((word) => positions[start + 2 * word + axis]! / EDGE);
  return { left: Math.min(left, ...at(0)), right: Math.max(right, ...at(0)), top: Math.max(top, ...at(1)), bottom: Math.min(bottom, ...at(1)) };
}
