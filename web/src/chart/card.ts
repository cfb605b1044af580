// card.ts: a chart with its title, the table it can be turned into, and what it can be saved as.

import type { App } from "../app.ts";
import { button, download, h } from "../dom.ts";
import { short, t } from "../i18n.ts";
import { colors } from "../theme.ts";
import { drawCurve, type DrawnCurve } from "./curve.ts";
import { csvOf, sheetOf, smooth, type Model } from "./model.ts";
import { described, svgOf } from "./svg.ts";

export interface CardOptions {
  height?: number;
  note?: string; // a sentence below the title
  smoothing?: boolean; // offers it
  pick?: (key: number) => void; // a word in the chart was clicked
  id?: string;
  quiet?: boolean; // a small title
}

const TABLE_ROWS_MOST = 400;

export function tableOf(model: Model): HTMLElement {
  const sheet = sheetOf(model), every = Math.ceil(sheet.rows.length / TABLE_ROWS_MOST);
  const rows = sheet.rows.filter((_, k) => k % every === 0 || k === sheet.rows.length - 1);
  return h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": model.title },
    h("table", {}, h("thead", {}, h("tr", {}, ...sheet.head.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((value, k) => h(k === 0 ? "th" : "td", k === 0 ? { scope: "row" } : {}, value === null ? "–" : typeof value === "number" ? short(value) : value)))))));
}

// An SVG as a PNG at twice its size, by way of an image in memory.
async function pngOf(text: string, width: number, height: number): Promise<Blob> {
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image(width * 2, height * 2);
    image.src = address;
    await image.decode();
    const canvas = h("canvas", { width: width * 2, height: height * 2 });
    canvas.getContext("2d")!.drawImage(image, 0, 0, width * 2, height * 2);
    return await new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}

export function standalone(model: Model, width: number, height: number): { text: string; width: number; height: number } {
  const drawn = svgOf(model, width, height);
  const [, , w, high] = (drawn.getAttribute("viewBox") ?? "").split(" ").map(Number);
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: w, height: high, fill: colors.paper })) paper.setAttribute(name, String(value));
  drawn.prepend(paper);
  drawn.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return { text: new XMLSerializer().serializeToString(drawn), width: w!, height: high! };
}

const fileName = (title: string, kind: string): string => (title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "chart") + "." + kind;

export async function save(model: Model, kind: "png" | "svg" | "csv"): Promise<void> {
  if (kind === "csv") download(fileName(model.title, kind), new Blob(["\ufeff" + csvOf(sheetOf(model))], { type: "text/csv" }));
  else {
    const { text, width, height } = standalone(model, 760, 420);
    download(fileName(model.title, kind), kind === "svg" ? new Blob([text], { type: "image/svg+xml" }) : await pngOf(text, width, height));
  }
}

export class Card {
  readonly element: HTMLElement;
  private body = h("div", { class: "chart-body" });
  private curve: DrawnCurve | null = null;
  private asTable = false;
  private smoothed = false;
  private width = 0;
  private observer: ResizeObserver;

  constructor(private app: App, private model: Model, private options: CardOptions = {}) {
    const menu = h("details", { class: "chart-menu" },
      h("summary", { "aria-label": t.chartMenu(model.title), title: t.chartMenuShort }, "⋯"),
      h("div", { class: "menu" },
        this.toggle(t.asTable, (on) => (this.asTable = on)),
        options.smoothing ? this.toggle(t.smooth, (on) => (this.smoothed = on)) : null,
        ...(["png", "svg", "csv"] as const).map((kind) => button(t.saveAs(kind.toUpperCase()), () => {
          menu.open = false;
          void save(this.model, kind);
        }))));
    menu.addEventListener("focusout", (event) => {
      if (!menu.contains(event.relatedTarget as Node | null)) menu.open = false;
    });
    const title = h(options.quiet ? "h4" : "h3", {}, model.title);
    this.element = h("figure", { class: "chart", id: options.id, "aria-label": described(model) },
      h("figcaption", {}, h("div", {}, title, options.note ? h("p", { class: "note" }, options.note) : null), menu), this.body);
    this.observer = new ResizeObserver(() => {
      if (Math.abs(this.body.clientWidth - this.width) > 2) this.draw();
    });
    this.observer.observe(this.body);
  }

  private toggle(label: string, change: (on: boolean) => void): HTMLElement {
    return h("label", {}, h("input", { type: "checkbox", onchange: (event: globalThis.Event) => {
      change((event.target as HTMLInputElement).checked);
      this.draw();
    } }), label);
  }

  setModel(model: Model): void {
    this.model = model;
    this.draw();
  }

  draw(): void {
    this.width = this.body.clientWidth;
    if (this.width === 0) return;
    this.curve?.destroy();
    this.curve = null;
    const { model, options } = this, height = options.height ?? 170;
    if (this.asTable) this.body.replaceChildren(tableOf(model));
    else if (model.kind === "curve") {
      const width = Math.max(7, Math.round(model.x.length / 50));
      const shown = this.smoothed
        ? { ...model, curves: model.curves.flatMap((c) => [{ ...c, color: c.color + "55", name: "" }, { ...c, values: smooth(c.values, width) }]) }
        : model;
      const { clock } = this.app;
      this.curve = drawCurve(shown, this.width, height, (step) => this.app.run && clock.seek(this.app.run.frameAt(step)));
      this.body.replaceChildren(this.curve.element);
      this.clockChanged();
    } else this.body.replaceChildren(svgOf(model, this.width, height, options.pick));
  }

  clockChanged(): void {
    const { run, clock } = this.app;
    if (!run || !this.curve) return;
    const [from, to, mix] = clock.between;
    this.curve.setClock(run.stepOf(from) * (1 - mix) + run.stepOf(to) * mix);
  }

  close(): void {
    this.observer.disconnect();
    this.curve?.destroy();
  }
}
