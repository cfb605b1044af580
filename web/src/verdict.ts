// verdict.ts: how the training went, in one sentence.

import { number, t } from "./i18n.ts";
import type { Run } from "./run.ts";

export interface Verdict {
  text: string;
  tone: "good" | "fair" | "bad" | "live";
}

// The share of a word's nearest ten that changed lately: overlap is that of Jaccard, of two lists of ten; s in common make
// an overlap of s / (20 - s).
export const changedShare = (overlap: number): number => 1 - (2 * overlap) / (1 + overlap);

export function verdictOf(run: Run): Verdict {
  const { state, convergence: c, last, events, settings } = run.summary, step = number(last.step);
  if (state === "diverged") {
    const event = [...events].reverse().find((e) => e.kind === "diverged");
    return { text: t.verdictDiverged(number(event?.step ?? last.step)), tone: "bad" };
  }
  const steps = Number(settings.steps);
  if (state === "training") {
    const share = steps > 0 ? last.step / steps : NaN;
    return { text: t.verdictTraining(step, Number.isFinite(share) ? number(Math.floor(100 * share)) + "%" : ""), tone: "live" };
  }
  if (state === "stopped") return { text: t.verdictStopped(step, steps > 0 ? number(steps) : ""), tone: "bad" };
  if (state === "imported" && (!c || c.measurements < 21)) return { text: t.verdictImported(run.frames, number(run.frames)), tone: "fair" };
  if (!c) return { text: t.verdictFinished(step), tone: "fair" };
  const changed = c.overlap !== undefined ? percent(changedShare(c.overlap)) : "";
  if (c.converged) return { text: t.verdictConverged(changed, number(c.step)), tone: "good" };
  const missing = [!c.loss_level && t.theLoss, !c.gradient_level && t.theGradient, !c.speed_level && t.theSpeed, !c.neighbors_level && t.theNeighbors].filter((x): x is string => !!x);
  if (c.measurements < 21) return { text: t.verdictShort(step), tone: "fair" };
  return { text: c.begun ? t.verdictNotConverged(missing, changed) : t.verdictNotBegun(), tone: "fair" };
}

const percent = (share: number): string => (share < 0.01 ? t.under1 : number(Math.round(100 * share)) + "%");
