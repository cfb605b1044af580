// inspector.ts: what is told of the words that were chosen: one, a pair, or three.

import { type App, NEAR, type Part } from "./app.ts";
import { whenStill } from "./clock.ts";
import { Card } from "./chart/card.ts";
import type { BumpModel } from "./chart/model.ts";
import { button, h } from "./dom.ts";
import { number, t } from "./i18n.ts";
import { LedgerPart } from "./ledger.ts";
import { Overlay } from "./map/overlay.ts";
import { pairCards } from "./pair.ts";
import { WordBox } from "./search.ts";
import { overFrames, runPath } from "./source.ts";
import { colors, hue } from "./theme.ts";
import type { Neighbors, Story } from "./types.ts";
import { Waiting } from "./waiting.ts";

const COLORED = 7;

export class Inspector implements Part {
  readonly element = h("aside", { class: "inspector" });
  private heading = h("h2", { class: "visually-hidden" });
  private chips = h("div", { class: "chips" });
  private body = h("div", { class: "inspected" });
  private near = h("ol", { class: "near" });
  private nearTitle = h("h3");
  private movers = h("div", { class: "movers" });
  private cards: Card[] = [];
  private stop = new AbortController();
  private shownFor = "";
  private shownFrame = -1;
  private add: WordBox;

  constructor(private app: App) {
    this.add = new WordBox(app, () => (app.store.state.words.length === 0 ? t.searchWord : t.addWord), (word) => app.store.choose(word, app.store.state.words.length > 0));
    this.element.append(this.heading, h("div", { class: "inspector-head" }, this.chips, this.add.element), this.body);
    this.rename();
  }

  private rename(): void {
    this.element.setAttribute("aria-label", t.inspector);
    this.heading.textContent = t.inspector;
  }

  runChanged(): void {
    this.draw();
  }

  stateChanged(changed: Set<string>): void {
    if (changed.has("words") || changed.has("theme") || changed.has("lang")) {
      this.shownFor = "";
      this.rename();
      this.draw();
    }
  }

  dataChanged(what: string): void {
    if (what !== "frames" && this.app.store.state.words.length === 0) this.drawEmpty();
  }

  clockChanged(): void {
    for (const card of this.cards) card.clockChanged();
    if (this.shownFrame === this.app.clock.frame) return;
    const { clock, facts, store } = this.app, word = store.state.words[0];
    if (clock.playing && word !== undefined && facts?.known(word, clock.frame)) this.drawMoment(); // it is there: moves along
    else this.stands();
  }

  // Lists are for a moment that is looked at: none is made, or asked for, of those that are passed over.
  private stands = whenStill(() => {
    if (!this.app.clock.playing && this.shownFrame !== this.app.clock.frame) this.drawMoment();
  });

  private draw(): void {
    const { run, store } = this.app, { words } = store.state;
    const key = `${run?.id} ${run?.map?.view} ${words.join()} ${store.state.theme} ${store.state.lang}`;
    if (!run || run.words.texts.length === 0 || key === this.shownFor) return;
    this.shownFor = key;
    this.stop.abort(new DOMException("closed", "AbortError"));
    this.stop = new AbortController();
    for (const card of this.cards) card.close();
    this.cards = [];
    this.add.rename();
    this.chips.replaceChildren(...words.map((word, k) => this.chip(word, k)));
    this.shownFrame = -1;
    if (words.length === 0) this.drawEmpty();
    else if (words.length === 1) this.drawWord(words[0]!);
    else this.drawPairs(words);
    this.drawMoment();
  }

  private chip(word: number, k: number): HTMLElement {
    const { run, store } = this.app, dot = h("i", { class: "dot" });
    dot.style.background = Overlay.chosenColor(k);
    return h("span", { class: "chip" }, dot, h("b", {}, run!.textOf(word)), run!.countOf(word) > 0 ? h("small", {}, t.times(number(run!.countOf(word)))) : null,
      button("×", () => store.choose(word, true), { "aria-label": t.remove(run!.textOf(word)), title: t.remove(run!.textOf(word)) }));
  }

  private wordLink(word: number, note = ""): HTMLElement {
    const { run, store } = this.app;
    return h("button", { type: "button", class: "word", onclick: (event: MouseEvent) => store.choose(word, event.shiftKey || event.ctrlKey || event.metaKey) }, run!.textOf(word), note ? h("small", {}, note) : null);
  }

  // ---- nothing chosen: what there is to see ------------------------------------------------------------------------

  private drawEmpty(): void {
    const { run } = this.app;
    if (!run?.map) {
      this.body.replaceChildren();
      return;
    }
    const { clusters, share } = run.map;
    const list = h("ul", { class: "cluster-list" }, ...clusters.map((cluster, k) => {
      const dot = h("i", { class: "dot" });
      dot.style.background = hue(k);
      return h("li", {}, dot, h("div", {}, h("div", { class: "cluster-words" }, ...cluster.words.slice(0, 5).map((word) => this.wordLink(word))),
        h("small", {}, `${t.wordsCount(number(cluster.size))} · ${t.bornAt(number(run.stepOf(cluster.born)))}`)));
    }));
    this.body.replaceChildren(
      h("p", { class: "lead" }, run.frames > 1 ? t.emptyLead : t.emptyLeadStill),
      ...(clusters.length > 0 ? [h("h3", {}, t.clusters), list] : []),
      h("h3", {}, t.moversNow), this.movers,
      h("p", { class: "note" }, t.basis(number(100 * (share[0] + share[1]), 2), number(run.map.pooled_frames), number(run.map.pooled_words))),
      ...(run.mapWords < run.summary.words ? [h("p", { class: "note" }, t.mapShows(number(run.mapWords), number(run.summary.words)))] : []));
    this.drawMovers();
  }

