// states.ts: what the page says instead of a map where there is none, and above it where something is missing.

import { button, h } from "./dom.ts";
import { number, t } from "./i18n.ts";
import { commandBox } from "./ledger.ts";
import type { Run } from "./run.ts";

export function noRuns(): HTMLElement {
  return h("div", { class: "state" }, h("h2", {}, t.noRunsTitle), h("p", {}, t.noRunsText),
    commandBox("vectrail train text.txt --run runs/first && vectrail serve runs/first"), h("p", { class: "note" }, t.noRunsLive));
}

export function noMap(run: Run): HTMLElement {
  const { error, help, state, snapshots, path } = run.summary;
  if (state === "training" && snapshots === 0) return h("div", { class: "state" }, h("div", { class: "spinner", "aria-hidden": "true" }), h("h2", {}, t.firstSnapshotTitle), h("p", {}, t.firstSnapshotText));
  if (error) return h("div", { class: "state" }, h("h2", {}, t.noMapTitle), h("p", {}, error), help ? h("p", { class: "note" }, help) : null, state === "stopped" ? commandBox(`vectrail resume ${path}`) : null);
  return h("div", { class: "state" }, h("div", { class: "spinner", "aria-hidden": "true" }), h("h2", {}, t.openingTitle), h("p", {}, t.openingText));
}

export function failed(text: string, again: () => void): HTMLElement {
  return h("div", { class: "state" }, h("h2", {}, t.failedTitle), h("p", {}, text), button(t.tryAgain, again, { class: "primary" }));
}

export interface Notice {
  key: string;
  text: string;
  command?: string;
  tone: "warn" | "info";
}

// What a reader should know before believing the picture.
export function noticesOf(run: Run, served: boolean): Notice[] {
  const { summary } = run, notices: Notice[] = [], { settings, last } = summary, steps = Number(settings.steps);
  if (!served) notices.push({ key: "gone", text: t.serverGone, command: `vectrail serve ${summary.path}`, tone: "warn" });
  if (summary.state === "stopped") notices.push({ key: "stopped", text: t.stoppedNotice(number(last.step), steps > 0 ? number(steps) : "?"), command: `vectrail resume ${summary.path}`, tone: "warn" });
  if (summary.state === "diverged") notices.push({ key: "diverged", text: t.divergedNotice(number(run.stepOf(Math.max(0, run.frames - 1)))), tone: "warn" });
  if (summary.skipped.length > 0) notices.push({ key: "skipped", text: t.skippedNotice(summary.skipped.map((s) => number(s)).join(", ")), tone: "warn" });
  if (run.frames === 1 && summary.state !== "diverged") notices.push({ key: "one", text: t.oneSnapshotNotice, tone: "info" });
  if (run.mapWords > 0 && run.mapWords < 30) notices.push({ key: "few", text: t.fewWordsNotice(number(run.mapWords)), tone: "info" });
  return notices;
}

export function noticeBar(notice: Notice, close: () => void): HTMLElement {
  return h("div", { class: `notice ${notice.tone}`, role: notice.tone === "warn" ? "alert" : "status" }, h("span", {}, notice.text), notice.command ? commandBox(notice.command) : null,
    button("×", close, { "aria-label": t.close, class: "close" }));
}
