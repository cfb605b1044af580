// map.ts: the map: points, what is drawn above them, and what the mouse, fingers and keys do to it.

import type { App, Part } from "../app.ts";
import { button, h } from "../dom.ts";
import { whenStill } from "../clock.ts";
import { t } from "../i18n.ts";
import type { Run } from "../run.ts";
import type { Camera } from "../store.ts";
import { colors, reducedMotion } from "../theme.ts";
import { boundsOf, Projection } from "./camera.ts";
import { CpuRenderer } from "./cpu.ts";
import { Detail } from "./detail.ts";
import { GlRenderer } from "./gl.ts";
import { Overlay, type OverlayState } from "./overlay.ts";
import type { PointData, PointRenderer } from "./renderer.ts";

const FLIGHT_MS = 350;
const NOTE_MS = 12000;

export class MapView implements Part {
  readonly element = h("div", { class: "map" });
  private stage = h("div", { class: "stage" });
  private note = h("div", { class: "map-note", role: "status" });
  private renderer: PointRenderer | null = null;
  private early: GlRenderer | null = null; // made before there was anything to draw
  private detail = new Detail(() => this.schedule());
  private overlay: Overlay | null = null;
  private projection = new Projection(1, 1, { left: -1, right: 1, top: 1, bottom: -1 });
  private homeOf: Int16Array | null = null; // the positions that the projection fits
  private hover: number | null = null;
  private scheduled = false;
  private glFailed: "" | "noWebgl" | "contextLost" = "";
  private ratio = 1;
  private flight: { from: Camera; to: Camera; start: number } | null = null;
  drawn = 0; // frames drawn so far, for tests and measurements
  // Instead of the clock's frame and all of the run's, as in the view that compares.
  constructor(private app: App, private fixed: { run: () => Run | null; frame: () => number; camera: () => Camera | null; moved: (camera: Camera) => void } | null = null) {
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.element.append(this.stage, this.note);
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.listen();
    this.rename();
  }

  rename(): void {
    this.stage.setAttribute("aria-label", t.mapLabel);
  }

  private get run(): Run | null {
    return this.fixed ? this.fixed.run() : this.app.run;
  }
  private get camera(): Camera {
    return (this.fixed ? this.fixed.camera() : this.app.store.state.camera) ?? this.projection.homeCamera;
  }
  private setCamera(camera: Camera | null): void {
    if (this.fixed) this.fixed.moved(camera ?? this.projection.homeCamera);
    else this.app.store.set({ camera });
    this.detail.moves();
    this.schedule();
  }
  get flying(): boolean {
    return this.flight !== null;
  }
  get kind(): string {
    return this.renderer?.kind ?? "none";
  }

  // ---- data ------------------------------------------------------------------------------------------------------

  runChanged(): void {
    const { run } = this;
    this.stage.replaceChildren();
    this.renderer?.dispose();
    this.renderer = null;
    if (!run?.map) return;
    this.makeRenderer();
    const canvas = h("canvas", { class: "overlay", "aria-hidden": "true" });
    this.stage.append(canvas);
    this.overlay = new Overlay(run, canvas);
    this.resize();
    this.dataChanged("frames");
  }

  private canvas(): HTMLCanvasElement {
    return h("canvas", { class: "points", "aria-hidden": "true" });
  }

  // WebGL where a graphics card does it; by the processor alone it is slower than the plain canvas, and only done if asked for.
  private makeGl(): GlRenderer | null {
    const choice = this.app.store.state.renderer;
    if (choice === "cpu" || this.glFailed) return null;
    try {
      return new GlRenderer(this.canvas(), choice === "gl", () => this.lost());
    } catch {
      this.glFailed = "noWebgl";
      return null;
    }
  }

  // To be called while data are on their way.
  prepare(): void {
    this.early ??= this.makeGl();
  }

