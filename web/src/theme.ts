// theme.ts: colours. Hues are those of Okabe and Ito (2008), which people with any kind of colour vision can tell apart;
// scales are cividis (Nuñez, Anderton and Renslow 2018).

import type { Theme } from "./store.ts";

// Blue, vermilion, green, purple, orange, sky, yellow; the yellow of the light theme is darker, to be seen on paper.
const HUES_LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#bfae00"];
const HUES_DARK = ["#3d9be0", "#f0763a", "#1fc497", "#df93bd", "#f0b429", "#7cc9f5", "#f0e442"];
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];

export interface Colors {
  dark: boolean;
  paper: string;
  panel: string;
  ink: string;
  muted: string;
  line: string;
  accent: string;
  warn: string;
  none: string; // points without a cluster
  hues: string[];
  scale: Uint8Array; // 256 x RGB, from still to moving
}

type Rgb = [number, number, number];
export const rgb = (hex: string): Rgb => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as Rgb;

// The end of the scale that is far from the paper is the one that moves.
function scaleOf(dark: boolean): Uint8Array {
  const stops = (dark ? CIVIDIS : [...CIVIDIS].reverse()).map(rgb);
  const [low, high] = dark ? [0.18, 1] : [0.08, 1];
  const scale = new Uint8Array(256 * 3);
  for (let k = 0; k < 256; k++) {
    const at = (low + (high - low) * (k / 255)) * (stops.length - 1);
    const from = Math.min(Math.floor(at), stops.length - 2);
    for (let c = 0; c < 3; c++) scale[3 * k + c] = Math.round(stops[from]![c]! + (at - from) * (stops[from + 1]![c]! - stops[from]![c]!));
  }
  return scale;
}

const LIGHT: Colors = {
  dark: false, paper: "#fbfaf7", panel: "#ffffff", ink: "#1b1e24", muted: "#565d68", line: "#dfdcd4", accent: "#0b62a0", warn: "#b03a00",
  none: "#9a9a94", hues: HUES_LIGHT, scale: scaleOf(false),
};
const DARK: Colors = {
  dark: true, paper: "#111318", panel: "#191c22", ink: "#eceae5", muted: "#a3abb7", line: "#2d323b", accent: "#6cb8f0", warn: "#ff9a62",
  none: "#6d7178", hues: HUES_DARK, scale: scaleOf(true),
};

export let colors: Colors = LIGHT;

const system = (): boolean => matchMedia("(prefers-color-scheme: dark)").matches;

export function applyTheme(theme: Theme): void {
  const dark = theme === "dark" || (theme === "auto" && system());
  colors = dark ? DARK : LIGHT;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

export const hue = (k: number): string => colors.hues[k % colors.hues.length]!;
export const reducedMotion = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;
