// ledger.ts: why a word moved, from the ledger: signed parts of a cosine by source, and the documents they came from.

import type { App } from "./app.ts";
import { Card } from "./chart/card.ts";
import type { SignedModel } from "./chart/model.ts";
import { button, h } from "./dom.ts";
import { number, t } from "./i18n.ts";
import { Refused, runPath } from "./source.ts";
import type { Explanation } from "./types.ts";

const SHOWN = 12;

export class LedgerPart {
  readonly element = h("section", { class: "ledger" });
  private by: "word" | "document" | "role" = "word";
  private card: Card | null = null;

  constructor(private app: App, private word: number, private toward: number | null, private signal: AbortSignal) {
    void this.load();
  }

  private has(word: number): boolean {
    return this.app.run!.summary.ledger.includes(word);
  }

  // The one of the two that has a ledger tells; the other is where it went.
  private sides(): [number, number | null] {
    if (this.toward !== null && !this.has(this.word) && this.has(this.toward)) return [this.toward, this.word];
    return [this.word, this.toward];
  }

  private async load(): Promise<void> {
    const { run, source } = this.app, [word, toward] = this.sides();
    const title = h("h3", {}, toward === null ? t.whyMoved(run!.textOf(word)) : t.whyCosine(run!.textOf(word), run!.textOf(toward)));
    if (!this.has(word)) {
      this.element.replaceChildren(title, this.offer([...new Set([this.word, ...(this.toward === null ? [] : [this.toward])])]));
      return;
    }
    try {
      const params: Record<string, string | number> = { word, by: this.by, k: 1000 };
      if (toward !== null) params.toward = toward;
      if (toward !== null && this.by === "word") params.centered = 1;
      const told = await source.json<Explanation>(runPath(run!.id, "explain"), params, this.signal);
      this.draw(title, told);
    } catch (cause) {
      if (cause instanceof Refused) this.element.replaceChildren(title, this.tabs(), h("p", { class: "note" }, cause.message), cause.help ? h("p", { class: "note" }, cause.help) : "");
    }
  }

  private tabs(): HTMLElement {
    return h("div", { class: "segments", role: "group", "aria-label": t.ledgerBy }, ...(["word", "role", "document"] as const).map((by) =>
      button({ word: t.byWord, role: t.byRole, document: t.byDocument }[by], () => {
        this.by = by;
        void this.load();
      }, { "aria-pressed": String(by === this.by) })));
  }

  private nameOf(source: number, role: string): { name: string; note: string } {
    const roles = t.roles as Record<string, string>;
    if (this.by === "role") return { name: roles[role] ?? role, note: "" };
    if (this.by === "document") return { name: source < 0 ? t.otherDocuments : t.sentence(number(source + 1)), note: "" };
    return { name: source < 0 ? t.otherSources : this.app.run!.textOf(source), note: role === "net" ? "" : (roles[role] ?? role) };
  }

  private draw(title: HTMLElement, told: Explanation): void {
    const ranked = [...told.contributions].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
    const shown = ranked.slice(0, SHOWN), others = ranked.slice(SHOWN).reduce((sum, c) => sum + c.contribution, told.rest);
    const rows: SignedModel["rows"] = shown.map((c) => ({ ...this.nameOf(c.source, c.role), value: c.contribution, key: this.by === "word" && c.source >= 0 ? c.source : null }));
    if (Math.abs(others) > 1e-12) rows.push({ name: t.allOthers, note: "", value: others, key: null, rest: true });
    if (told.cosine !== null) {
      if (told.baseline) rows.unshift({ name: t.baseline, note: "", value: told.baseline, key: null });
      if (told.start) rows.unshift({ name: t.fromStart, note: "", value: told.start, key: null });
      rows.push({ name: t.cosine, note: "", value: told.cosine, key: null, total: true });
    }
    const size = (list: { contribution: number }[]): number => list.reduce((sum, c) => sum + Math.abs(c.contribution), 0);
    const whole = size(shown), all = size(ranked) + Math.abs(told.rest);
    const lead = told.cosine === null ? t.ledgerWordLead(number(told.displacement, 3)) : t.ledgerPairLead(number(told.cosine, 3));
    this.card?.close();
    this.card = new Card(this.app, { kind: "signed", title: told.cosine === null ? t.partsOfWay : t.partsOfCosine, valueName: t.contribution, rows }, { quiet: true, note: lead });
    this.element.replaceChildren(title, this.tabs(), this.card.element,
      h("p", { class: "note" }, t.shareExplained(number(all > 0 ? (100 * whole) / all : 0, 2), number(shown.length)), told.residual !== null ? " " + t.residual(told.residual.toExponential(1)) : ""));
  }

  // No ledger: the command that makes one. The same training gives the same bits, so a replay explains this one.
  private offer(words: number[]): HTMLElement {
    const run = this.app.run!, { settings, state } = run.summary;
    if (state === "imported" || settings.origin) return h("p", { class: "note" }, t.noLedgerImported);
    const list = words.map(run.textOf).join(",");
    const command = `vectrail replay ${quote(run.summary.path)} --ledger ${quote(list)}`;
    return h("div", {}, h("p", { class: "note" }, t.noLedger), commandBox(command));
  }
}

const quote = (text: string): string => (/^[\p{L}\p{N}_./,-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function commandBox(command: string): HTMLElement {
  const code = h("code", { tabindex: 0 }, command), copy = button(t.copy, () => {
    void navigator.clipboard?.writeText(command).then(() => (copy.textContent = t.copied), () => undefined);
    getSelection()?.selectAllChildren(code);
  });
  return h("div", { class: "command" }, code, copy);
}
