// compare.ts: two moments of a run, or two runs, side by side: linked maps, how many neighbours are the same, the words that
// agree least, what differs in the settings, and the table of numbers before and after.

import type { App, Part } from "./app.ts";
import { Card } from "./chart/card.ts";
import { h } from "./dom.ts";
import { number, t } from "./i18n.ts";
import { MapView } from "./map/map.ts";
import { Run } from "./run.ts";
import { runPath } from "./source.ts";
import type { Camera } from "./store.ts";
import { colors } from "./theme.ts";
import type { Comparison, Summary, Table } from "./types.ts";
import { explain } from "./waiting.ts";

interface Side {
  run: number;
  frame: number; // -1: the last
}

export class Compare implements Part {
  readonly element = h("section", { class: "compare" });
  private maps: [MapView, MapView];
  private camera: Camera | null = null;
  private placed: Run | null = null; // the right side's words on the map of the left
  private left: Run | null = null; // the left side's, where the run shows another plane than its map
  private other: Run | null = null; // the right side's run
  private answers = h("div", { class: "cards" });
  private tables = h("div", { class: "cards" });
  private least = h("div", { class: "question" });
  private settings = h("div", { class: "question" });
  private heads = [h("div", { class: "side-head" }), h("div", { class: "side-head" })] as const;
  private heading = h("h2", { class: "visually-hidden" });
  private cards: Card[] = [];
  private drawnFor = "";
  private stop = new AbortController();

  constructor(private app: App) {
    const moved = (camera: Camera): void => {
      this.camera = camera;
      for (const map of this.maps) map.schedule();
    };
    const camera = (): Camera | null => this.camera;
    this.maps = [
      new MapView(app, { run: () => this.left ?? this.app.run, frame: () => (this.left ? 0 : this.frameOf(0)), camera, moved }),
      new MapView(app, { run: () => this.placed, frame: () => 0, camera, moved }),
    ];
    this.element.append(this.heading, h("div", { class: "sides" }, ...[0, 1].map((k) => h("div", { class: "side" }, this.heads[k]!, this.maps[k]!.element))), this.answers, this.least, this.settings, this.tables);
  }

  private get sides(): [Side, Side] {
    const { store } = this.app, other = store.state.other ?? { run: store.state.run, a: 0, b: -1 };
    return [{ run: store.state.run, frame: other.a }, { run: other.run, frame: other.b }];
  }

  private frameOf(k: 0 | 1): number {
    const { frame } = this.sides[k], last = (k === 0 ? this.app.run : this.other)?.frames ?? 1;
    return frame < 0 || frame >= last ? Math.max(0, last - 1) : frame;
  }

  runChanged(): void {
    this.drawnFor = "";
    this.draw();
  }
  stateChanged(changed: Set<string>): void {
    if (changed.has("theme") || changed.has("lang") || changed.has("renderer")) this.drawnFor = "";
    this.draw();
    for (const map of this.maps) map.schedule();
  }
  dataChanged(what: string): void {
    if (this.app.store.state.view !== "compare") return;
    this.maps[0].dataChanged(what);
    if (what !== "clusters" || !this.placed) return;
    this.placed.clusters = this.app.run!.clusters;
    this.maps[1].dataChanged(what);
  }

  private draw(): void {
    const { run, store } = this.app;
    if (store.state.view !== "compare" || !run?.map || run.words.texts.length === 0) return;
    const key = JSON.stringify([run.id, run.map.view, this.sides, store.state.theme, store.state.lang, store.state.renderer, run.axes]);
    if (key === this.drawnFor) return;
    this.drawnFor = key;
    this.heading.textContent = t.compareLead;
    this.stop.abort(new DOMException("closed", "AbortError"));
    this.stop = new AbortController();
    for (const card of this.cards) card.close();
    this.cards = [];
    void this.load().catch((cause) => {
      if (!this.stop.signal.aborted) this.answers.replaceChildren(h("p", { class: "note" }, explain(cause)));
    });
  }

  private async load(): Promise<void> {
    const { run, source, runs } = this.app, signal = this.stop.signal, [, right] = this.sides;
    if (right.run === run!.id) this.other = run;
    else if (this.other?.id !== right.run) {
      const summary = await source.json<Summary>(runPath(right.run), {}, signal);
      this.other = new Run(right.run, source, summary, () => undefined);
      await this.other.loadWords();
    }
    if (signal.aborted) return;
    this.heads.forEach((head, k) => head.replaceChildren(...this.controls(k as 0 | 1, runs.runs)));
    this.left = run!.axes ? await this.placeOn(run!, this.frameOf(0), signal) : null;
    if (signal.aborted) return;
    this.maps[0].runChanged();
    await Promise.all([this.placeRight(signal), this.compare(signal), this.drawTables(signal)]);
  }

