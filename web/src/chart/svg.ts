// svg.ts: charts as SVG that stands alone: the bump chart, histograms, signed bars, heat maps and scatters on the page, and curves
// when they are exported.

import { svg } from "../dom.ts";
import { number, short, t } from "../i18n.ts";
import { colors } from "../theme.ts";
import { FONT } from "../map/overlay.ts";
import { ticksOf, type BarsModel, type BumpModel, type CurveModel, type HeatModel, type Model, type ScatterModel, type SignedModel } from "./model.ts";

const SMALL = 11;

function sheet(width: number, height: number, title: string): SVGSVGElement {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title, "font-family": FONT, "font-size": SMALL, class: "drawn" });
}

const text = (x: number, y: number, content: string, props: Record<string, unknown> = {}): SVGTextElement =>
  svg("text", { x, y, fill: colors.muted, ...props }, content);

const line = (x1: number, y1: number, x2: number, y2: number, stroke = colors.line, width = 1): SVGLineElement =>
  svg("line", { x1, y1, x2, y2, stroke, "stroke-width": width });

// Ends of curves get their names; names that would cover each other are pushed apart.
export function spread(wanted: number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((y, k) => [y, k] as const).sort((a, b) => a[0] - b[0]);
  const placed = new Array<number>(wanted.length);
  let at = low - gap;
  for (const [y, k] of order) placed[k] = at = Math.max(y, at + gap);
  let limit = high;
  for (const [, k] of [...order].reverse()) {
    placed[k] = Math.min(placed[k]!, limit);
    limit = placed[k]! - gap;
  }
  return placed;
}

function curveSvg(m: CurveModel, width: number, height: number): SVGSVGElement {
  const s = sheet(width, height, m.title), right = 24 + Math.max(...m.curves.map((c) => c.name.length), 0) * 6.2, left = 52, top = 26, bottom = height - 30;
  const usable = (v: number | null): v is number => v !== null && Number.isFinite(v) && (!m.log || v > 0);
  const all = m.curves.flatMap((c) => c.values).filter(usable);
  let [low, high] = m.range ?? [Math.min(...all), Math.max(...all)];
  if (!(high > low)) [low, high] = [(low || 0) - 0.5, (high || 0) + 0.5];
  const f = (v: number): number => (m.log ? Math.log10(v) : v);
  const y = (v: number): number => {
    const share = (f(v) - f(low)) / (f(high) - f(low) || 1);
    return m.downwards ? top + share * (bottom - top) : bottom - share * (bottom - top);
  };
  const [x0, x1] = [m.x[0] ?? 0, m.x.at(-1) ?? 1], x = (v: number): number => left + ((v - x0) / (x1 - x0 || 1)) * (width - left - right);
  s.append(text(8, 14, m.title, { fill: colors.ink, "font-weight": 600 }));
  const ys = m.log ? Array.from({ length: 12 }, (_, k) => Math.pow(10, k - 4)).filter((v) => v >= low && v <= high) : ticksOf(low, high, 4);
  for (const v of ys) s.append(line(left, y(v), width - right, y(v)), text(left - 6, y(v) + 4, short(v), { "text-anchor": "end" }));
  for (const v of ticksOf(x0, x1, 4)) s.append(text(x(v), bottom + 16, short(v), { "text-anchor": "middle" }));
  s.append(text(width - right, bottom + 27, m.xName, { "text-anchor": "end" }));
  for (const mark of m.marks ?? []) s.append(line(x(mark.x), top, x(mark.x), bottom, colors.accent), text(x(mark.x) + 4, top + 10, mark.text, { fill: colors.accent }));
  const ends: number[] = [];
  for (const c of m.curves) {
    let path = "", pen = "M";
    c.values.forEach((v, k) => {
      if (!usable(v)) pen = "M";
      else {
        path += `${pen}${x(m.x[k]!).toFixed(1)} ${y(v).toFixed(1)}`;
        pen = "L";
      }
    });
    s.append(svg("path", { d: path, fill: "none", stroke: c.color, "stroke-width": 1.6, "stroke-dasharray": c.dashed ? "4 3" : "none" }));
    ends.push(y([...c.values].reverse().find(usable) ?? low));
  }
  if (m.curves.length > 1) {
    const at = spread(ends, 13, top + 6, bottom);
    m.curves.forEach((c, k) => s.append(text(width - right + 6, at[k]! + 4, c.name, { fill: colors.ink }), svg("circle", { cx: width - right + 2, cy: at[k]!, r: 2.5, fill: c.color })));
  }
  return s;
}