  // Why the plain canvas draws; as everything works by it, that need not stand there for ever.
  private drawNote(): void {
    clearTimeout(this.noteGone);
    this.note.textContent = this.app.store.state.renderer === "cpu" || !this.glFailed || this.fixed ? "" : t[this.glFailed];
    this.noteGone = setTimeout(() => (this.note.textContent = ""), NOTE_MS);
  }
  private noteGone: ReturnType<typeof setTimeout> | undefined;

  private dataOf(run: Run): PointData {
    return { words: run.mapWords, frames: run.frames, positions: run.positions, movement: run.movement, clusters: run.clusters, counts: run.words.counts };
  }

  private makeRenderer(): void {
    const { run } = this;
    if (!run) return;
    this.renderer = this.early ?? this.makeGl();
    this.early = null;
    try {
      this.renderer?.setData(this.dataOf(run));
    } catch {
      this.glFailed = "noWebgl";
      this.renderer = null;
    }
    if (!this.renderer) {
      this.renderer = new CpuRenderer(this.canvas());
      this.renderer.setData(this.dataOf(run));
    }
    this.drawNote();
    this.stage.prepend(this.renderer.canvas);
  }

  // The browser took the graphics card away: the plain canvas takes over.
  private lost(): void {
    this.glFailed = "contextLost";
    this.runChanged();
    this.app.announce(t.contextLost);
  }

  dataChanged(what: string): void {
    const { run, renderer } = this;
    if (!run || !renderer) return;
    if (what === "clusters") renderer.clustersChanged(run.clusters);
    if (what === "plane") renderer.setData(this.dataOf(run));
    renderer.frames(run.have, run.haveMovement);
    const last = run.frames - 1;
    if (run.have[last] && this.homeOf !== run.positions) {
      this.homeOf = run.positions;
      this.projection.home = boundsOf(run.positions, last * run.mapWords * 2, run.mapWords, run.axes ?? []);
    }
    this.schedule();
  }

  stateChanged(changed: Set<string>): void {
    if (changed.has("renderer")) {
      this.glFailed = "";
      this.early?.dispose();
      this.early = null;
      this.runChanged();
    }
    if (changed.has("lang")) {
      this.rename();
      if (this.note.textContent !== "") this.drawNote();
    }
    if (changed.has("words") || changed.has("theme")) this.askNeighbors();
    this.schedule();
  }

  clockChanged(): void {
    this.detail.moves();
    this.askWhenStill();
    this.schedule();
  }

  private askWhenStill = whenStill(() => this.askNeighbors());
  // Neighbours at the frame that is looked at, for the lines; while playing, those that are known already.
  private askNeighbors(): void {
    const { facts, clock, store } = this.app;
    if (!facts || this.fixed || clock.playing) return;
    for (const word of store.state.words)
      if (!facts.known(word, clock.frame)) facts.neighbors(word, clock.frame).then(() => this.schedule(), () => undefined);
  }

