// report.ts: a report's own answers. Its data stand in the page as blocks (docs/http-api.md, "The report"); a question that
// a server would answer word by word is answered here from the neighbours of all words and the vectors of the most frequent.

import { Refused, type Params, type Source } from "./source.ts";
import { t } from "./i18n.ts";
import type { Comparison, Coordinates, Neighbors, Pair, Story, Summary } from "./types.ts";

const NEAR = 10, ARRIVED = 10, NOBODY = 255, EVERY = 4, GRAIN = 8;

export function unpackPositions(bytes: Uint8Array, frames: number, words: number): Int16Array {
  const each = words * 2, all = each * frames, out = new Int16Array(all);
  for (let i = 0; i < all; i++) {
    const folded = bytes[i]! | (bytes[all + i]! << 8), change = folded & 1 ? -((folded + 1) >> 1) : folded >> 1;
    out[i] = Math.max(-32767, Math.min(32767, (i >= each ? Math.round(out[i - each]! / GRAIN) : 0) * GRAIN + change * GRAIN));
  }
  return out;
}

export interface Near {
  ids: Int32Array; // frames x words x NEAR; -1: none, or not told at this frame
  cosines: Uint8Array; // in hundredths
}

export function unpackNear(places: Uint8Array, arrivals: Uint8Array, changes: Uint8Array, frames: number, words: number): Near {
  const each = words * NEAR, ids = new Int32Array(frames * each).fill(-1), cosines = new Uint8Array(frames * each);
  const half = Math.ceil(words / 2), high = arrivals.length / 2;
  const before = new Int32Array(each).fill(-1), cosineBefore = new Uint8Array(each);
  let at = 0, fresh = 0;
  for (let f = 0; f < frames; f++) {
    const told = (f % EVERY === 0 || f === frames - 1 ? words : half) * NEAR, start = f * each;
    for (let i = 0; i < told; i++, at++) {
      const place = places[at]!, list = i - (i % NEAR);
      if (place === ARRIVED) {
        ids[start + i] = arrivals[fresh]! | (arrivals[high + fresh]! << 8);
        fresh++;
      } else ids[start + i] = place === NOBODY ? -1 : before[list + place]!;
      cosines[start + i] = cosineBefore[i]! + changes[at]!;
    }
    before.set(ids.subarray(start, start + told));
    cosineBefore.set(cosines.subarray(start, start + told));
  }
  return { ids, cosines };
}

export class ReportSource implements Source {
  readonly offline = true;
  private opened = new Map<string, Promise<ArrayBuffer>>();
  private placed: Promise<ArrayBuffer> | null = null;
  private near: Promise<Near> | null = null;
  private curves: Promise<{ rows: Int8Array; norms: Float32Array; lengths: Float64Array; count: number }> | null = null;

  constructor(private blocks: Map<string, HTMLElement>) {}

  private open(path: string): Promise<ArrayBuffer> {
    const element = this.blocks.get(path);
    if (!element) return Promise.reject(new Refused(404, t.notOffline));
    let answer = this.opened.get(path);
    if (!answer) this.opened.set(path, (answer = inflate(element)));
    return answer;
  }

  private async read<T>(path: string): Promise<T> {
    return JSON.parse(new TextDecoder().decode(await this.open(path))) as T;
  }

  private summary = (): Promise<Summary> => this.read<Summary>("/api/runs/0");

  private loadNear(): Promise<Near> {
    return (this.near ??= (async () => {
      const { map } = await this.summary();
      const [places, arrivals, changes] = (await Promise.all(["near", "near-new", "near-cosines"].map((name) => this.open(name)))).map((b) => new Uint8Array(b));
      return unpackNear(places!, arrivals!, changes!, map!.steps.length, map!.words);
    })());
  }

  private loadCurves(): NonNullable<typeof this.curves> {
    return (this.curves ??= (async () => {
      const { map } = await this.summary(), frames = map!.steps.length, { dim } = map!;
      const rows = new Int8Array(await this.open("curves")), norms = new Float32Array(await this.open("norms"));
      const count = rows.length / (frames * dim), lengths = new Float64Array(frames * count);
      for (let k = 0; k < lengths.length; k++) {
        let squared = 0;
        for (let c = 0; c < dim; c++) squared += rows[k * dim + c]! ** 2;
        lengths[k] = Math.sqrt(squared) || 1;
      }
      return { rows, norms, lengths, count };
    })());
  }

