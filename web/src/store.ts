// store.ts: what the user chose. All of it stands in the address (address.ts), so that a link restores the view.

export type ViewName = "map" | "health" | "compare";
export type ColorMode = "cluster" | "movement";
export type Theme = "auto" | "light" | "dark";
export type RendererChoice = "auto" | "gl" | "cpu";
export interface Camera {
  x: number; // in units of the map's edge
  y: number;
  zoom: number; // 1: the whole map
}

export interface State {
  run: number;
  view: ViewName;
  words: number[]; // up to three
  color: ColorMode;
  trails: boolean;
  labels: boolean;
  lines: boolean;
  camera: Camera | null; // null: fitted
  axes: number[] | null; // four words that span the plane, instead of the map's own
  renderer: RendererChoice;
  theme: Theme;
  lang: "en" | "vi";
  other: { run: number; a: number; b: number } | null; // what is compared: frames of run and other.run; -1: the last
}

export const CHOSEN_MAX = 3;

export const initial = (): State => ({
  run: 0, view: "map", words: [], color: "cluster", trails: true, labels: true, lines: true, camera: null, axes: null,
  renderer: "auto", theme: "auto", lang: "en", other: null,
});

type Listener = (state: State, changed: Set<keyof State>) => void;

export class Store {
  private listeners: Listener[] = [];
  constructor(public state: State) {}

  on(listener: Listener): void {
    this.listeners.push(listener);
  }

  set(patch: Partial<State>): void {
    const changed = new Set<keyof State>();
    for (const key of Object.keys(patch) as (keyof State)[])
      if (JSON.stringify(this.state[key]) !== JSON.stringify(patch[key])) changed.add(key);
    if (changed.size === 0) return;
    this.state = { ...this.state, ...patch };
    for (const listener of this.listeners) listener(this.state, changed);
  }

  // Chooses a word alone, or adds it to those chosen (or takes it away).
  choose(word: number, add = false): void {
    const { words } = this.state;
    if (!add) this.set({ words: [word] });
    else if (words.includes(word)) this.set({ words: words.filter((w) => w !== word) });
    else this.set({ words: [...words.slice(-(CHOSEN_MAX - 1)), word] });
  }
}
