// health.ts: six questions to a training, each a titled chart with its curve, and the findings of diagnose, each linked to
// the curve that shows it.

import type { App, Part } from "./app.ts";
import { Card } from "./chart/card.ts";
import type { CurveModel } from "./chart/model.ts";
import { button, h } from "./dom.ts";
import { number, t } from "./i18n.ts";
import { AnalogyPart } from "./analogy.ts";
import { MoversPart } from "./movers.ts";
import { runPath } from "./source.ts";
import { colors, hue } from "./theme.ts";
import type { Diagnosis, Measures } from "./types.ts";
import { explain } from "./waiting.ts";

interface Wanted {
  id: string;
  title: string;
  y: string;
  note: string;
  series: [name: string, label: string][];
  smoothing?: boolean;
}

export class Health implements Part {
  readonly element = h("section", { class: "health" });
  private cards: Card[] = [];
  private movers: MoversPart | null = null;
  private drawnFor = "";
  private stop = new AbortController();
  private measures: Measures | null = null;

  constructor(private app: App) {}

  runChanged(): void {
    this.drawnFor = "";
    this.draw();
  }
  stateChanged(changed: Set<string>): void {
    if (changed.has("theme") || changed.has("lang")) this.drawnFor = "";
    if (changed.has("theme") || changed.has("lang") || changed.has("view")) this.draw();
  }
  clockChanged(): void {
    if (this.app.store.state.view !== "health") return;
    for (const card of this.cards) card.clockChanged();
    this.movers?.clockChanged();
  }
  dataChanged(what: string): void {
    if (what === "summary" || what === "clusters") {
      this.drawnFor = "";
      this.draw();
    }
    if (what === "movement") this.movers?.clockChanged();
  }

  private draw(): void {
    const { run, store } = this.app;
    if (store.state.view !== "health" || !run?.map || run.words.texts.length === 0) return;
    const key = `${run.id} ${run.map.view} ${run.summary.generation} ${store.state.theme} ${store.state.lang}`;
    if (key === this.drawnFor) return;
    this.drawnFor = key;
    this.stop.abort(new DOMException("closed", "AbortError"));
    this.stop = new AbortController();
    for (const card of this.cards) card.close();
    this.cards = [];
    this.measures = null;
    const wrong = h("div", { class: "answers" }, h("p", { class: "note" }, t.computing + "…")), all = h("div", { class: "answers" });
    this.movers = new MoversPart(this.app);
    const scrolled = this.element.scrollTop;
    this.element.replaceChildren(
      this.question(t.qConverged, this.criteria(), this.curves([
        { id: "curve-loss", title: t.lossChart, y: t.loss, note: t.lossNote, series: [["loss", t.trainLoss], ["probe_loss", t.probeLoss], ["held_out_loss", t.heldOut]], smoothing: true },
        { id: "curve-overlap", title: t.overlapChart, y: t.overlapKept, note: t.overlapNote, series: [["overlap", t.overlapKept]] },
        { id: "curve-gradient", title: t.gradientChart, y: t.gradient, note: "", series: [["probe_gradient", t.gradient]], smoothing: true }])),
      this.question(t.qRate, this.curves([
        { id: "curve-ratio", title: t.ratioChart, y: t.updateRatio, note: t.ratioNote, series: [["update_ratio", t.updateRatio]], smoothing: true },
        { id: "curve-capped", title: t.cappedChart, y: t.cappedShare, note: t.cappedNote, series: [["capped", t.cappedShare]], smoothing: true },
        { id: "curve-lr", title: t.rateChart, y: t.lr, note: "", series: [["lr", t.lr]] }])),
      this.question(t.qMoving, this.movers.element, this.curves([{ id: "curve-speed", title: t.speedChart, y: t.speedOfWord, note: t.speedNote, series: [["speed", t.speedOfWord]], smoothing: true }])),
      this.question(t.qClusters, this.clusters()),
      this.question(t.qAnalogies, new AnalogyPart(this.app, this.stop.signal, (card) => this.cards.push(card)).element),
      this.question(t.qWrong, wrong),
      this.question(t.allMeasures, all));
    this.element.scrollTop = scrolled;
    this.clockChanged();
    void this.diagnose(wrong);
    void this.measure(all);
  }

