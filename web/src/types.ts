// types.ts: what the server tells (docs/http-api.md).

export interface Runs {
  version: string;
  runs: { id: number; path: string }[];
}

export type RunState = "training" | "stopped" | "finished" | "diverged" | "imported";

export interface Event {
  step: number;
  kind: string;
  severity: string;
  text: string;
}

export interface Convergence {
  converged: boolean;
  begun: boolean;
  loss_level: boolean;
  gradient_level: boolean;
  speed_level: boolean;
  neighbors_level: boolean;
  measurements: number;
  step: number;
  last_step: number;
  loss_change?: number;
  overlap?: number;
  update_ratio?: number;
}

export interface Cluster {
  size: number;
  born: number;
  words: number[];
  together: number[];
}

export interface MapFacts {
  view: number;
  words: number;
  dim: number;
  steps: number[];
  share: [number, number];
  edge: number;
  weight_edge: number;
  pooled_words: number;
  pooled_frames: number;
  positions: number;
  movement: number;
  clusters: Cluster[];
}

export interface Summary {
  id: number;
  path: string;
  generation: number;
  state: RunState;
  words: number;
  snapshots: number;
  last: { step: number; epoch: number; tokens: number; seconds: number };
  settings: Record<string, string>;
  events: Event[];
  series: Record<string, [number[], (number | null)[]]>;
  convergence: Convergence | null;
  ledger: number[];
  skipped: number[];
  error?: string;
  help?: string;
  map?: MapFacts;
}

export interface Pulse {
  generation: number;
  state: RunState;
  step: number;
  view?: number;
  frames?: number;
  positions?: number;
  clusters?: boolean;
  movement?: number;
}

export interface Words {
  texts: string[];
  counts: number[];
}

export interface OverFrames<T> {
  first: number;
  frames: T[];
}

export type Neighbors = [id: number, cosine: number][];
export type Pair = [cosine: number, rankAB: number, rankBA: number];
export interface Coordinates {
  cosine: number;
  a: number[];
  b: number[];
}
export type Story = [length: number, displacement: number, speed: number | null];

export interface Movers {
  frame: number;
  words: [id: number, movement: number, length: number, displacement: number, speed: number | null][];
}

export interface Table {
  low: number;
  high: number;
  weights: number[];
  cosines: number[];
  heat: number[][];
}

export interface Contribution {
  source: number;
  role: string;
  updates: number;
  contribution: number;
  over_time: number[];
}

export interface Explanation {
  word: number;
  toward: number | null;
  by: string;
  step: number;
  cosine: number | null;
  baseline: number;
  start: number | null;
  displacement: number;
  length: number;
  residual: number | null;
  spans: number[];
  contributions: Contribution[];
  rest: number;
}

export interface Diagnosis {
  step: number;
  findings: { kind: string; what: string; evidence: string; remedy: string; series: string[] }[];
  sound: string[];
  unknown: { kind: string; why: string }[];
}

export interface Measures {
  steps: number[];
  series: Record<string, (number | null)[]>;
  texts: Record<string, string>;
  notes: string[];
}

export interface Comparison {
  common: number;
  aligned: boolean;
  sample: number;
  among: number;
  overlap: { mean: number; histogram: number[] };
  cosine: { mean: number; median: number; histogram: number[] };
  least: { a: number; b: number; overlap: number; cosine: number; near_a: Neighbors; near_b: Neighbors }[];
  settings: { key: string; a: string | null; b: string | null }[];
}