  // ---- drawing ---------------------------------------------------------------------------------------------------

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (width === 0 || height === 0) return;
    this.ratio = Math.min(2, devicePixelRatio || 1);
    this.projection.width = width;
    this.projection.height = height;
    this.renderer?.resize(width, height, this.ratio);
    if (this.overlay) {
      this.overlay.canvas.width = Math.round(width * this.ratio);
      this.overlay.canvas.height = Math.round(height * this.ratio);
    }
    this.schedule();
  }

  // Pixels above that are covered: the whole map fits below them.
  setInset(pixels: number): void {
    if (this.projection.inset === pixels) return;
    this.projection.inset = pixels;
    this.schedule();
  }

  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame((now) => {
      this.scheduled = false;
      this.draw(now);
    });
  }

  // The clock's frames as far as they are there.
  private moment(): [number, number, number] {
    const { run } = this;
    if (!run) return [0, 0, 0];
    if (this.fixed) return [this.fixed.frame(), this.fixed.frame(), 0];
    let [from, to, mix] = this.app.clock.between;
    if (!run.have[from]) {
      from = nearestThere(run.have, from);
      mix = 0;
    }
    if (!run.have[to]) to = from;
    return [from, to, to === from ? 0 : mix];
  }

  private state(): OverlayState {
    const { store, clock, facts } = this.app, s = store.state, [from, to, mix] = this.moment();
    const camera = this.camera;
    return {
      from, to, mix, playing: clock.playing, transform: this.projection.transform(camera), zoom: camera.zoom, width: this.projection.width,
      height: this.projection.height, ratio: this.ratio, colors, chosen: s.words, hover: this.hover, labels: s.labels, trails: s.trails && !this.fixed,
      lines: s.lines && !this.fixed, byMovement: s.color === "movement" && !this.fixed,
      neighbors: this.fixed ? [] : s.words.map((word) => (facts?.known(word, mix > 0.5 ? to : from) ?? []).map(([id]) => id)),
    };
  }

  private draw(now: number, all = false): void {
    const { renderer, overlay, run } = this;
    if (!renderer || !overlay || !run || !this.stage.isConnected) return;
    if (this.flight) this.fly(now);
    const s = this.state();
    if (!run.have[s.from]) return;
    const most = all ? run.mapWords : this.detail.wordsOf(run.mapWords);
    this.detail.drew(most, run.mapWords);
    renderer.draw({ from: s.from, to: s.to, mix: s.mix, transform: s.transform, ratio: s.ratio, zoom: s.zoom, most, byMovement: s.byMovement, dimmed: s.chosen.length > 0 && !this.fixed, colors });
    if (this.drawn > 0) overlay.draw(s);
    else this.schedule(); // points first: to paint the names takes longer
    this.drawn++;
    this.element.dataset.drawn = String(this.drawn);
    this.element.dataset.renderer = renderer.kind;
    this.element.dataset.words = String(most);
  }

  // ---- the camera ------------------------------------------------------------------------------------------------

  fit(): void {
    this.flyTo(this.projection.homeCamera, () => this.setCamera(null));
  }

  zoom(factor: number): void {
    this.flyTo(this.projection.zoomAt(this.camera, this.projection.width / 2, this.projection.height / 2, factor));
  }

  center(word: number, zoom = this.camera.zoom): void {
    const { run } = this;
    if (!run || word >= run.mapWords) return;
    const [from] = this.moment(), at = (from * run.mapWords + word) * 2;
    this.flyTo({ x: run.positions[at]! / 30000, y: run.positions[at + 1]! / 30000, zoom });
  }

  private arrived: (() => void) | undefined;
  private flyTo(to: Camera, arrived?: () => void): void {
    this.arrived = arrived;
    if (reducedMotion()) {
      this.setCamera(to);
      arrived?.();
      return;
    }
    this.flight = { from: this.camera, to, start: performance.now() };
    this.schedule();
  }

  private fly(now: number): void {
    const { from, to, start } = this.flight!, share = Math.max(0, Math.min(1, (now - start) / FLIGHT_MS));
    const eased = 1 - Math.pow(1 - share, 3);
    const zoom = from.zoom * Math.pow(to.zoom / from.zoom, eased);
    this.setCamera({ x: from.x + (to.x - from.x) * eased, y: from.y + (to.y - from.y) * eased, zoom });
    if (share < 1) {
      this.schedule();
      return;
    }
    this.flight = null;
    this.arrived?.();
  }

  // ---- mouse, fingers, keys ----------------------------------------------------------------------------------------

  private listen(): void {
    const { stage } = this, pointers = new Map<number, PointerEvent>();
    let moved = false, down: PointerEvent | null = null;
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      this.flight = null;
      this.setCamera(this.projection.zoomAt(this.camera, event.clientX - box.left, event.clientY - box.top, Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0018))));
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      stage.setPointerCapture(event.pointerId);
      moved = false;
      down = event;
    });
    stage.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) {
        this.hoverAt(event);
        return;
      }
      if (down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 4) moved = true;
      if (moved) this.drag(before, event, [...pointers.values()].find((other) => other.pointerId !== event.pointerId));
      pointers.set(event.pointerId, event);
    });
    const up = (event: PointerEvent): void => {
      if (pointers.delete(event.pointerId) && !moved && event.type === "pointerup") this.click(event);
    };
    stage.addEventListener("pointerup", up);
    stage.addEventListener("pointercancel", up);
    stage.addEventListener("pointerleave", () => this.setHover(null));
    stage.addEventListener("dblclick", (event) => {
      const box = stage.getBoundingClientRect();
      this.flyTo(this.projection.zoomAt(this.camera, event.clientX - box.left, event.clientY - box.top, event.shiftKey ? 0.4 : 2.5));
    });
  }

  private drag(before: PointerEvent, now: PointerEvent, other: PointerEvent | undefined): void {
    const unit = this.projection.unit * this.camera.zoom, box = this.stage.getBoundingClientRect();
    this.flight = null;
    if (other) {
      const was = Math.hypot(before.clientX - other.clientX, before.clientY - other.clientY);
      const is = Math.hypot(now.clientX - other.clientX, now.clientY - other.clientY);
      const x = (now.clientX + other.clientX) / 2 - box.left, y = (now.clientY + other.clientY) / 2 - box.top;
      if (was > 0) this.setCamera(this.projection.zoomAt(this.camera, x, y, is / was));
      return;
    }
    const { x, y, zoom } = this.camera;
    this.setCamera({ x: x - (now.clientX - before.clientX) / unit, y: y + (now.clientY - before.clientY) / unit, zoom });
  }

  private wordAt(event: MouseEvent, within: number): number | null {
    const box = this.stage.getBoundingClientRect();
    return this.overlay?.pick(event.clientX - box.left, event.clientY - box.top, this.state(), within) ?? null;
  }

  private click(event: PointerEvent): void {
    const word = this.wordAt(event, event.pointerType === "touch" ? 24 : 12);
    if (word === null) return;
    if (this.fixed) this.app.store.choose(word, event.shiftKey || event.ctrlKey || event.metaKey);
    else {
      this.app.store.choose(word, event.shiftKey || event.ctrlKey || event.metaKey);
      this.center(word);
    }
  }

  private hoverAt(event: PointerEvent): void {
    if (event.pointerType === "touch" || this.app.clock.playing) return;
    this.setHover(this.wordAt(event, 10));
  }

  private setHover(word: number | null): void {
    this.stage.classList.toggle("pointing", word !== null);
    if (word === this.hover) return;
    this.hover = word;
    this.schedule();
  }

  // ---- pictures --------------------------------------------------------------------------------------------------

  // The map as it is seen, in one canvas.
  picture(): HTMLCanvasElement | null {
    const { renderer, overlay } = this;
    if (!renderer || !overlay) return null;
    this.draw(performance.now(), true); // what WebGL drew is there only until the browser has shown it
    const canvas = h("canvas", { width: overlay.canvas.width, height: overlay.canvas.height });
    const c = canvas.getContext("2d")!;
    c.fillStyle = colors.paper;
    c.fillRect(0, 0, canvas.width, canvas.height);
    c.drawImage(renderer.canvas, 0, 0);
    c.drawImage(overlay.canvas, 0, 0);
    return canvas;
  }

  controls(): HTMLElement {
    const tool = (label: string, text: string, action: () => void): HTMLElement => button(text, action, { title: label, "aria-label": label, class: "tool" });
    return h("div", { class: "zoom", role: "group", "aria-label": t.zoom },
      tool(t.zoomIn, "+", () => this.zoom(1.8)), tool(t.zoomOut, "−", () => this.zoom(1 / 1.8)), tool(t.fit, "⤢", () => this.fit()));
  }
  placedLabels(): { word: number; x: number; y: number; width: number; height: number }[] {
    return this.overlay?.placed ?? [];
  }
}

function nearestThere(have: boolean[], frame: number): number {
  for (let k = 0; k < have.length; k++) {
    if (have[frame - k]) return frame - k;
    if (have[frame + k]) return frame + k;
  }
  return frame;
}
