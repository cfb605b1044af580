// model.ts: charts as data. From one model come the picture on the page, the table beside it, and what is exported.

export interface Curve {
  name: string;
  color: string;
  values: (number | null)[];
  dashed?: boolean;
}

export interface CurveModel {
  kind: "curve";
  title: string;
  xName: string;
  yName: string;
  x: number[];
  curves: Curve[];
  log?: boolean; // the y axis; ranks fall downwards then
  downwards?: boolean; // small values above
  range?: [number, number];
  marks?: { x: number; text: string }[];
}

export interface BarsModel {
  kind: "bars";
  title: string;
  xName: string;
  yName: string;
  low: number;
  high: number;
  series: { name: string; color: string; counts: number[] }[];
}

// Who was at which rank at each step, best above.
export interface BumpModel {
  kind: "bump";
  title: string;
  steps: number[];
  depth: number;
  rows: { name: string; color: string; ranks: (number | null)[]; key: number; strong: boolean }[];
}

export interface SignedModel {
  kind: "signed";
  title: string;
  valueName: string;
  rows: { name: string; note: string; value: number; key: number | null; total?: boolean; rest?: boolean }[];
}

export interface HeatModel {
  kind: "heat";
  title: string;
  rowName: string;
  rows: string[];
  values: number[][];
  limit: number; // the colour of +-limit is the strongest
}

export interface ScatterModel {
  kind: "scatter";
  title: string;
  xName: string;
  yName: string;
  color: string;
  x: number[];
  y: number[];
}

export type Model = CurveModel | BarsModel | BumpModel | SignedModel | HeatModel | ScatterModel;

export interface Sheet {
  head: string[];
  rows: (string | number | null)[][];
}

export function sheetOf(model: Model): Sheet {
  switch (model.kind) {
    case "curve":
      return { head: [model.xName, ...model.curves.map((c) => c.name)], rows: model.x.map((x, k) => [x, ...model.curves.map((c) => c.values[k] ?? null)]) };
    case "bars": {
      const bins = model.series[0]?.counts.length ?? 0, width = (model.high - model.low) / Math.max(1, bins);
      return { head: [model.xName, ...model.series.map((s) => s.name)], rows: Array.from({ length: bins }, (_, k) => [+(model.low + k * width).toPrecision(6), ...model.series.map((s) => s.counts[k]!)]) };
    }
    case "bump":
      return { head: ["step", ...model.rows.map((r) => r.name)], rows: model.steps.map((step, k) => [step, ...model.rows.map((r) => r.ranks[k] ?? null)]) };
    case "signed":
      return { head: ["", "", model.valueName], rows: model.rows.map((r) => [r.name, r.note, +r.value.toPrecision(5)]) };
    case "scatter":
      return { head: ["", model.xName, model.yName], rows: model.x.map((x, k) => [k + 1, +x.toPrecision(5), +(model.y[k] ?? NaN).toPrecision(5)]) };
    case "heat":
      return { head: [model.rowName, ...(model.values[0] ?? []).map((_, k) => String(k + 1))], rows: model.rows.map((name, k) => [name, ...(model.values[k] ?? [])]) };
  }
}

// RFC 4180. A field that a spreadsheet would take for a formula is quoted behind an apostrophe.
export function csvOf(sheet: Sheet): string {
  const field = (value: string | number | null): string => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [sheet.head, ...sheet.rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

// About `count` round numbers between low and high.
export function ticksOf(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count, power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? rough;
  const ticks: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(+(k * step).toPrecision(12));
  return ticks;
}

// Smooths with a running mean of `width` values, those that are undefined left out.
export function smooth(values: (number | null)[], width: number): (number | null)[] {
  const half = Math.floor(width / 2);
  return values.map((_, k) => {
    let sum = 0, count = 0;
    for (let j = Math.max(0, k - half); j <= Math.min(values.length - 1, k + half); j++)
      if (values[j] !== null && values[j] !== undefined) [sum, count] = [sum + values[j]!, count + 1];
    return count > 0 ? sum / count : null;
  });
}
