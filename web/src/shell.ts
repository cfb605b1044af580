// shell.ts: the frame of the page: run, verdict, search and switches above; one of three views in the middle, the
// inspector beside it; the timeline below, always.

import type { App, Part } from "./app.ts";
import { button, download, h, icon } from "./dom.ts";
import { number, t } from "./i18n.ts";
import { Compare } from "./compare.ts";
import { Health } from "./health.ts";
import { Inspector } from "./inspector.ts";
import { KEYS } from "./keyboard.ts";
import { AxesForm } from "./map/axes.ts";
import { MapView } from "./map/map.ts";
import { mapLegend, mapTools } from "./map/tools.ts";
import { WordBox } from "./search.ts";
import { noMap, noRuns, noticeBar, noticesOf } from "./states.ts";
import type { ViewName } from "./store.ts";
import { Timeline } from "./timeline.ts";
import { verdictOf } from "./verdict.ts";

const VIEWS: ViewName[] = ["map", "health", "compare"];
const SUN = "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.4 1.4M11.6 11.6 13 13M3 13l1.4-1.4M11.6 4.4 13 3";

export class Shell {
  readonly map: MapView;
  private parts: Part[];
  private search: WordBox;
  private runSelect = h("select", { class: "run-select" });
  private tabs = h("div", { class: "tabs", role: "tablist" });
  private verdict = h("h1", { class: "verdict", id: "verdict" });
  private centre = h("main", { class: "centre" });
  private mapPane: HTMLElement;
  private axes: AxesForm;
  private health: Health;
  private compare: Compare;
  private inspector: Inspector;
  private timeline: Timeline;
  private notices = h("div", { class: "notices" });
  private closed = new Set<string>();
  private help = h("dialog", { class: "help" });
  private themeButton = button("", () => this.flipTheme(), { class: "round" });
  private langButton = button("", () => this.flipLanguage(), { class: "round lang" });
  private helpButton = button("?", () => this.showHelp(), { class: "round" });
  private live = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  private overlayState = h("div", { class: "state-holder" });
  served = true;

  constructor(private app: App, root: HTMLElement) {
    this.map = new MapView(app);
    this.axes = new AxesForm(app);
    this.health = new Health(app);
    this.compare = new Compare(app);
    this.inspector = new Inspector(app);
    this.timeline = new Timeline(app);
    this.search = new WordBox(app, () => t.searchWord, (word, add) => {
      app.store.choose(word, add);
      this.map.center(word);
    }, "/");
    this.mapPane = h("section", { class: "map-pane", "aria-label": t.views.map });
    this.parts = [this.map, this.health, this.compare, this.inspector, this.timeline];
    this.themeButton.append(icon(SUN));
    root.replaceChildren(
      h("header", {}, h("div", { class: "brand" }, h("b", {}, "vectrail"), this.runSelect), this.tabs, this.verdict,
        h("div", { class: "actions" }, this.search.element, this.langButton, this.themeButton, this.helpButton)),
      this.notices, this.centre, this.inspector.element, h("footer", {}, this.timeline.element), this.help, this.live);
    this.runSelect.addEventListener("change", () => app.store.set({ run: Number(this.runSelect.value), words: [], camera: null, axes: null, other: null }));
    this.draw();
  }

  announce(text: string): void {
    this.live.textContent = text;
  }

  // ---- what happens ----------------------------------------------------------------------------------------------

  runChanged(): void {
    for (const part of this.parts) part.runChanged?.();
    this.draw();
  }
  dataChanged(what: string): void {
    for (const part of this.parts) part.dataChanged?.(what);
    if (what === "clusters" || what === "plane") this.drawPane();
  }
  clockChanged(): void {
    for (const part of this.parts) part.clockChanged?.();
  }
  stateChanged(changed: Set<string>): void {
    for (const part of this.parts) part.stateChanged?.(changed);
    if (changed.has("lang")) {
      this.search.rename();
      this.axes.rename();
      this.draw();
    } else if (changed.has("view")) this.draw();
    if (changed.has("color") || changed.has("labels") || changed.has("trails") || changed.has("lines") || changed.has("theme") || changed.has("axes") || changed.has("renderer")) this.drawPane();
  }

  // ---- drawing ---------------------------------------------------------------------------------------------------

