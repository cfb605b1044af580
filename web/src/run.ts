// run.ts: a run as the page holds it: its summary, words, and the positions of all words at all frames in one array. The
// frame that is looked at is fetched first, so that there is a picture at once; the others follow while the user looks.
// Beside its own map a run may have another plane, of two directions that the user named; one of them is shown.

import { Gone, Refused, pause, runPath, type Params, type Source } from "./source.ts";
import type { MapFacts, Summary, Words } from "./types.ts";

const CHUNK_BYTES = 4 << 20;

// Where words stand, and how to ask for it.
interface Places {
  positions: Int16Array; // frames x words x 2
  have: boolean[]; // frames whose positions are there
  name: "frames" | "plane";
  params: Params;
}

export class Run {
  summary: Summary;
  words: Words = { texts: [], counts: [] };
  movement = new Uint8Array(0); // frames x words
  clusters: Uint8Array | null = null;
  axes: number[] | null = null; // of the plane that is shown; null: the map
  share: [number, number] | null = null; // of the variance, that this plane holds
  haveMovement: boolean[] = [];
  private ids = new Map<string, number>();
  private lower: string[] = [];
  private stop = new AbortController();
  private own: Places = { positions: new Int16Array(0), have: [], name: "frames", params: {} };
  private shown = this.own;
  private planeStop = new AbortController();

  constructor(readonly id: number, readonly source: Source, summary: Summary, private changed: (what: "frames" | "plane" | "clusters" | "movement" | "view") => void) {
    this.summary = summary;
    this.readProgress();
  }

  get map(): MapFacts | undefined {
    return this.summary.map;
  }
  get frames(): number {
    return this.map?.steps.length ?? 0;
  }
  get positions(): Int16Array {
    return this.shown.positions;
  }
  get have(): boolean[] {
    return this.shown.have;
  }
  get mapWords(): number {
    return this.map?.words ?? 0;
  }
  stepOf = (frame: number): number => this.map?.steps[frame] ?? 0;
  textOf = (word: number): string => this.words.texts[word] ?? "";
  countOf = (word: number): number => this.words.counts[word] ?? 0;
  find = (text: string): number | undefined => this.ids.get(text);

  // The last frame at this step or before it.
  frameAt(step: number): number {
    const steps = this.map?.steps ?? [];
    let frame = 0;
    while (frame + 1 < steps.length && steps[frame + 1]! <= step) frame++;
    return frame;
  }

  // All steps an epoch ends at; empty where the run does not tell.
  epochEnds(): number[] {
    const epochs = Number(this.summary.settings.epochs), steps = Number(this.summary.settings.steps);
    if (!(epochs >= 1) || !(steps >= 1)) return [];
    return Array.from({ length: epochs }, (_, e) => Math.round((steps * (e + 1)) / epochs));
  }

  async loadWords(): Promise<void> {
    this.words = await this.source.json<Words>(runPath(this.id, "words"), {}, this.stop.signal);
    this.ids = new Map(this.words.texts.map((text, id) => [text, id]));
    this.lower = [];
  }

  // Words that begin with the text, then words that hold it, the frequent ones first. Looks through the whole vocabulary.
  search(text: string, most: number): number[] {
    const wanted = text.trim().toLocaleLowerCase();
    if (wanted === "") return [];
    if (this.lower.length === 0) this.lower = this.words.texts.map((word) => word.toLocaleLowerCase());
    const begins: number[] = [], holds: number[] = [];
    const exact = this.find(text.trim());
    for (let w = 0; w < this.lower.length && begins.length < most; w++) {
      if (w === exact) continue;
      const at = this.lower[w]!.indexOf(wanted);
      if (at === 0) begins.push(w);
      else if (at > 0 && holds.length < most) holds.push(w);
    }
    return [...(exact === undefined ? [] : [exact]), ...begins, ...holds].slice(0, most);
  }

  close(): void {
    this.planeStop.abort(new DOMException("closed", "AbortError"));
    this.stop.abort(new DOMException("closed", "AbortError"));
  }

  private get view(): { view: number } {
    return { view: this.map?.view ?? 0 };
  }