  private controls(k: 0 | 1, runs: { id: number; path: string }[]): HTMLElement[] {
    const { store } = this.app, side = this.sides[k], run = k === 0 ? this.app.run! : this.other!, frame = this.frameOf(k);
    const change = (patch: Partial<Side>): void => {
      const now = this.sides.map((s, j) => (j === k ? { ...s, ...patch } : s)) as [Side, Side];
      if (patch.run !== undefined && k === 0) store.set({ run: patch.run, other: { run: now[1].run, a: -1, b: now[1].frame } });
      else store.set({ other: { run: now[1].run, a: now[0].frame, b: now[1].frame } });
    };
    const select = h("select", { "aria-label": `${k === 0 ? t.left : t.right}: ${t.run}` }, ...runs.map(({ id, path }) => h("option", { value: id, selected: id === side.run }, path)));
    select.addEventListener("change", () => change({ run: Number(select.value), frame: -1 }));
    select.disabled = runs.length < 2 || k === 0;
    const output = h("output", {}, `${t.step} ${number(run.stepOf(frame))}`);
    const slider = h("input", { type: "range", min: 0, max: Math.max(0, run.frames - 1), value: frame, "aria-label": `${k === 0 ? t.left : t.right}: ${t.timeline}` });
    slider.setAttribute("aria-valuetext", output.textContent!);
    slider.addEventListener("input", () => (output.textContent = `${t.step} ${number(run.stepOf(Number(slider.value)))}`));
    slider.addEventListener("change", () => change({ frame: Number(slider.value) }));
    return [h("b", {}, k === 0 ? t.left : t.right), select, slider, output];
  }

  // The right map has the words of the left one, where they stand on the right.
  private async placeRight(signal: AbortSignal): Promise<void> {
    this.placed = await this.placeOn(this.other!, this.frameOf(1), signal);
    if (!signal.aborted) this.maps[1].runChanged();
  }

  // The words of the left run at one frame of a run, on the map of the left one.
  private async placeOn(other: Run, frame: number, signal: AbortSignal): Promise<Run> {
    const left = this.app.run!, words = left.mapWords, placed = new Run(left.id, left.source, left.summary, () => undefined);
    const bytes = other === left ? await left.source.bytes(runPath(left.id, "frames"), { first: frame, count: 1 }, signal)
      : await left.source.bytes("/api/compare/positions", { a: left.id, b: other.id, frame_a: this.frameOf(0), frame_b: frame }, signal);
    placed.summary = { ...left.summary, map: { ...left.map!, steps: [other.stepOf(frame)] } };
    placed.words = left.words;
    placed.setPositions(new Int16Array(bytes).slice(0, 2 * words));
    placed.movement = new Uint8Array(words);
    placed.clusters = left.clusters;
    placed.haveMovement = [true];
    return placed;
  }