  private async positions(): Promise<ArrayBuffer> {
    const { map } = await this.summary();
    return unpackPositions(new Uint8Array(await this.open("positions")), map!.steps.length, map!.words).buffer as ArrayBuffer;
  }

  async bytes(path: string, params: Params = {}): Promise<ArrayBuffer> {
    if (path.endsWith("/clusters")) return this.open(path);
    const { map } = await this.summary(), isFrames = path.endsWith("/frames");
    const all = isFrames ? await (this.placed ??= this.positions()) : await this.open(path), each = map!.words * (isFrames ? 4 : 1);
    const first = Number(params.first ?? 0), count = Number(params.count ?? map!.steps.length);
    return all.slice(first * each, (first + count) * each);
  }

  async json<T>(path: string, params: Params = {}): Promise<T> {
    const { view: _, ...asked } = params;
    if (params.by !== undefined && params.by !== "word") throw new Refused(404, t.notOffline);
    const query = Object.entries(asked).filter(([key]) => ["word", "toward", "frame"].includes(key)).map(([k, v]) => `${k}=${v}`).join("&");
    for (const exact of query ? [`${path}?${query}`] : [path]) if (this.blocks.has(exact)) return this.read<T>(exact);
    const name = path.slice(path.lastIndexOf("/") + 1), number = (key: string): number => Number(params[key] ?? 0);
    switch (name) {
      case "neighbors": return (await this.neighbors(number("word"), number("first"), params.count === undefined ? Infinity : number("count"))) as T;
      case "pair": return (await this.pair(number("a"), number("b"))) as T;
      case "coordinates": return (await this.coordinates(number("a"), number("b"), number("frame"))) as T;
      case "word": return (await this.story(number("word"))) as T;
      case "find": return { word: null, near: [] } as T;
      case "compare": return (await this.compare(number("frame_a"), number("frame_b"), number("k") || 20)) as T;
      case "movers": return (await this.movers(number("frame"), number("k") || 50)) as T;
      default: throw new Refused(404, t.notOffline);
    }
  }

  watch(): void {}

  private async neighbors(word: number, first: number, count: number): Promise<{ first: number; frames: Neighbors[] }> {
    const { map } = await this.summary(), near = await this.loadNear(), frames: Neighbors[] = [];
    if (word >= map!.words) throw new Refused(404, t.notOffline);
    for (let f = first; f < Math.min(map!.steps.length, first + count); f++) {
      const list: Neighbors = [];
      for (let k = 0; k < NEAR; k++) {
        const i = (f * map!.words + word) * NEAR + k;
        if (near.ids[i]! >= 0) list.push([near.ids[i]!, near.cosines[i]! / 100]);
      }
      frames.push(list);
    }
    return { first, frames };
  }

  private async pair(a: number, b: number): Promise<{ first: number; frames: Pair[] }> {
    const { map } = await this.summary(), { rows, lengths, count } = await this.loadCurves(), near = await this.loadNear(), { dim } = map!;
    const place = (f: number, of: number, among: number): number => {
      const at = (f * map!.words + among) * NEAR;
      for (let k = 0; k < NEAR; k++) if (near.ids[at + k] === of) return k + 1;
      return 0;
    };
    const known = a < count && b < count;
    const frames = map!.steps.map((_, f): Pair => {
      const [x, y] = [f * count + a, f * count + b], ab = a < map!.words && b < map!.words ? place(f, b, a) : 0, ba = ab ? place(f, a, b) : 0;
      if (!known) {
        const at = (f * map!.words + a) * NEAR + ab - 1;
        return [ab ? near.cosines[at]! / 100 : NaN, ab, ba];
      }
      let product = 0;
      for (let c = 0; c < dim; c++) product += rows[x * dim + c]! * rows[y * dim + c]!;
      return [product / (lengths[x]! * lengths[y]!), ab, ba];
    });
    if (!known && frames.every(([cosine]) => Number.isNaN(cosine))) throw new Refused(404, t.notOffline);
    return { first: 0, frames };
  }

  // Bytes of a vector of length 1, and its length: numbers to within 1/250 of the largest of them.
  private async coordinates(a: number, b: number, frame: number): Promise<Coordinates> {
    const { rows, norms, lengths, count } = await this.loadCurves(), { dim } = (await this.summary()).map!;
    if (a >= count || b >= count) throw new Refused(404, t.notOffline);
    const vector = (word: number): number[] => {
      const at = frame * count + word, scale = norms[at]! / lengths[at]!;
      return Array.from(rows.subarray(at * dim, (at + 1) * dim), (v) => v * scale);
    };
    return { cosine: (await this.pair(a, b)).frames[frame]![0], a: vector(a), b: vector(b) };
  }