function barsSvg(m: BarsModel, width: number, height: number): SVGSVGElement {
  const s = sheet(width, height, m.title), left = 8, right = 8, top = 22, bottom = height - 22;
  const bins = m.series[0]?.counts.length ?? 1, most = Math.max(1, ...m.series.flatMap((b) => b.counts));
  const each = (width - left - right) / bins;
  m.series.forEach((b, k) => {
    if (m.series.length === 1) {
      b.counts.forEach((n, j) => n > 0 && s.append(svg("rect", { x: left + j * each + 0.5, width: Math.max(0.5, each - 1), y: bottom - (n / most) * (bottom - top), height: (n / most) * (bottom - top), fill: b.color })));
    } else {
      let path = `M${left} ${bottom}`;
      b.counts.forEach((n, j) => (path += `V${(bottom - (n / most) * (bottom - top)).toFixed(1)}H${(left + (j + 1) * each).toFixed(1)}`));
      s.append(svg("path", { d: path + `V${bottom}Z`, fill: b.color, "fill-opacity": 0.22, stroke: b.color, "stroke-width": 1.4 }));
    }
    if (m.series.length > 1)
      s.append(svg("circle", { cx: width - right - 4, cy: 10 + 14 * k, r: 3.5, fill: b.color }), text(width - right - 12, 14 + 14 * k, b.name, { "text-anchor": "end", fill: colors.ink }));
  });
  s.append(line(left, bottom, width - right, bottom, colors.muted));
  for (const v of ticksOf(m.low, m.high, 4)) {
    const at = left + ((v - m.low) / (m.high - m.low)) * (width - left - right);
    s.append(text(at, bottom + 15, short(v), { "text-anchor": at < 16 ? "start" : at > width - 16 ? "end" : "middle" }));
  }
  return s;
}

function bumpSvg(m: BumpModel, width: number, height: number, pick?: (key: number) => void): SVGSVGElement {
  const s = sheet(width, height, m.title), left = 20, top = 10, bottom = height - 20;
  const right = 16 + Math.max(20, ...m.rows.filter((r) => r.ranks.at(-1)).map((r) => Math.min(16, r.name.length) * 6.4));
  const [x0, x1] = [m.steps[0] ?? 0, m.steps.at(-1) ?? 1];
  const x = (step: number): number => left + ((step - x0) / (x1 - x0 || 1)) * (width - left - right);
  const y = (rank: number): number => top + ((rank - 0.5) / m.depth) * (bottom - top);
  for (let rank = 1; rank <= m.depth; rank += 1) {
    s.append(line(left, y(rank), width - right, y(rank)));
    if (rank === 1 || rank % 5 === 0) s.append(text(left - 5, y(rank) + 4, String(rank), { "text-anchor": "end" }));
  }
  for (const row of [...m.rows].sort((a, b) => Number(a.strong) - Number(b.strong))) {
    let path = "", before = -2;
    row.ranks.forEach((rank, k) => {
      if (rank === null) return;
      const [px, py] = [x(m.steps[k]!), y(rank)];
      if (before === k - 1) {
        const mid = (x(m.steps[before]!) + px) / 2;
        path += `C${mid.toFixed(1)} ${y(row.ranks[before]!).toFixed(1)} ${mid.toFixed(1)} ${py.toFixed(1)} ${px.toFixed(1)} ${py.toFixed(1)}`;
      } else path += `M${px.toFixed(1)} ${py.toFixed(1)}h.01`;
      before = k;
    });
    const group = svg("g", { class: pick ? "pickable" : "", opacity: row.strong ? 1 : 0.35 }, svg("path", { d: path, fill: "none", stroke: row.color, "stroke-width": row.strong ? 2.2 : 1.4, "stroke-linecap": "round" }), svg("title", {}, row.name));
    const last = row.ranks.at(-1);
    if (last) group.append(text(width - right + 6, y(last) + 4, row.name.length > 16 ? row.name.slice(0, 15) + "…" : row.name, { fill: colors.ink }));
    if (pick) group.addEventListener("click", () => pick(row.key));
    s.append(group);
  }
  for (const v of ticksOf(x0, x1, 3)) s.append(text(x(v), height - 5, short(v), { "text-anchor": v === x0 ? "start" : "middle" }));
  return s;
}

