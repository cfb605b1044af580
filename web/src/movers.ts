// movers.ts: which words still move: a table that can be sorted by each of its columns.

import type { App } from "./app.ts";
import { button, h } from "./dom.ts";
import { number, short, t } from "./i18n.ts";
import { runPath } from "./source.ts";
import type { Movers } from "./types.ts";

type Row = Movers["words"][number];
const SHOWN = 50;

export class MoversPart {
  readonly element = h("div", { class: "movers-part" });
  private rows: Row[] = [];
  private by = 1;
  private falling = true;
  private frame = -1;

  constructor(private app: App) {
    this.clockChanged();
  }

  clockChanged(): void {
    const { clock, run, source } = this.app, { frame } = clock;
    if (!run?.map || clock.playing || frame === this.frame || !run.haveMovement[frame]) return;
    this.frame = frame;
    source.json<Movers>(runPath(run.id, "movers"), { frame, k: SHOWN, view: run.map.view }).then((found) => {
      if (this.frame !== frame) return;
      this.rows = found.words;
      this.draw();
    }, () => (this.frame = -1));
  }

  private value(row: Row, column: number): number | string {
    if (column === 0) return this.app.run!.textOf(row[0]);
    return column === 5 ? this.app.run!.countOf(row[0]) : (row[column] ?? -1);
  }

  private draw(): void {
    const { run, store } = this.app, columns = [t.word, t.movementColumn, t.lengthColumn, t.displacementColumn, t.speedColumn, t.countColumn];
    const sorted = [...this.rows].sort((a, b) => {
      const [x, y] = [this.value(a, this.by), this.value(b, this.by)];
      const order = typeof x === "string" ? x.localeCompare(String(y)) : x - Number(y);
      return this.falling ? -order : order;
    });
    const head = h("tr", {}, ...columns.map((name, k) => h("th", { scope: "col", "aria-sort": k === this.by ? (this.falling ? "descending" : "ascending") : "none" },
      button(name + (k === this.by ? (this.falling ? " ↓" : " ↑") : ""), () => {
        this.falling = k === this.by ? !this.falling : k !== 0;
        this.by = k;
        this.draw();
      }))));
    const body = sorted.map((row) => h("tr", {}, h("th", { scope: "row" }, h("button", { type: "button", class: "word", onclick: (event: MouseEvent) => store.choose(row[0], event.shiftKey || event.ctrlKey) }, run!.textOf(row[0]))),
      h("td", {}, number(row[1], 3)), ...[row[2], row[3], row[4]].map((v) => h("td", {}, v === null ? "–" : short(v))), h("td", {}, number(run!.countOf(row[0])))));
    this.element.replaceChildren(h("p", { class: "note" }, t.moversNote(number(run!.stepOf(this.frame)))),
      h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t.qMoving }, h("table", { class: "sortable" }, h("thead", {}, head), h("tbody", {}, ...body))));
  }
}