  private async compare(signal: AbortSignal): Promise<void> {
    const { source } = this.app, left = this.app.run!, right = this.other!;
    this.answers.replaceChildren(h("p", { class: "note" }, t.computing + "…"));
    const found = await source.json<Comparison>("/api/compare", { a: left.id, b: right.id, frame_a: this.frameOf(0), frame_b: this.frameOf(1), k: 20 }, signal);
    const color = colors.hues[0]!;
    const overlap = new Card(this.app, { kind: "bars", title: t.overlapTitle, xName: t.overlapX, yName: t.words, low: 0, high: 1.1, series: [{ name: t.words, color, counts: found.overlap.histogram }] },
      { height: 150, note: t.meanOverlap(number(100 * found.overlap.mean), number(found.sample)) });
    const cosine = new Card(this.app, { kind: "bars", title: t.cosineTitle, xName: t.cosine, yName: t.words, low: -1, high: 1, series: [{ name: t.words, color, counts: found.cosine.histogram }] },
      { height: 150, note: `${t.meanCosine(number(found.cosine.mean, 3), number(found.common))} ${found.aligned ? t.alignedNote : t.notAlignedNote}` });
    this.cards.push(overlap, cosine);
    this.answers.replaceChildren(overlap.element, cosine.element);
    this.drawLeast(found);
    const rows = found.settings.map(({ key, a, b }) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, a ?? "–"), h("td", {}, b ?? "–")));
    this.settings.replaceChildren(...(left === right ? [] : [h("h2", {}, t.settingsTitle), rows.length > 0
      ? h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t.settingsTitle }, h("table", {}, h("thead", {}, h("tr", {}, ...[t.setting, t.left, t.right].map((x) => h("th", { scope: "col" }, x)))), h("tbody", {}, ...rows)))
      : h("p", { class: "note" }, t.noSettings)]));
  }

  private drawLeast(found: Comparison): void {
    const left = this.app.run!, right = this.other!, { store } = this.app;
    const names = (run: Run, list: [number, number][], others: Set<string>): HTMLElement => h("td", {}, ...list.flatMap(([id], k) => {
      const text = run.textOf(id);
      return [k > 0 ? ", " : "", h("span", { class: others.has(text) ? "kept" : "gone" }, text)];
    }));
    const rows = found.least.map((word) => {
      const a = new Set(word.near_a.map(([id]) => left.textOf(id))), b = new Set(word.near_b.map(([id]) => right.textOf(id)));
      return h("tr", {}, h("th", { scope: "row" }, h("button", { type: "button", class: "word", onclick: (event: MouseEvent) => store.choose(word.a, event.shiftKey) }, left.textOf(word.a))),
        h("td", { class: "number" }, `${number(10 * word.overlap)}/10`), h("td", { class: "number" }, number(word.cosine, 3)), names(left, word.near_a, b), names(right, word.near_b, a));
    });
    this.least.replaceChildren(h("h2", {}, t.leastTitle), h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t.leastTitle },
      h("table", { class: "least" }, h("thead", {}, h("tr", {}, ...[t.word, t.overlapColumn, t.cosine, t.inA, t.inB].map((x) => h("th", { scope: "col" }, x)))), h("tbody", {}, ...rows))));
  }

  private async drawTables(signal: AbortSignal): Promise<void> {
    const { source } = this.app, left = this.app.run!, right = this.other!, names = [`${t.step} ${number(left.stepOf(this.frameOf(0)))}`, `${t.step} ${number(right.stepOf(this.frameOf(1)))}`];
    this.tables.replaceChildren();
    const ask = (run: Run, frame: number, edge?: number): Promise<Table> => source.json<Table>(runPath(run.id, "table"), edge ? { frame, edge } : { frame }, signal);
    let [a, b] = await Promise.all([ask(left, this.frameOf(0)), ask(right, this.frameOf(1))]);
    if (Math.abs(a.high - b.high) > 1e-9) {
      const edge = Math.max(1, Math.round(1000 * Math.max(a.high, b.high))); // one scale for both
      [a, b] = await Promise.all([ask(left, this.frameOf(0), edge), ask(right, this.frameOf(1), edge)]);
    }
    const two = [colors.hues[1]!, colors.hues[0]!], rows = (run: Run, table: Table): string[] => table.heat.map((_, w) => run.textOf(w));
    const limit = b.high * 0.75;
    const cards = [
      new Card(this.app, { kind: "bars", title: t.weightsTitle, xName: t.value, yName: t.numbers, low: a.low, high: a.high, series: [{ name: names[0]!, color: two[0]!, counts: a.weights }, { name: names[1]!, color: two[1]!, counts: b.weights }] }, { height: 170 }),
      new Card(this.app, { kind: "bars", title: t.cosinesTitle, xName: t.cosine, yName: t.pairs, low: -1, high: 1, series: [{ name: names[0]!, color: two[0]!, counts: a.cosines }, { name: names[1]!, color: two[1]!, counts: b.cosines }] }, { height: 170 }),
      new Card(this.app, { kind: "heat", title: t.heatTitle(number(left.stepOf(this.frameOf(0)))), rowName: t.word, rows: rows(left, a), values: a.heat, limit }),
      new Card(this.app, { kind: "heat", title: t.heatTitle(number(right.stepOf(this.frameOf(1)))), rowName: t.word, rows: rows(right, b), values: b.heat, limit }),
    ];
    if (signal.aborted) return;
    this.cards.push(...cards);
    this.tables.replaceChildren(...cards.map((card) => card.element));
  }
}