function signedSvg(m: SignedModel, width: number): SVGSVGElement {
  const row = 21, height = m.rows.length * row + 4, s = sheet(width, height, m.title), names = Math.min(150, width * 0.4), values = 52;
  // What is left over may be larger than all parts together: its bar ends in an arrow rather than set the scale.
  const most = Math.max(1e-9, ...m.rows.filter((r) => !r.rest).map((r) => Math.abs(r.value)));
  const middle = names + (width - names - values) / 2, half = (width - names - values) / 2 - 9;
  s.append(line(middle, 0, middle, height, colors.muted));
  m.rows.forEach((r, k) => {
    const y = k * row + 14, beyond = Math.abs(r.value) > most, length = Math.min(1, Math.abs(r.value) / most) * half, side = r.value < 0 ? -1 : 1;
    if (beyond) s.append(svg("path", { d: `M${middle + side * (half + 1)} ${y - 10}l${side * 6} 6l${-side * 6} 6z`, fill: colors.hues[r.value < 0 ? 1 : 0]! }));
    const label = r.note ? `${r.name} · ${r.note}` : r.name;
    s.append(text(names - 6, y, label.length > 24 ? label.slice(0, 23) + "…" : label, { "text-anchor": "end", fill: colors.ink, "font-weight": r.total ? 650 : 400 }),
      svg("rect", { x: r.value < 0 ? middle - length : middle, width: Math.max(0.5, length), y: y - 10, height: 12, rx: 2, fill: r.total ? colors.muted : colors.hues[r.value < 0 ? 1 : 0]! }),
      text(width - 2, y, (r.value > 0 ? "+" : "") + number(r.value, 3), { "text-anchor": "end", "font-weight": r.total ? 650 : 400 }));
  });
  return s;
}

// Blue below zero, vermilion above, the paper's colour at zero.
function heatSvg(m: HeatModel, width: number): SVGSVGElement {
  const names = 76, row = 9, columns = m.values[0]?.length ?? 1, each = (width - names) / columns;
  const s = sheet(width, m.rows.length * row + 2, m.title);
  m.values.forEach((values, r) => {
    s.append(text(names - 5, r * row + 8, m.rows[r]!.slice(0, 13), { "text-anchor": "end", "font-size": 9 }));
    values.forEach((v, c) => {
      const strength = Math.min(1, Math.abs(v) / m.limit);
      if (strength > 0.02) s.append(svg("rect", { x: (names + c * each).toFixed(2), y: r * row, width: (each + 0.3).toFixed(2), height: row, fill: colors.hues[v < 0 ? 0 : 1]!, "fill-opacity": strength.toFixed(2) }));
    });
  });
  return s;
}

// One scale for both axes, so that what is alike lies on the diagonal.
function scatterSvg(m: ScatterModel, width: number, height: number): SVGSVGElement {
  const s = sheet(width, height, m.title), side = Math.min(width - 84, height - 40), left = (width - side) / 2 + 20, top = 8;
  const edge = Math.max(1e-12, ...m.x.map(Math.abs), ...m.y.map(Math.abs)) * 1.05, ticks = ticksOf(-edge, edge, 4);
  const x = (v: number): number => left + ((v + edge) / (2 * edge)) * side, y = (v: number): number => top + side - ((v + edge) / (2 * edge)) * side;
  s.append(svg("path", { d: `M${x(-edge)} ${y(-edge)}L${x(edge)} ${y(edge)}`, stroke: colors.line, "stroke-dasharray": "4 3" }));
  for (const v of ticks)
    s.append(line(x(v), top, x(v), top + side, v === 0 ? colors.muted : colors.line), line(left, y(v), left + side, y(v), v === 0 ? colors.muted : colors.line),
      text(x(v), top + side + 14, short(v), { "text-anchor": "middle" }), text(left - 5, y(v) + 4, short(v), { "text-anchor": "end" }));
  m.x.forEach((v, k) => s.append(svg("circle", { cx: x(v).toFixed(1), cy: y(m.y[k]!).toFixed(1), r: 2.4, fill: m.color, "fill-opacity": 0.65 })));
  s.append(text(left + side / 2, top + side + 28, m.xName, { "text-anchor": "middle", fill: colors.ink }),
    text(0, 0, m.yName, { "text-anchor": "middle", fill: colors.ink, transform: `translate(${(left - 46).toFixed(1)} ${top + side / 2}) rotate(-90)` }));
  return s;
}

export function svgOf(model: Model, width: number, height: number, pick?: (key: number) => void): SVGSVGElement {
  switch (model.kind) {
    case "curve": return curveSvg(model, width, height);
    case "bars": return barsSvg(model, width, height);
    case "bump": return bumpSvg(model, width, height, pick);
    case "signed": return signedSvg(model, width);
    case "heat": return heatSvg(model, width);
    case "scatter": return scatterSvg(model, width, height);
  }
}

export const described = (model: Model): string => (model.kind === "curve" ? t.chartOf(model.title, model.curves.map((c) => c.name)) : model.title);
