// main.ts: where the page begins: finds out where its data is, opens the run that the address names, and passes on what
// happens: to the state, to the clock, to a run that is still training.

import { WordFacts, type App } from "./app.ts";
import { fromAddress, toAddress } from "./address.ts";
import { Clock } from "./clock.ts";
import { h } from "./dom.ts";
import { number, setLanguage, t } from "./i18n.ts";
import { listen } from "./keyboard.ts";
import { openReport } from "./report.ts";
import { Run } from "./run.ts";
import { Shell } from "./shell.ts";
import { Refused, runPath, runsOf, ServerSource } from "./source.ts";
import { failed } from "./states.ts";
import { initial, Store } from "./store.ts";
import { applyTheme } from "./theme.ts";
import type { Pulse, Summary } from "./types.ts";
import { explain } from "./waiting.ts";

const root = document.getElementById("app")!;
let shell: Shell;
let app: App;
let watching: AbortController | null = null;
let opening = 0;

function base(): ReturnType<typeof initial> {
  const state = initial();
  if ((navigator.language || "en").toLowerCase().startsWith("vi")) state.lang = "vi";
  return state;
}

// ---- opening a run ---------------------------------------------------------------------------------------------------

async function openRun(id: number, wanted: ReturnType<typeof fromAddress> | null): Promise<void> {
  const turn = ++opening;
  watching?.abort(new DOMException("closed", "AbortError"));
  app.run?.close();
  app.run = null;
  app.facts = null;
  try {
    const summary = await app.source.json<Summary>(runPath(id));
    if (turn !== opening) return;
    const run = new Run(id, app.source, summary, (what) => turn === opening && dataChanged(what));
    app.run = run;
    app.facts = new WordFacts(app.source, run);
    app.clock.frames = 0;
    if (!app.source.offline) watch(run);
    if (run.map) await showRun(run, wanted);
    else shell.runChanged();
  } catch (cause) {
    if (turn === opening) shell ? fail(cause) : Promise.reject(cause);
  }
}

// The words and the first picture; then all the other frames.
async function showRun(run: Run, wanted: ReturnType<typeof fromAddress> | null): Promise<void> {
  app.clock.setFrames(run.frames);
  if (wanted?.step !== null && wanted !== null) app.clock.seek(run.frameAt(wanted.step));
  run.makeRoom();
  const words = run.loadWords(), map = run.loadMap(app.clock.frame);
  map.catch(() => undefined); // told below, after the words
  shell.draw();
  shell.map.prepare();
  try {
    await words;
    shell.runChanged();
    choose(run, wanted);
    await map;
  } catch (cause) {
    fail(cause);
  }
}

function choose(run: Run, wanted: ReturnType<typeof fromAddress> | null): void {
  const ids = (texts: string[]): number[] => texts.map(run.find).filter((id): id is number => id !== undefined);
  if (!wanted) return;
  const missing = wanted.words.filter((text) => run.find(text) === undefined);
  if (missing.length > 0) shell.announce(t.notInVocabulary(missing[0]!, String(run.summary.words), ""));
  const axes = ids(wanted.axes), unknown = wanted.axes.find((text) => run.find(text) === undefined);
  if (unknown !== undefined) shell.planeFailed(t.notInVocabulary(unknown, number(run.summary.words), ""));
  app.store.set({ words: ids(wanted.words), axes: axes.length === 4 ? axes : null });
}

function dataChanged(what: string): void {
  if (what === "view") void refresh();
  else if (app.run && app.run.words.texts.length > 0) shell.dataChanged(what); // before, nothing is drawn yet
}

// The plane that the state names, or the map. What cannot be shown is said, and the map stays.
async function showPlane(): Promise<void> {
  const { run, store, clock } = app, { axes } = store.state;
  if (!run?.map || JSON.stringify(run.axes) === JSON.stringify(axes)) return;
  try {
    await run.showPlane(axes, clock.frame);
  } catch (cause) {
    if (app.run !== run || (cause instanceof DOMException && cause.name === "AbortError") || (cause instanceof Refused && cause.status === 409)) return;
    shell.planeFailed(cause instanceof Refused && cause.status === 422 ? t.noPlane : explain(cause));
    if (!run.axes) store.set({ axes: null });
  }
}

function fail(cause: unknown): void {
  if (cause instanceof DOMException && cause.name === "AbortError") return;
  console.error(cause);
  root.querySelector(".centre")?.replaceChildren(failed(explain(cause), () => location.reload()));
}

// ---- a run that grows ------------------------------------------------------------------------------------------------

function watch(run: Run): void {
  watching = new AbortController();
  run.source.watch(run.id, (pulse) => void pulsed(run, pulse), (there) => shell.setServed(there), watching.signal);
}

let refreshing = false;
async function pulsed(run: Run, pulse: Pulse): Promise<void> {
  if (app.run !== run) return;
  if (pulse.view === run.map?.view) run.setProgress(pulse);
  if (pulse.generation !== run.summary.generation) await refresh();
  else if (run.map && run.words.texts.length > 0 && !run.complete) void run.loadMap(app.clock.frame).catch(fail);
}