  draw(): void {
    const { runs, store, run } = this.app, { view, lang, theme } = store.state;
    document.documentElement.lang = lang;
    document.body.dataset.view = view;
    document.title = run ? `${run.summary.path} · vectrail` : "vectrail";
    this.runSelect.replaceChildren(...runs.runs.map(({ id, path }) => h("option", { value: id, selected: id === store.state.run }, path)));
    this.runSelect.setAttribute("aria-label", t.run);
    this.runSelect.hidden = runs.runs.length === 0;
    this.runSelect.disabled = runs.runs.length < 2;
    this.tabs.setAttribute("aria-label", t.viewsLabel);
    this.tabs.replaceChildren(...VIEWS.map((name, k) => {
      const tab = button(t.views[name], () => store.set({ view: name }), { role: "tab", id: `tab-${name}`, "aria-selected": String(name === view), "aria-controls": "centre", title: `${t.views[name]} (${k + 1})`, tabindex: name === view ? 0 : -1 });
      tab.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        store.set({ view: VIEWS[(k + by + 3) % 3]! });
        document.getElementById(`tab-${store.state.view}`)?.focus();
      });
      return tab;
    }));
    this.langButton.textContent = lang === "en" ? "VI" : "EN";
    this.langButton.setAttribute("aria-label", lang === "en" ? "VI: Tiếng Việt" : "EN: English");
    this.langButton.title = lang === "en" ? "Tiếng Việt" : "English";
    this.themeButton.setAttribute("aria-label", `${t.theme}: ${t.themes[theme]}`);
    this.themeButton.title = `${t.theme}: ${t.themes[theme]} (d)`;
    this.helpButton.setAttribute("aria-label", `? ${t.help}`);
    this.helpButton.title = `${t.help} (?)`;
    this.centre.id = "centre";
    this.centre.setAttribute("aria-label", t.views[view]);
    this.drawVerdict();
    this.drawNotices();
    this.drawPane();
    const part = view === "health" ? this.health.element : view === "compare" ? this.compare.element : this.mapPane;
    const nothing = runs.runs.length === 0 ? noRuns() : run && !run.map ? noMap(run) : null;
    document.body.classList.toggle("empty", nothing !== null);
    document.body.classList.toggle("no-runs", runs.runs.length === 0); // nothing to search, nothing to choose a view of
    if (nothing) {
      this.overlayState.replaceChildren(nothing);
      this.centre.replaceChildren(this.overlayState);
    } else if (this.centre.firstElementChild !== part) {
      this.centre.replaceChildren(part);
      if (part === this.mapPane) this.drawPane(); // the switches have a size now
    }
  }

  drawVerdict(): void {
    const { run } = this.app;
    if (!run) {
      this.verdict.textContent = "vectrail";
      return;
    }
    const { text, tone } = verdictOf(run);
    if (this.verdict.textContent !== text) this.verdict.replaceChildren(h("i", { class: "lamp", "aria-hidden": "true" }), text);
    this.verdict.dataset.tone = tone;
    this.verdict.title = text;
  }

  drawNotices(): void {
    const { run } = this.app, notices = run ? noticesOf(run, this.served).filter(({ key }) => !this.closed.has(key)) : [];
    const key = JSON.stringify([notices, this.app.store.state.lang]);
    if (this.notices.dataset.key === key) return;
    this.notices.dataset.key = key;
    this.notices.replaceChildren(...notices.map((notice) => noticeBar(notice, () => {
      this.closed.add(notice.key);
      this.drawNotices();
    })));
  }

  setServed(there: boolean): void {
    if (this.served === there) return;
    this.served = there;
    this.closed.delete("gone");
    this.drawNotices();
    this.announce(there ? t.serverBack : t.serverGone);
  }

  private drawPane(): void {
    this.mapPane.setAttribute("aria-label", t.views.map);
    const tools = mapTools(this.app, () => {
      const canvas = this.map.picture();
      canvas?.toBlob((blob) => blob && download("map.png", blob), "image/png");
    });
    this.axes.draw();
    tools.append(this.axes.element, this.axes.caption);
    const focus = document.activeElement as HTMLElement | null;
    this.mapPane.replaceChildren(this.map.element, tools, mapLegend(this.app), this.map.controls());
    if (focus?.isConnected && focus !== document.activeElement) focus.focus(); // it was moved with what holds it
    this.map.setInset(tools.isConnected ? tools.offsetTop + tools.offsetHeight : 0);
  }

  openAxes(): void {
    this.app.store.set({ view: "map" });
    this.axes.open();
  }
  planeFailed(text: string): void {
    this.axes.failed(text);
    this.announce(text);
  }

  // ---- switches ---------------------------------------------------------------------------------------------------

  flipTheme(): void {
    const { store } = this.app, dark = document.documentElement.dataset.theme === "dark";
    store.set({ theme: dark ? "light" : "dark" });
    this.draw();
    this.announce(`${t.theme}: ${t.themes[store.state.theme]}`);
  }
  flipLanguage(): void {
    this.app.store.set({ lang: this.app.store.state.lang === "en" ? "vi" : "en" });
  }
  focusSearch(): void {
    this.search.input.focus();
    this.search.input.select();
  }
  goToAlert(by: number): void {
    const { clock, run } = this.app, now = run?.stepOf(clock.frame) ?? 0;
    const steps = this.timeline.alerts().map((alert) => alert.step).sort((a, b) => a - b);
    const to = by > 0 ? steps.find((step) => step > now) : [...steps].reverse().find((step) => step < now);
    if (to !== undefined && run) clock.seek(run.frameAt(to));
    else this.announce(t.noMoreAlerts);
  }

  showHelp(): void {
    const { run } = this.app;
    this.help.replaceChildren(h("h2", {}, t.help), h("p", {}, t.helpLead),
      h("dl", {}, ...KEYS.flatMap(([keys, text]) => [h("dt", {}, ...keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, t[text])])),
      run?.map ? h("p", { class: "note" }, t.mapFacts(number(run.mapWords), number(run.frames), number(run.map.dim), this.map.kind)) : "",
      button(t.close, () => this.help.close(), { class: "primary", autofocus: true }));
    this.help.setAttribute("aria-label", t.help);
    this.help.showModal();
  }
}