  // Room for all frames; before anybody is told of them.
  makeRoom(): void {
    const cells = this.frames * this.mapWords;
    this.planeStop.abort(new DOMException("closed", "AbortError"));
    this.shown = this.own = this.roomFor("frames", {});
    this.axes = this.share = null;
    this.movement = new Uint8Array(cells);
    this.haveMovement = new Array<boolean>(this.frames).fill(false);
    this.clusters = null;
  }

  private roomFor(name: Places["name"], params: Params): Places {
    return { positions: new Int16Array(this.frames * this.mapWords * 2), have: new Array<boolean>(this.frames).fill(false), name, params };
  }

  // One frame whose positions are known already, instead of a map that is fetched.
  setPositions(positions: Int16Array): void {
    this.shown = this.own = { ...this.own, positions, have: [true] };
  }

  // Shows the plane of two directions, or (null) the map again. The picture stays what it was until the first frame of the
  // new one has come; the others follow. Throws what the server said against it.
  async showPlane(axes: number[] | null, first: number): Promise<void> {
    this.planeStop.abort(new DOMException("closed", "AbortError"));
    this.planeStop = new AbortController();
    const { signal } = this.planeStop;
    if (axes) {
      const params = { axes: axes.join() }, plane = this.roomFor("plane", params);
      const told = await this.source.json<{ share: [number, number] }>(runPath(this.id, "plane/share"), { ...params, ...this.view }, signal);
      await this.fetchFrames(plane, first, 1, signal);
      this.shown = plane;
      this.share = told.share;
    } else {
      this.shown = this.own;
      this.share = null;
    }
    this.axes = axes;
    this.changed("plane");
    for (let f; axes && (f = this.shown.have.indexOf(false)) >= 0; ) await this.fetchFrames(this.shown, f, this.frames, signal);
  }

  // Fetches what of the map is not there yet; `first` is the frame to begin with. Where the run has got new snapshots
  // meanwhile, gives up: renew() is called then. Where the server is gone, keeps what it has and is called anew.
  private loading: number | null = null; // the view that is being fetched
  async loadMap(first = this.frames - 1): Promise<void> {
    if (!this.map || this.loading === this.map.view) return;
    const { view } = this.map;
    this.loading = view;
    try {
      const { own } = this;
      if (!own.have[first]) await this.fetchFrames(own, first, 1);
      if (!own.have[this.frames - 1]) await this.fetchFrames(own, this.frames - 1, 1);
      if (!this.clusters) await this.fetchClusters();
      const atOnce = (bytes: number): number => Math.max(1, Math.floor(CHUNK_BYTES / (bytes * this.mapWords)));
      for (let f; (f = own.have.indexOf(false)) >= 0; ) await this.fetchFrames(own, f, atOnce(4));
      for (let f; (f = this.haveMovement.indexOf(false)) >= 0; ) await this.fetchMovement(f, atOnce(1));
    } catch (cause) {
      if (this.map.view !== view) return; // another call fetches the newer map
      if (cause instanceof Refused && cause.status === 409) this.changed("view");
      else if (!this.stop.signal.aborted && !(cause instanceof Gone && this.own.have.includes(true))) throw cause;
    } finally {
      if (this.loading === view) this.loading = null;
    }
  }
  get complete(): boolean {
    return this.clusters !== null && this.own.have.every(Boolean) && this.haveMovement.every(Boolean);
  }

  // Reads the summary anew. New snapshots mean a new map, on which every point is elsewhere: the map that is there stays
  // until the last frame of the new one has come, so that nothing that happens on the way empties the picture. True where
  // the map is another one.
  async renew(): Promise<boolean> {
    const before = this.map;
    for (;;) {
      const summary = await this.source.json<Summary>(runPath(this.id), {}, this.stop.signal), { map } = summary;
      if (!map || map.view === before?.view) {
        this.summary = summary;
        this.readProgress();
        return false;
      }
      try {
        const last = map.steps.length - 1;
        const bytes = await this.source.bytes(runPath(this.id, "frames"), { first: last, count: 1, view: map.view }, this.stop.signal);
        if (!before) await this.loadWords();
        this.summary = summary;
        this.progress = { positions: 0, clusters: false, movement: 0 };
        this.readProgress();
        this.makeRoom();
        this.keepFrames(this.own, last, bytes);
        return true;
      } catch (cause) {
        if (!(cause instanceof Refused && cause.status === 409)) throw cause; // newer still: once more
      }
    }
  }