async function refresh(): Promise<void> {
  const { run } = app;
  if (!run || refreshing) return;
  refreshing = true;
  try {
    const first = !run.map;
    if (await run.renew()) {
      if (app.run !== run) return;
      app.clock.setFrames(run.frames);
      shell.runChanged();
      void run.loadMap(app.clock.frame).catch(fail);
      if (first) choose(run, fromAddress(location.hash, base()));
      void showPlane();
    }
    if (app.run !== run) return;
    shell.drawVerdict();
    shell.drawNotices();
    shell.dataChanged("summary");
  } catch (cause) {
    if (!run.map) fail(cause);
  } finally {
    refreshing = false;
  }
}

// ---- address ---------------------------------------------------------------------------------------------------------

let writing: ReturnType<typeof setTimeout> | undefined;
const here = (): string => location.hash || "#";
// The address that was last read or written. Another one is where a reader has just gone: it is about to be read.
let known = here();
let arriving: ReturnType<typeof fromAddress> | null = null; // at another run
function writeAddress(): void {
  clearTimeout(writing);
  writing = setTimeout(() => {
    const { run, store, clock } = app;
    if (!run || run.words.texts.length === 0 || clock.playing || here() !== known) return;
    const step = run.frames > 0 && clock.frame !== run.frames - 1 ? run.stepOf(clock.frame) : null;
    known = toAddress(store.state, step, run);
    if (known !== here()) history.replaceState(null, "", known === "#" ? location.pathname + location.search : known);
    known = here(); // as the browser writes it
  }, 120);
}

function readAddress(): void {
  if (here() === known) return;
  known = here();
  const wanted = fromAddress(location.hash, base()), sameRun = wanted.state.run === app.store.state.run;
  const { words, axes, ...rest } = wanted.state;
  if (!sameRun) arriving = wanted;
  app.store.set(sameRun ? rest : { ...rest, words, axes });
  if (sameRun && app.run) {
    choose(app.run, wanted);
    app.clock.seek(wanted.step !== null ? app.run.frameAt(wanted.step) : app.run.frames - 1);
  }
}

// ---- beginning -------------------------------------------------------------------------------------------------------

function connect(): void {
  const { store, clock } = app;
  store.on((state, changed) => {
    if (changed.has("lang")) setLanguage(state.lang);
    if (changed.has("theme")) applyTheme(state.theme);
    shell.stateChanged(changed);
    if (changed.has("run")) {
      void openRun(state.run, arriving);
      arriving = null;
    }
    if (changed.has("axes")) void showPlane();
    if (changed.has("words") && app.run) shell.announce(state.words.length > 0 ? t.chosenWords(state.words.map(app.run.textOf)) : t.nothingChosen);
    writeAddress();
  });
  clock.on(() => {
    shell.clockChanged();
    writeAddress();
  });
  addEventListener("hashchange", readAddress);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    applyTheme(store.state.theme);
    shell.stateChanged(new Set(["theme"]));
  });
  listen({
    toggle: () => clock.toggle(),
    frame: (by) => (clock.pause(), clock.seek(clock.frame + by)),
    epoch: (by) => toEpoch(by),
    end: (which) => (clock.pause(), clock.seek(which === "first" ? 0 : clock.frames - 1)),
    search: () => shell.focusSearch(),
    escape: () => (clock.playing ? clock.pause() : store.set({ words: [] })),
    view: (view) => store.set({ view }),
    flip: (which) => store.set({ [which]: !store.state[which] }),
    movement: () => store.set({ color: store.state.color === "movement" ? "cluster" : "movement" }),
    fit: () => shell.map.fit(),
    axes: () => shell.openAxes(),
    alert: (by) => shell.goToAlert(by),
    speed: (by) => clock.changeSpeed(by),
    theme: () => shell.flipTheme(),
    help: () => shell.showHelp(),
  });
}

// The snapshot at the end of the next epoch, or of the one before; where epochs are not known, five frames.
function toEpoch(by: number): void {
  const { run, clock } = app, ends = [0, ...(run?.epochEnds() ?? [])];
  if (!run) return;
  clock.pause();
  const now = run.stepOf(clock.frame), frames = ends.map(run.frameAt.bind(run));
  const to = by > 0 ? frames.find((f) => f > clock.frame) : [...frames].reverse().find((f) => f < clock.frame && run.stepOf(f) < now);
  clock.seek(ends.length > 1 && to !== undefined ? to : clock.frame + 5 * by);
}

async function begin(): Promise<void> {
  const wanted = fromAddress(location.hash, base());
  setLanguage(wanted.state.lang);
  applyTheme(wanted.state.theme);
  const source = openReport() ?? new ServerSource();
  try {
    const runs = await runsOf(source);
    if (!runs.runs.some(({ id }) => id === wanted.state.run)) wanted.state.run = runs.runs[0]?.id ?? 0;
    app = { source, store: new Store(wanted.state), clock: new Clock(), runs, run: null, facts: null, announce: (text) => shell.announce(text) };
    shell = new Shell(app, root);
    connect();
    if (runs.runs.length > 0) await openRun(wanted.state.run, wanted);
  } catch (cause) {
    console.error(cause);
    root.replaceChildren(h("div", { class: "centre" }, failed(explain(cause), () => location.reload())));
  }
}

declare global {
  interface Window {
    vectrail?: { app: App; shell: Shell };
  }
}
// For tests and for the curious: the state of the page, to be read.
void begin().then(() => (window.vectrail = { app, shell }));