  private question(title: string, ...content: (HTMLElement | null)[]): HTMLElement {
    return h("section", { class: "question" }, h("h2", {}, title), ...content);
  }

  private add(model: CurveModel, note: string, id: string, smoothing = false): HTMLElement {
    const card = new Card(this.app, model, { note, id, smoothing, height: 180 });
    this.cards.push(card);
    return card.element;
  }

  private curves(wanted: Wanted[]): HTMLElement {
    const { series } = this.app.run!.summary, cards: HTMLElement[] = [];
    for (const { id, title, y, note, series: names, smoothing } of wanted) {
      const there = names.filter(([name]) => series[name]);
      if (there.length === 0) continue;
      cards.push(this.add(merge(title, y, there.map(([name, label], k) => ({ label, color: colors.hues[there.length > 1 && name === "loss" ? 5 : k]!, steps: series[name]![0], values: series[name]![1] }))), note, id, smoothing));
    }
    return h("div", { class: "cards" }, ...(cards.length > 0 ? cards : [h("p", { class: "note" }, t.noSeries)]));
  }

  private criteria(): HTMLElement | null {
    const c = this.app.run!.summary.convergence;
    if (!c) return null;
    const known = c.measurements >= 21, row = (text: string, held: boolean): HTMLElement =>
      h("li", { "data-held": known ? String(held) : "unknown" }, h("i", { "aria-hidden": "true" }, !known ? "?" : held ? "✓" : "✗"), text, h("span", { class: "visually-hidden" }, known ? (held ? t.held : t.notHeld) : t.unknown));
    return h("ul", { class: "criteria", "aria-label": t.criteria }, row(t.critLoss, c.loss_level), row(t.critGradient, c.gradient_level), row(t.critSpeed, c.speed_level), row(t.critNeighbors, c.neighbors_level));
  }

  private clusters(): HTMLElement {
    const run = this.app.run!, { clusters, steps } = run.map!;
    if (clusters.length === 0) return h("p", { class: "note" }, t.computing);
    const model: CurveModel = { kind: "curve", title: t.qClusters, xName: t.step, yName: t.together, x: steps, range: [0, 1], curves: clusters.map((c, k) => ({ name: c.words.slice(0, 2).map(run.textOf).join(", "), color: hue(k), values: c.together })) };
    const list = h("ul", { class: "born" }, ...clusters.map((c, k) => {
      const dot = h("i", { class: "dot" });
      dot.style.background = hue(k);
      return h("li", {}, dot, h("span", {}, h("b", {}, c.words.slice(0, 5).map(run.textOf).join(", ")), h("small", {}, ` · ${t.wordsCount(number(c.size))} · ${t.bornAt(number(run.stepOf(c.born)))}`)));
    }));
    return h("div", { class: "cards wide" }, this.add(model, t.clustersNote, "curve-clusters"), list);
  }

  private async diagnose(place: HTMLElement): Promise<void> {
    const run = this.app.run!;
    try {
      const found = await this.app.source.json<Diagnosis>(runPath(run.id, "diagnosis"), {}, this.stop.signal);
      const name = (kind: string): string => (t.kinds as Record<string, string>)[kind] ?? kind;
      place.replaceChildren(
        ...(found.findings.length > 0 ? found.findings.map((f) => h("article", { class: "finding" }, h("h3", {}, f.what), h("p", {}, f.evidence), h("p", { class: "remedy" }, f.remedy),
          h("div", { class: "links" }, ...f.series.map((series) => this.linkTo(series))))) : [h("p", { class: "fine" }, t.nothingWrong)]),
        ...(found.sound.length > 0 ? [h("p", { class: "note" }, `${t.sound}: ${found.sound.map(name).join(", ")}.`)] : []),
        ...(found.unknown.length > 0 ? [h("p", { class: "note" }, `${t.cannotTell}: ${found.unknown.map(({ kind, why }) => `${name(kind)} (${why})`).join("; ")}`)] : []));
    } catch (cause) {
      if (!this.stop.signal.aborted) place.replaceChildren(h("p", { class: "note" }, explain(cause)));
    }
  }

