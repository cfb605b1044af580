// tools.ts: the switches and the legend that lie on the map.

import type { App } from "../app.ts";
import { button, download, h } from "../dom.ts";
import { csvOf } from "../chart/model.ts";
import { number, t } from "../i18n.ts";
import type { ColorMode } from "../store.ts";
import { colors, hue } from "../theme.ts";

export function mapTools(app: App, savePicture: () => void): HTMLElement {
  const { store } = app, s = store.state;
  const check = (key: "labels" | "trails" | "lines", label: string): HTMLElement =>
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: s[key], onchange: (event: Event) => store.set({ [key]: (event.target as HTMLInputElement).checked }) }), label);
  const color = (mode: ColorMode, label: string): HTMLElement => button(label, () => store.set({ color: mode }), { "aria-pressed": String(s.color === mode) });
  const more = h("details", { class: "chart-menu map-menu" }, h("summary", { "aria-label": t.mapMenu, title: t.mapMenu }, "⋯"),
    h("div", { class: "menu" }, check("lines", t.lines),
      h("label", { class: "check" }, t.renderer, rendererSelect(app)),
      button(t.saveAs("PNG"), savePicture), button(t.saveAs("CSV"), () => saveTable(app))));
  return h("div", { class: "map-tools" }, h("div", { class: "segments", role: "group", "aria-label": t.colorBy }, color("cluster", t.byCluster), color("movement", t.byMovement)),
    check("labels", t.labels), check("trails", t.trails), more);
}

function rendererSelect(app: App): HTMLElement {
  const { store } = app, select = h("select", { "aria-label": t.renderer });
  for (const [value, label] of [["auto", t.automatic], ["gl", "WebGL"], ["cpu", "Canvas"]] as const) select.append(h("option", { value, selected: store.state.renderer === value }, label));
  select.addEventListener("change", () => store.set({ renderer: select.value as "auto" }));
  return select;
}

function saveTable(app: App): void {
  const { run, clock } = app;
  if (!run) return;
  const at = clock.frame * run.mapWords, rows = Array.from({ length: run.mapWords }, (_, w) => [run.textOf(w), run.countOf(w),
    run.positions[2 * (at + w)]! / 30000, run.positions[2 * (at + w) + 1]! / 30000, run.clusters?.[w] ?? null, run.haveMovement[clock.frame] ? run.movement[at + w]! : null]);
  download(`map-step-${run.stepOf(clock.frame)}.csv`, new Blob(["\ufeff" + csvOf({ head: ["word", "count", "x", "y", "cluster", "movement"], rows })], { type: "text/csv" }));
}

export function mapLegend(app: App): HTMLElement {
  const { run, store } = app, map = run?.map;
  if (!map || !run) return h("div");
  if (store.state.color === "movement") {
    const ramp = h("canvas", { class: "ramp", width: 128, height: 1, "aria-hidden": "true" }), c = ramp.getContext("2d")!;
    for (let k = 0; k < 128; k++) {
      c.fillStyle = `rgb(${colors.scale.slice(6 * k, 6 * k + 3).join()})`;
      c.fillRect(k, 0, 1, 1);
    }
    return h("div", { class: "legend" }, h("span", { title: t.movementNote }, t.still), ramp, h("span", {}, t.moving));
  }
  return h("ul", { class: "legend", "aria-label": t.clusters }, ...map.clusters.map((cluster, k) => {
    const dot = h("i", { class: "dot" });
    dot.style.background = hue(k);
    return h("li", { title: t.wordsCount(number(cluster.size)) }, dot, cluster.words.slice(0, 3).map(run.textOf).join(", "));
  }));
}
