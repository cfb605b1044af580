// app.ts: what all parts of the page share.

import type { Clock } from "./clock.ts";
import type { Run } from "./run.ts";
import { overFrames, runPath, type Source } from "./source.ts";
import type { Store } from "./store.ts";
import type { Neighbors, Runs } from "./types.ts";

export interface App {
  source: Source;
  store: Store;
  clock: Clock;
  runs: Runs;
  run: Run | null;
  facts: WordFacts | null;
  announce(text: string): void;
}

// A part of the page: it draws itself when told.
export interface Part {
  readonly element: HTMLElement;
  runChanged?(): void; // another run, or new frames of it
  stateChanged?(changed: Set<string>): void;
  clockChanged?(): void;
  dataChanged?(what: string): void;
}

export const NEAR = 10;

// Answers about words that several parts need, asked for once.
export class WordFacts {
  private asked = new Map<string, Promise<unknown>>();
  private done = new Set<string>(); // an answer that is there outlives who asked
  private near = new Map<string, Neighbors>();

  constructor(private source: Source, private run: Run) {}

  private get view(): number {
    return this.run.map?.view ?? 0;
  }

  once<T>(key: string, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    const whole = `${this.view} ${key}`;
    let answer = this.asked.get(whole) as Promise<T> | undefined;
    if (!answer) {
      answer = ask();
      this.asked.set(whole, answer);
      answer.catch(() => this.asked.delete(whole));
      signal.addEventListener("abort", () => this.asked.get(whole) === answer && !this.done.has(whole) && this.asked.delete(whole));
      answer.then(() => this.done.add(whole), () => undefined);
      if (this.asked.size > 400) this.asked.delete(this.asked.keys().next().value!);
    }
    return answer;
  }

  // The nearest words at one frame; at once where they are known.
  known(word: number, frame: number): Neighbors | undefined {
    return this.near.get(`${this.view} ${word} ${frame}`);
  }

  remember(word: number, frame: number, neighbors: Neighbors): void {
    if (this.near.size > 20000) this.near.clear();
    this.near.set(`${this.view} ${word} ${frame}`, neighbors);
  }

  async neighbors(word: number, frame: number, signal?: AbortSignal): Promise<Neighbors> {
    const known = this.known(word, frame);
    if (known) return known;
    const path = runPath(this.run.id, "neighbors");
    const reply = await this.source.json<{ frames: Neighbors[] }>(path, { word, k: NEAR, first: frame, count: 1 }, signal);
    const found = reply.frames[0] ?? [];
    this.remember(word, frame, found);
    return found;
  }

  async neighborsOverTime(word: number, signal?: AbortSignal, told?: (share: number) => void): Promise<Neighbors[]> {
    const frames = this.run.frames;
    const all = Array.from({ length: frames }, (_, f) => this.known(word, f));
    if (all.every((found) => found)) return all as Neighbors[];
    const found = await overFrames<Neighbors>(this.source, runPath(this.run.id, "neighbors"), { word, k: NEAR }, frames, signal, told);
    found.forEach((neighbors, f) => this.remember(word, f, neighbors));
    return found;
  }
}
