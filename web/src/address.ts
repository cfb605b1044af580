// address.ts: the state as the part of the address behind "#", and back. Words stand by their spelling and moments by
// their step, so that a link still means the same after another training.

import type { State } from "./store.ts";

export interface Moment {
  step: number | null;
}

export interface Vocabulary {
  textOf(word: number): string;
  find(text: string): number | undefined;
}

const FLAGS = ["trails", "labels", "lines"] as const;

export function toAddress(state: State, step: number | null, words: Vocabulary): string {
  const q = new URLSearchParams();
  if (state.run !== 0) q.set("run", String(state.run));
  if (state.view !== "map") q.set("view", state.view);
  if (step !== null) q.set("step", String(step));
  for (const word of state.words) q.append("word", words.textOf(word));
  if (state.color !== "cluster") q.set("color", state.color);
  const off = FLAGS.filter((flag) => !state[flag]);
  if (off.length > 0) q.set("hide", off.join(" "));
  if (state.camera) {
    const { x, y, zoom } = state.camera;
    q.set("at", [x.toFixed(4), y.toFixed(4), zoom.toFixed(3)].join(" "));
  }
  for (const word of state.axes ?? []) q.append("axis", words.textOf(word));
  if (state.renderer !== "auto") q.set("renderer", state.renderer);
  if (state.theme !== "auto") q.set("theme", state.theme);
  if (state.lang !== "en") q.set("lang", state.lang);
  if (state.other) q.set("with", [state.other.run, state.other.a, state.other.b].join(" "));
  return "#" + q.toString();
}

const oneOf = <T extends string>(value: string | null, choices: readonly T[], fallback: T): T =>
  choices.includes(value as T) ? (value as T) : fallback;

// What a malformed address says is left out, never an error.
export function fromAddress(hash: string, base: State): { state: State; step: number | null; words: string[]; axes: string[] } {
  const q = new URLSearchParams(hash.replace(/^#/, ""));
  const list = (name: string): string[] => (q.get(name) ?? "").split(" ").filter((text) => text !== "");
  const numbers = (name: string, count: number): number[] | null => {
    const found = list(name).map(Number);
    return found.length === count && found.every(Number.isFinite) ? found : null;
  };
  const hidden = list("hide");
  const at = numbers("at", 3);
  const other = numbers("with", 3);
  const run = Number(q.get("run") ?? 0);
  const state: State = {
    ...base,
    run: Number.isInteger(run) && run >= 0 ? run : 0,
    view: oneOf(q.get("view"), ["map", "health", "compare"], "map"),
    words: [],
    color: oneOf(q.get("color"), ["cluster", "movement"], "cluster"),
    trails: !hidden.includes("trails"),
    labels: !hidden.includes("labels"),
    lines: !hidden.includes("lines"),
    camera: at ? { x: at[0]!, y: at[1]!, zoom: Math.max(0.2, Math.min(200, at[2]!)) } : null,
    axes: null,
    renderer: oneOf(q.get("renderer"), ["auto", "gl", "cpu"], "auto"),
    theme: oneOf(q.get("theme"), ["auto", "light", "dark"], base.theme),
    lang: oneOf(q.get("lang"), ["en", "vi"], base.lang),
    other: other ? { run: other[0]!, a: other[1]!, b: other[2]! } : null,
  };
  const step = q.has("step") ? Number(q.get("step")) : NaN;
  return { state, step: Number.isFinite(step) ? step : null, words: q.getAll("word").slice(0, 3), axes: q.getAll("axis").slice(0, 4) };
}