  private linkTo(series: string): HTMLElement | null {
    const places: Record<string, string> = { probe_loss: "curve-loss", held_out_loss: "curve-loss", loss: "curve-loss", overlap: "curve-overlap", probe_gradient: "curve-gradient", update_ratio: "curve-ratio", capped: "curve-capped", lr: "curve-lr", speed: "curve-speed" };
    return button(t.showCurve(series.replaceAll("_", " ")), () => {
      const at = document.getElementById(places[series] ?? "") ?? this.showMeasure(series);
      at?.scrollIntoView({ block: "center" });
      at?.classList.add("pointed");
      setTimeout(() => at?.classList.remove("pointed"), 2000);
    });
  }

  // ---- everything that measure says ----------------------------------------------------------------------------------

  private select = h("select");
  private one = h("div", { class: "cards" });
  private async measure(place: HTMLElement): Promise<void> {
    const run = this.app.run!;
    place.replaceChildren(h("p", { class: "note" }, t.computing + "…"));
    try {
      const found = await this.app.source.json<Measures>(runPath(run.id, "measures"), {}, this.stop.signal);
      this.measures = found;
      const names = Object.keys(found.series).filter((name) => found.series[name]!.some((v) => v !== null));
      this.select.replaceChildren(...names.map((name) => h("option", { value: name }, name.replaceAll("_", " "))));
      this.select.setAttribute("aria-label", t.measure);
      this.select.onchange = () => this.drawMeasure();
      place.replaceChildren(h("label", { class: "check" }, t.measure, this.select), this.one);
      if (names.includes("effective_rank")) this.select.value = "effective_rank";
      this.drawMeasure();
    } catch (cause) {
      if (!this.stop.signal.aborted) place.replaceChildren(h("p", { class: "note" }, explain(cause)));
    }
  }

  private drawMeasure(): void {
    const found = this.measures, name = this.select.value;
    if (!found?.series[name]) return;
    const model: CurveModel = { kind: "curve", title: name.replaceAll("_", " "), xName: t.step, yName: name, x: found.steps, curves: [{ name, color: colors.hues[0]!, values: found.series[name]! }] };
    this.one.replaceChildren(this.add(model, found.texts[name] ?? "", `measure-${name}`));
  }

  private showMeasure(name: string): HTMLElement | null {
    if (!this.measures?.series[name]) return this.select.closest(".question");
    this.select.value = name;
    this.drawMeasure();
    return this.one;
  }
}

// Series with steps of their own on one axis.
export function merge(title: string, y: string, parts: { label: string; color: string; steps: number[]; values: (number | null)[] }[]): CurveModel {
  const x = [...new Set(parts.flatMap((p) => p.steps))].sort((a, b) => a - b);
  if (parts.length === 1) return { kind: "curve", title, xName: t.step, yName: y, x: parts[0]!.steps, curves: [{ name: parts[0]!.label, color: parts[0]!.color, values: parts[0]!.values }] };
  return { kind: "curve", title, xName: t.step, yName: y, x, curves: parts.map(({ label, color, steps, values }) => {
    const own: (number | null)[] = [];
    let k = 0, before: number | null = null, beforeStep = 0;
    for (const step of x) {
      while (k < steps.length && steps[k]! < step) k++;
      if (steps[k] === step) {
        before = values[k] ?? null;
        beforeStep = step;
        own.push(before);
      } else if (before !== null && k < steps.length && values[k] !== null) {
        const share = (step - beforeStep) / (steps[k]! - beforeStep); // a straight line between its own points
        own.push(before + share * (values[k]! - before));
      } else own.push(null);
    }
    return { name: label, color, values: own };
  }) };
}