  private async story(word: number): Promise<{ first: number; frames: Story[] }> {
    const { map } = await this.summary(), { rows, norms, lengths, count } = await this.loadCurves(), { dim, steps } = map!;
    if (word >= count) throw new Refused(404, t.notOffline);
    const distance = (f: number, g: number): number => {
      const [x, y] = [f * count + word, g * count + word], sx = norms[x]! / lengths[x]!, sy = norms[y]! / lengths[y]!;
      let squared = 0;
      for (let c = 0; c < dim; c++) squared += (rows[x * dim + c]! * sx - rows[y * dim + c]! * sy) ** 2;
      return Math.sqrt(squared);
    };
    return { first: 0, frames: steps.map((step, f): Story => [norms[f * count + word]!, distance(f, 0), f > 0 ? distance(f, f - 1) / (step - steps[f - 1]!) : null]) };
  }

  // Two moments, from the neighbours that are told at both, and for the most frequent words the cosine with themselves.
  private async compare(a: number, b: number, most: number): Promise<Comparison> {
    const { map } = await this.summary(), near = await this.loadNear(), { rows, lengths, count } = await this.loadCurves(), { dim, words } = map!;
    const list = (f: number, w: number): Neighbors => {
      const found: Neighbors = [], at = (f * words + w) * NEAR;
      for (let k = 0; k < NEAR; k++) if (near.ids[at + k]! >= 0) found.push([near.ids[at + k]!, near.cosines[at + k]! / 100]);
      return found;
    };
    const itself = (w: number): number => {
      let product = 0;
      for (let c = 0; c < dim; c++) product += rows[(a * count + w) * dim + c]! * rows[(b * count + w) * dim + c]!;
      return product / (lengths[a * count + w]! * lengths[b * count + w]!);
    };
    const among = Math.ceil(words / 2), sample = Math.min(1000, among), overlap = new Array<number>(NEAR + 1).fill(0), cosine = new Array<number>(40).fill(0);
    const told = Array.from({ length: sample }, (_, k) => {
      const w = Math.floor((k * among) / sample), near_a = list(a, w), near_b = list(b, w), ids = new Set(near_a.map(([id]) => id));
      const shared = near_b.filter(([id]) => ids.has(id)).length;
      overlap[shared]!++;
      return { a: w, b: w, overlap: shared / NEAR, cosine: w < count ? itself(w) : NaN, near_a, near_b };
    });
    const cosines = Array.from({ length: count }, (_, w) => itself(w)).sort((x, y) => x - y);
    for (const value of cosines) cosine[Math.max(0, Math.min(39, Math.floor(((value + 1) / 2) * 40)))]!++;
    const mean = cosines.reduce((sum, x) => sum + x, 0) / Math.max(1, count);
    return { common: count, aligned: false, sample, among, overlap: { mean: told.reduce((sum, x) => sum + x.overlap, 0) / sample, histogram: overlap }, cosine: { mean, median: cosines[count >> 1] ?? NaN, histogram: cosine },
      least: told.sort((x, y) => x.overlap - y.overlap || x.a - y.a).slice(0, most), settings: [] };
  }

  private async movers(frame: number, k: number): Promise<unknown> {
    const { map } = await this.summary(), moved = new Uint8Array(await this.open("/api/runs/0/movement")), start = frame * map!.words;
    const ids = Array.from({ length: map!.words }, (_, w) => w).sort((a, b) => moved[start + b]! - moved[start + a]! || a - b).slice(0, k);
    const { count } = await this.loadCurves();
    const rows = await Promise.all(ids.map(async (w) => [w, (moved[start + w]! / 255) ** 2, ...(w < count ? (await this.story(w)).frames[frame]! : [null, null, null])]));
    return { frame, words: rows };
  }
}

async function inflate(element: HTMLElement): Promise<ArrayBuffer> {
  const text = atob((element.textContent ?? "").trim()), packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  element.textContent = ""; // its text is as long again
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

// The report this page is, or null where a server stands behind it.
export function openReport(): ReportSource | null {
  const blocks = new Map<string, HTMLElement>();
  for (const element of document.querySelectorAll<HTMLElement>('script[type="application/deflate"]')) blocks.set(element.dataset.path!, element);
  return blocks.size > 0 ? new ReportSource(blocks) : null;
}
