// labels.ts: which words get their names written, so that none covers another. The ones that were there stay where they
// can: names that jump about cannot be read.

import type { Transform } from "./camera.ts";

export interface Placed {
  word: number;
  x: number; // left and top of the text's box, in pixels of the screen
  y: number;
  width: number;
  height: number;
  strong: boolean;
}

export interface Wish {
  word: number;
  x: number; // of the point
  y: number;
  radius: number;
  strong: boolean; // chosen, or a neighbour of a chosen one: bold, and first
}

const CELL = 48;

// Boxes that are taken, in a grid of cells for quick looking up.
export class Taken {
  private cells = new Map<number, Placed[]>();

  private each(box: Placed, look: (list: Placed[]) => boolean): boolean {
    for (let cy = Math.floor(box.y / CELL); cy <= Math.floor((box.y + box.height) / CELL); cy++)
      for (let cx = Math.floor(box.x / CELL); cx <= Math.floor((box.x + box.width) / CELL); cx++) {
        const key = cy * 4096 + cx;
        let list = this.cells.get(key);
        if (!list) this.cells.set(key, (list = []));
        if (!look(list)) return false;
      }
    return true;
  }

  // Takes the place if it is free.
  take(box: Placed): boolean {
    const free = this.each(box, (list) =>
      list.every((other) => box.x >= other.x + other.width || other.x >= box.x + box.width || box.y >= other.y + other.height || other.y >= box.y + box.height));
    if (free) this.each(box, (list) => list.push(box) > 0);
    return free;
  }
}

export interface LabelSize {
  (word: number, strong: boolean): { width: number; height: number };
}

// Wishes in order of importance; the ones in `before` go first among equals. At most `most` are placed, each to the right
// of its point, or to the left, or above it.
export function placeLabels(wishes: Wish[], before: Set<number>, most: number, width: number, height: number, sizeOf: LabelSize): Placed[] {
  const taken = new Taken(), placed: Placed[] = [];
  const attempt = (wish: Wish): void => {
    const size = sizeOf(wish.word, wish.strong), gap = wish.radius + 2;
    const spots: [number, number][] = [
      [wish.x + gap, wish.y - size.height / 2],
      [wish.x - gap - size.width, wish.y - size.height / 2],
      [wish.x - size.width / 2, wish.y - gap - size.height],
    ];
    for (const [x, y] of wish.strong ? spots : spots.slice(0, 2)) {
      if (x < 0 || y < 0 || x + size.width > width || y + size.height > height) continue;
      const box: Placed = { word: wish.word, x, y, ...size, strong: wish.strong };
      if (taken.take(box)) {
        placed.push(box);
        return;
      }
    }
  };
  const order = [
    ...wishes.filter((wish) => wish.strong),
    ...wishes.filter((wish) => !wish.strong && before.has(wish.word)),
    ...wishes.filter((wish) => !wish.strong && !before.has(wish.word)),
  ];
  for (const wish of order) {
    if (placed.length >= most) break;
    attempt(wish);
  }
  return placed;
}

// Words on the screen in order of frequency, at most `most` of them looked at among the first `among`.
export function wishesOf(
  positions: Int16Array, from: number, to: number, mix: number, among: number, transform: Transform, width: number, height: number, most: number,
  radiusOf: (word: number) => number, skip: (word: number) => boolean,
): Wish[] {
  const wishes: Wish[] = [], { scale, dx, dy } = transform;
  for (let w = 0; w < among && wishes.length < most; w++) {
    const x = (positions[from + 2 * w]! * (1 - mix) + positions[to + 2 * w]! * mix) * scale + dx;
    const y = dy - (positions[from + 2 * w + 1]! * (1 - mix) + positions[to + 2 * w + 1]! * mix) * scale;
    if (x < 0 || y < 0 || x > width || y > height || skip(w)) continue;
    wishes.push({ word: w, x, y, radius: radiusOf(w), strong: false });
  }
  return wishes;
}
