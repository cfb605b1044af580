// curve.ts: curves on the page, by uPlot, with their names at their ends and the clock as a line across.

import uPlot from "uplot";
import { h } from "../dom.ts";
import { short } from "../i18n.ts";
import { FONT } from "../map/overlay.ts";
import { colors } from "../theme.ts";
import type { CurveModel } from "./model.ts";
import { spread } from "./svg.ts";

export interface DrawnCurve {
  element: HTMLElement;
  setClock(step: number | null): void;
  destroy(): void;
}

const NAMES_MOST = 120;

function names(model: CurveModel): uPlot.Plugin {
  return {
    hooks: {
      draw: (u) => {
        const c = u.ctx, ratio = uPlot.pxRatio, { left, top, width, height } = u.bbox;
        c.save();
        c.font = `${11 * ratio}px ${FONT}`;
        c.textBaseline = "middle";
        c.textAlign = "left";
        const ends = model.curves.map((curve) => {
          let k = curve.values.length - 1;
          while (k >= 0 && (curve.values[k] === null || curve.values[k] === undefined)) k--;
          return k < 0 ? top : u.valToPos(curve.values[k]!, "y", true);
        });
        const at = spread(ends, 13 * ratio, top + 4 * ratio, top + height - 4 * ratio);
        model.curves.forEach((curve, k) => {
          c.fillStyle = curve.color;
          c.beginPath();
          c.arc(left + width + 6 * ratio, at[k]!, 3 * ratio, 0, 7);
          c.fill();
          c.fillStyle = colors.ink;
          c.fillText(curve.name, left + width + 12 * ratio, at[k]!, NAMES_MOST * ratio);
        });
        for (const mark of model.marks ?? []) {
          const x = u.valToPos(mark.x, "x", true);
          c.strokeStyle = colors.accent;
          c.setLineDash([4 * ratio, 3 * ratio]);
          c.lineWidth = ratio;
          c.beginPath();
          c.moveTo(x, top);
          c.lineTo(x, top + height);
          c.stroke();
          c.setLineDash([]);
          c.fillStyle = colors.accent;
          c.textAlign = x > left + width * 0.6 ? "right" : "left";
          c.fillText(mark.text, x + (c.textAlign === "right" ? -5 : 5) * ratio, top + 7 * ratio);
          c.textAlign = "left";
        }
        c.restore();
      },
    },
  };
}

export function drawCurve(model: CurveModel, width: number, height: number, seek: (step: number) => void): DrawnCurve {
  const element = h("div", { class: "curve" }), clock = h("div", { class: "curve-clock", hidden: true });
  const readout = h("div", { class: "curve-readout" });
  const single = model.curves.length === 1;
  const font = `11px ${FONT}`, axis = { stroke: colors.muted, font, ticks: { show: false }, grid: { stroke: colors.line, width: 1 } };
  const room = single && !model.marks ? 10 : Math.min(NAMES_MOST, Math.max(0, ...model.curves.map((c) => c.name.length * 6.4))) + 18;
  const usable = (v: number | null | undefined): boolean => v !== null && v !== undefined && Number.isFinite(v) && (!model.log || v > 0);
  const data = [model.x, ...model.curves.map((c) => c.values.map((v) => (usable(v) ? v : null)))] as uPlot.AlignedData;
  const yScale: uPlot.Scale = { distr: model.log ? 3 : 1, dir: model.downwards ? -1 : 1 };
  if (model.range) yScale.range = model.range;
  const plot = new uPlot({
    width, height, padding: [8, single && model.curves[0]!.name === model.yName ? 10 : room, 0, 0],
    legend: { show: false }, cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: false }, y: yScale },
    axes: [{ ...axis, size: 24, grid: { show: false }, space: 70, values: (_, all) => all.map((v) => short(v)) }, { ...axis, size: 50, space: 34, values: (_, all) => all.map((v) => (v === null ? "" : short(v))) }],
    series: [{}, ...model.curves.map((c) => ({ stroke: c.color, width: 1.6, dash: c.dashed ? [4, 3] : undefined, points: { show: model.x.length < 3, size: 5 }, spanGaps: false }) as uPlot.Series)],
    plugins: [names(single && model.curves[0]!.name === model.yName ? { ...model, curves: [] } : model)],
    hooks: {
      ready: [() => placeClock()],
      setCursor: [(u) => {
        const k = u.cursor.idx;
        readout.textContent = k === null || k === undefined ? "" : `${model.xName} ${short(model.x[k]!)}: ` + model.curves.map((c) => `${single ? "" : c.name + " "}${c.values[k] === null ? "–" : short(c.values[k]!)}`).join(" · ");
      }],
    },
  }, data, element);
  // uPlot knows its scales only a moment after it was made.
  let at: number | null = null, ready = false;
  function placeClock(): void {
    ready = true;
    clock.hidden = at === null || at < (model.x[0] ?? 0) || at > (model.x.at(-1) ?? 0);
    if (at !== null) clock.style.transform = `translateX(${plot.valToPos(at, "x").toFixed(1)}px)`;
  }
  plot.over.append(clock);
  plot.over.addEventListener("click", (event) => seek(plot.posToVal(event.offsetX, "x")));
  element.append(readout);
  return {
    element,
    setClock(step) {
      at = step;
      if (ready) placeClock();
    },
    destroy: () => plot.destroy(),
  };
}