  // What the server says it has computed; asking before would be in vain.
  progress: { positions: number; clusters: boolean; movement: number } = { positions: 0, clusters: false, movement: 0 };
  private waiting: (() => void)[] = [];

  setProgress(progress: { positions?: number; clusters?: boolean; movement?: number }): void {
    this.progress = { ...this.progress, ...progress };
    for (const wake of this.waiting.splice(0)) wake();
  }

  private async until(there: () => boolean): Promise<void> {
    while (!there() && !this.source.offline) {
      this.stop.signal.throwIfAborted();
      await Promise.race([new Promise<void>((wake) => this.waiting.push(wake)), pause(1500, this.stop.signal)]);
      if (!there() && this.waiting.length === 0) return; // told nothing for long: the answer itself will say
    }
  }

  // An answer that came after the map had become another one is of no use.
  private async sameView(answer: Promise<ArrayBuffer>): Promise<ArrayBuffer> {
    const { view } = this.view, bytes = await answer;
    if (this.view.view !== view) throw new Refused(409, "a newer map");
    return bytes;
  }

  private async fetchFrames(places: Places, first: number, count: number, signal = this.stop.signal): Promise<void> {
    const from = Math.min(first, this.frames - 1);
    if (places.name === "frames") await this.until(() => this.progress.positions >= this.frames - from);
    const ask = { ...places.params, first, count: Math.min(count, this.frames - first), ...this.view };
    const bytes = await this.sameView(this.source.bytes(runPath(this.id, places.name), ask, signal));
    signal.throwIfAborted();
    this.keepFrames(places, first, bytes);
    if (places === this.shown) this.changed("frames");
  }

  private keepFrames(places: Places, first: number, bytes: ArrayBuffer): void {
    const got = Math.floor(bytes.byteLength / (4 * this.mapWords));
    if (got === 0) throw new Error("an answer without a frame");
    places.positions.set(new Int16Array(bytes, 0, got * 2 * this.mapWords), first * 2 * this.mapWords);
    places.have.fill(true, first, first + got);
  }

  private async fetchMovement(first: number, count: number): Promise<void> {
    await this.until(() => this.progress.movement >= this.frames);
    const ask = { first, count: Math.min(count, this.frames - first), ...this.view };
    const bytes = await this.sameView(this.source.bytes(runPath(this.id, "movement"), ask, this.stop.signal));
    const got = Math.floor(bytes.byteLength / this.mapWords);
    this.movement.set(new Uint8Array(bytes, 0, got * this.mapWords), first * this.mapWords);
    if (got === 0) throw new Error("an answer without a frame");
    this.haveMovement.fill(true, first, first + got);
    this.changed("movement");
  }

  private async fetchClusters(): Promise<void> {
    await this.until(() => this.progress.clusters);
    const bytes = await this.sameView(this.source.bytes(runPath(this.id, "clusters"), this.view, this.stop.signal));
    this.clusters = new Uint8Array(bytes);
    if (this.map!.clusters.length === 0) await this.readClusterFacts();
    this.changed("clusters");
  }

  // The clusters' names came with the answer after theirs; of a newer map they are not wanted here.
  private async readClusterFacts(): Promise<void> {
    const summary = await this.source.json<Summary>(runPath(this.id), {}, this.stop.signal);
    if (summary.map?.view !== this.map?.view) throw new Refused(409, "a newer map");
    this.summary = summary;
    this.readProgress();
  }

  private readProgress(): void {
    const { map } = this;
    if (map) this.setProgress({ positions: map.positions, clusters: map.clusters.length > 0, movement: map.movement });
  }

  // The words of greatest movement at a frame among the most frequent ones, without those that hardly move.
  moversAt(frame: number, most: number, among = 3000): number[] {
    if (!this.haveMovement[frame]) return [];
    const start = frame * this.mapWords, n = Math.min(among, this.mapWords);
    const ids = Array.from({ length: n }, (_, w) => w);
    ids.sort((a, b) => this.movement[start + b]! - this.movement[start + a]! || a - b);
    return ids.slice(0, most).filter((w) => this.movement[start + w]! > 0);
  }
}