  private drawMovers(): void {
    const { run, clock } = this.app;
    if (!run) return;
    const ids = run.moversAt(clock.frame, 12);
    this.movers.replaceChildren(...(ids.length > 0 ? ids.map((word) => this.wordLink(word)) : [h("p", { class: "note" }, clock.frame === 0 ? t.noMoversAtStart : t.computing)]));
  }

  // ---- one word ----------------------------------------------------------------------------------------------------

  private drawWord(word: number): void {
    const { run } = this.app, signal = this.stop.signal;
    const waiting = new Waiting(t.neighborsOverTime, () => this.stop.abort(new DOMException("cancelled", "AbortError")));
    const bump = h("div", { class: "slot" }, waiting.element), story = h("div", { class: "slot" });
    const ledger = new LedgerPart(this.app, word, null, signal);
    this.body.replaceChildren(this.nearTitle, this.near, ...(word >= run!.mapWords ? [h("p", { class: "note" }, t.wordNotOnMap(number(run!.mapWords)))] : []), bump, story, ledger.element);
    this.app.facts!.neighborsOverTime(word, signal, (share) => waiting.told(share)).then(
      (all) => !signal.aborted && this.addCard(bump, new Card(this.app, this.bump(all), { height: 250, note: t.bumpNote, pick: (key) => this.app.store.choose(key, true) })),
      (cause) => waiting.failed(cause));
    overFrames<Story>(this.app.source, runPath(run!.id, "word"), { word }, run!.frames, signal).then(
      (all) => !signal.aborted && this.drawStory(story, all), () => undefined);
  }

  private addCard(slot: HTMLElement, card: Card, append = false): void {
    this.cards.push(card);
    if (append) slot.append(card.element);
    else slot.replaceChildren(card.element);
  }

  // The words that ever were among the nearest ten; those of the end in colour.
  private bump(all: Neighbors[]): BumpModel {
    const { run } = this.app, ranks = new Map<number, (number | null)[]>();
    all.forEach((neighbors, f) => neighbors.forEach(([id], k) => {
      let row = ranks.get(id);
      if (!row) ranks.set(id, (row = new Array<number | null>(all.length).fill(null)));
      row[f] = k + 1;
    }));
    const last = (all.at(-1) ?? []).map(([id]) => id);
    const ever = [...ranks.entries()].map(([id, row]) => ({ id, row, stays: row.filter((r) => r !== null).length })).filter(({ id, stays }) => last.includes(id) || stays > 1)
      .sort((a, b) => b.stays - a.stays).slice(0, 60);
    const shown = [...last.map((id) => ({ id, row: ranks.get(id)! })), ...ever.filter(({ id }) => !last.includes(id))];
    return { kind: "bump", title: t.neighborsOverTime, steps: all.map((_, f) => run!.stepOf(f)), depth: NEAR,
      rows: shown.map(({ id, row }) => ({ name: run!.textOf(id), color: last.indexOf(id) >= 0 && last.indexOf(id) < COLORED ? hue(last.indexOf(id)) : colors.muted, ranks: row, key: id, strong: last.includes(id) })) };
  }

  private drawStory(slot: HTMLElement, all: Story[]): void {
    const { run } = this.app, x = all.map((_, f) => run!.stepOf(f)), color = colors.hues[0]!;
    slot.replaceChildren();
    const add = (name: string, note: string, values: (number | null)[]): void =>
      this.addCard(slot, new Card(this.app, { kind: "curve", title: name, xName: t.step, yName: name, x, curves: [{ name, color, values }] }, { height: 110, note, quiet: true }), true);
    add(t.length, t.lengthNote, all.map((s) => s[0]));
    add(t.displacement, t.displacementNote, all.map((s) => s[1]));
    add(t.speedOfWord, t.speedNote, all.map((s) => s[2]));
  }

  // ---- two and three -----------------------------------------------------------------------------------------------

  private drawPairs(words: number[]): void {
    const slot = h("div", { class: "slot" }), signal = this.stop.signal;
    this.body.replaceChildren(slot);
    void pairCards(this.app, words, signal, (card) => this.addCard(slot, card, true), (element) => slot.append(element));
    if (words.length === 2) this.body.append(new LedgerPart(this.app, words[0]!, words[1]!, signal).element);
  }

  // ---- what changes with the clock -----------------------------------------------------------------------------------

  private drawMoment(): void {
    const { clock, store, facts, run } = this.app, { words } = store.state, { frame } = clock;
    if (!run || !facts) return;
    if (words.length === 0) {
      this.shownFrame = frame;
      this.drawMovers();
      return;
    }
    if (words.length > 1) return;
    const word = words[0]!, known = facts.known(word, frame);
    if (known) {
      this.shownFrame = frame;
      this.drawNear(known, frame);
    } else if (!clock.playing) {
      facts.neighbors(word, frame, this.stop.signal).then((found) => {
        if (clock.frame === frame && store.state.words[0] === word) this.drawNear(found, frame);
      }, () => undefined);
    }
  }

  private drawNear(found: Neighbors, frame: number): void {
    const { run } = this.app;
    this.nearTitle.textContent = t.nearestAt(number(run!.stepOf(frame)));
    this.near.replaceChildren(...found.map(([id, cosine]) => {
      const bar = h("i", { class: "bar" });
      bar.style.width = `${Math.max(0, cosine) * 100}%`;
      return h("li", {}, this.wordLink(id), h("span", { class: "meter" }, bar), h("span", { class: "value" }, number(cosine, 3)));
    }));
  }
}
