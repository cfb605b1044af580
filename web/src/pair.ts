// pair.ts: how two words came together: their cosine over time, their ranks among each other's neighbours, the step from
// which they were neighbours, and the numbers of their vectors against each other, before and after.

import type { App } from "./app.ts";
import { Card } from "./chart/card.ts";
import { h } from "./dom.ts";
import { number, t } from "./i18n.ts";
import { overFrames, runPath } from "./source.ts";
import { colors } from "./theme.ts";
import type { Coordinates, Pair } from "./types.ts";
import { Waiting } from "./waiting.ts";

const CLOSE = 10;

// The first frame from which on each was among the other's ten nearest; null where they are not at the end.
export function neighborsSince(pairs: Pair[]): number | null {
  let since: number | null = null;
  for (let f = pairs.length - 1; f >= 0; f--) {
    const [, ab, ba] = pairs[f]!;
    if (!(ab > 0 && ba > 0 && ab <= CLOSE && ba <= CLOSE)) break;
    since = f;
  }
  return since;
}

async function scatterCards(app: App, [a, b]: [number, number], signal: AbortSignal, add: (card: Card) => void): Promise<void> {
  const run = app.run!, frames = run.frames > 1 ? [0, run.frames - 1] : [0];
  for (const frame of frames) {
    const told = await app.facts!.once(`coordinates ${a} ${b} ${frame}`, signal, () => app.source.json<Coordinates>(runPath(run.id, "coordinates"), { a, b, frame })).catch(() => null);
    if (signal.aborted || told === null) return; // a report has the vectors of frequent words alone
    const title = t.coordinatesTitle(number(run.stepOf(frame)), number(told.cosine, 3));
    add(new Card(app, { kind: "scatter", title, xName: run.textOf(a), yName: run.textOf(b), color: colors.hues[frame === 0 && run.frames > 1 ? 1 : 0]!, x: told.a, y: told.b }, { height: 300, note: frame === frames.at(-1) ? t.coordinatesNote : undefined }));
  }
}

export async function pairCards(app: App, words: number[], signal: AbortSignal, add: (card: Card) => void, put: (element: HTMLElement) => void): Promise<void> {
  const run = app.run!, name = (w: number): string => run.textOf(w);
  const couples: [number, number][] = words.length === 2 ? [[words[0]!, words[1]!]] : [[words[0]!, words[1]!], [words[0]!, words[2]!], [words[1]!, words[2]!]];
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort(signal.reason));
  const waiting = new Waiting(t.cosineOverTime, () => stop.abort(new DOMException("cancelled", "AbortError")));
  put(waiting.element);
  try {
    const all: Pair[][] = [];
    for (const [a, b] of couples)
      all.push(await app.facts!.once(`pair ${a} ${b}`, stop.signal, () => overFrames<Pair>(app.source, runPath(run.id, "pair"), { a, b, ranks: 1 }, run.frames, stop.signal, (share) => waiting.told((all.length + share) / couples.length))));
    waiting.element.remove();
    const x = Array.from({ length: run.frames }, (_, f) => run.stepOf(f)), since = neighborsSince(all[0]!);
    if (words.length === 2) {
      const last = all[0]!.at(-1)!;
      put(h("p", { class: "lead" }, since === null ? t.notNeighbors(name(words[0]!), name(words[1]!), number(last[0], 3), number(last[1]), number(last[2])) : t.neighborsSince(name(words[0]!), name(words[1]!), number(run.stepOf(since)), number(last[0], 3))));
    }
    add(new Card(app, { kind: "curve", title: t.cosineOverTime, xName: t.step, yName: t.cosine, x, marks: words.length === 2 && since !== null && since > 0 ? [{ x: run.stepOf(since), text: t.neighborsMark }] : [],
      curves: couples.map(([a, b], k) => ({ name: words.length === 2 ? t.cosine : `${name(a)} · ${name(b)}`, color: colors.hues[k]!, values: all[k]!.map((p) => p[0]) })) }, { height: 170 }));
    if (all[0]!.some((p) => p[1] > 0))
      add(new Card(app, { kind: "curve", title: t.ranksOverTime, xName: t.step, yName: t.rank, x, log: true, downwards: true,
        curves: couples.flatMap(([a, b], k) => (words.length === 2
          ? [{ name: t.rankOf(name(b), name(a)), color: colors.hues[1]!, values: all[k]!.map((p) => p[1]) }, { name: t.rankOf(name(a), name(b)), color: colors.hues[2]!, values: all[k]!.map((p) => p[2]) }]
          : [{ name: `${name(a)} · ${name(b)}`, color: colors.hues[k]!, values: all[k]!.map((p) => Math.sqrt(p[1] * p[2])) }])) }, { height: 170, note: words.length === 2 ? t.ranksNote : t.ranksNoteThree }));
    if (words.length === 2) await scatterCards(app, couples[0]!, stop.signal, add);
  } catch (cause) {
    waiting.failed(cause);
  }
}
