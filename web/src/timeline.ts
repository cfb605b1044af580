// timeline.ts: the whole training at the foot of the page: snapshots, epochs, loss, movement, alerts, and the one slider
// that all views follow.

import type { App, Part } from "./app.ts";
import { button, h, icon } from "./dom.ts";
import { number, short, t } from "./i18n.ts";
import { FONT } from "./map/overlay.ts";
import { colors } from "./theme.ts";

const PLAY = "M4 2.5v11l9-5.5z", PAUSE = "M4 3h3v10H4zM9 3h3v10H9z", THUMB = 14;

export class Timeline implements Part {
  readonly element: HTMLElement;
  private play = button("", () => this.app.clock.toggle(), { class: "play" });
  private speed = button("1×", () => this.nextSpeed(), { class: "speed" });
  private slider = h("input", { type: "range", min: 0, max: 0, step: "any", class: "slider" });
  private canvas = h("canvas", { "aria-hidden": "true" });
  private whereStep = h("strong");
  private whereFrame = h("span");
  private marker = h("div", { class: "marker" });
  private done = h("div", { class: "done" });
  private flags = h("div", { class: "flags" });
  private track: HTMLElement;

  constructor(private app: App) {
    this.track = h("div", { class: "track" }, this.canvas, this.done, this.marker, this.flags, this.slider);
    this.element = h("div", { class: "timeline" }, h("div", { class: "transport" }, this.play, this.speed), this.track, h("div", { class: "where", "aria-hidden": "true" }, this.whereStep, this.whereFrame));
    this.slider.addEventListener("input", () => {
      this.app.clock.pause();
      this.seekStep(Number(this.slider.value));
    });
    this.slider.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => {
      this.draw();
      this.clockChanged();
    }).observe(this.track);
    this.rename();
  }

  private rename(): void {
    this.slider.setAttribute("aria-label", t.timeline);
    this.speed.title = t.speed;
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", t.timeline);
    this.clockChanged();
  }

  // Snaps to the nearest snapshot.
  private seekStep(step: number): void {
    const { run, clock } = this.app;
    if (!run) return;
    const frame = run.frameAt(step), next = Math.min(frame + 1, run.frames - 1);
    clock.seek(step - run.stepOf(frame) < run.stepOf(next) - step ? frame : next);
  }

  private key(event: KeyboardEvent): void {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5 }[event.key];
    if (by === undefined || event.shiftKey) return; // with shift: the epoch, in keyboard.ts
    event.preventDefault();
    event.stopPropagation();
    this.app.clock.pause();
    this.app.clock.seek(this.app.clock.frame + by);
  }

  private nextSpeed(): void {
    const { clock } = this.app;
    if (clock.speed >= 8) clock.changeSpeed(-9);
    else clock.changeSpeed(1);
  }

  runChanged(): void {
    const { run } = this.app;
    this.slider.max = String(run?.stepOf(run.frames - 1) ?? 0);
    this.slider.disabled = !run || run.frames < 2;
    this.play.disabled = this.slider.disabled;
    this.flags.replaceChildren(...this.alerts().map(({ step, text }) => {
      const flag = button("⚑", () => this.seekStep(step), { class: "flag", title: `${t.step} ${number(step)}: ${text}`, "aria-label": `${t.alert}, ${t.step} ${number(step)}: ${text}` });
      flag.style.left = `calc(${THUMB / 2}px + (100% - ${THUMB}px) * ${this.shareOf(step)})`;
      return flag;
    }));
    this.draw();
    this.clockChanged();
  }

  alerts(): { step: number; text: string }[] {
    return (this.app.run?.summary.events ?? []).filter((event) => event.severity !== "info");
  }

  private shareOf(step: number): number {
    const { run } = this.app, last = run?.stepOf(run.frames - 1) ?? 0;
    return last > 0 ? Math.max(0, Math.min(1, step / last)) : 0;
  }

  stateChanged(changed: Set<string>): void {
    if (changed.has("theme")) this.draw();
    if (changed.has("lang")) {
      this.rename();
      this.draw();
    }
  }

  clockChanged(): void {
    const { clock, run } = this.app, [from, to, mix] = clock.between;
    this.drawTransport();
    if (!run || run.frames === 0) return;
    const step = run.stepOf(from) * (1 - mix) + run.stepOf(to) * mix;
    this.slider.value = String(step);
    this.whereStep.textContent = `${t.step} ${number(Math.round(step))}`;
    this.done.style.transform = `scaleX(${this.shareOf(step)})`;
    this.marker.style.transform = `translateX(${this.shareOf(step) * (this.track.clientWidth - THUMB)}px)`;
    this.drawFrame(clock.frame);
  }

  // What stays the same from picture to picture is left alone: while it plays this is asked for at each of them.
  private transportFor = "";
  private drawTransport(): void {
    const { clock } = this.app, label = clock.playing ? t.pause : t.play, key = `${label} ${clock.speed} ${t.speed}`;
    if (key === this.transportFor) return;
    this.transportFor = key;
    this.play.replaceChildren(icon(clock.playing ? PAUSE : PLAY));
    this.play.setAttribute("aria-label", label);
    this.play.title = label + " (space)";
    this.speed.textContent = `${clock.speed}×`;
    this.speed.setAttribute("aria-label", `${t.speed}: ${clock.speed}`);
  }

  private frameFor = "";
  private drawFrame(frame: number): void {
    const run = this.app.run!, key = `${run.id} ${run.map?.view} ${run.frames} ${frame} ${t.step}`;
    if (key === this.frameFor) return;
    this.frameFor = key;
    const epoch = this.epochOf(run.stepOf(frame));
    this.slider.setAttribute("aria-valuetext", t.moment(number(run.stepOf(frame)), epoch, frame + 1, run.frames));
    this.whereFrame.textContent = (epoch ? `${t.epoch} ${epoch} · ` : "") + t.snapshotOf(frame + 1, run.frames);
  }

  private epochOf(step: number): string {
    const { run } = this.app, epochs = Number(run?.summary.settings.epochs), steps = Number(run?.summary.settings.steps);
    return epochs > 0 && steps > 0 ? number(Math.min(epochs, (epochs * step) / steps), 2) : "";
  }

  draw(): void {
    const { run } = this.app, ratio = Math.min(2, devicePixelRatio || 1), { clientWidth: width, clientHeight: height } = this.track;
    if (!run || width === 0) return;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const c = this.canvas.getContext("2d")!;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    const last = run.stepOf(run.frames - 1) || 1, x = (step: number): number => THUMB / 2 + (width - THUMB) * Math.min(1, step / last);
    const base = height - 17;
    c.font = `11px ${FONT}`;
    c.textBaseline = "top";
    let free = -1;
    run.epochEnds().forEach((end, k) => {
      if (end > last) return;
      c.fillStyle = colors.line;
      c.fillRect(Math.round(x(end)) - 0.5, 4, 1, base - 4);
      const name = String(k + 1), room = c.measureText(name).width;
      c.fillStyle = colors.muted;
      if (x(end) - room / 2 > free && x(end) + room / 2 < width) {
        c.textAlign = "center";
        c.fillText(name, x(end), base + 6);
        free = x(end) + room / 2 + 6;
      }
    });
    c.textAlign = "left";
    const rows = this.sparklines(), each = (base - 8) / Math.max(1, rows.length);
    rows.forEach(({ name, color, steps, values }, k) => this.sparkline(c, name, color, steps, values, x, 4 + k * each, each - 4));
    c.fillStyle = colors.muted;
    for (let f = 0; f < run.frames; f++) c.fillRect(Math.round(x(run.stepOf(f))) - 0.5, base, 1, 4);
  }

  private sparklines(): { name: string; color: string; steps: number[]; values: (number | null)[] }[] {
    const series = this.app.run?.summary.series ?? {}, rows = [];
    const loss = series.probe_loss ?? series.loss, moving = series.speed ?? series.moving;
    if (loss) rows.push({ name: t.loss, color: colors.hues[0]!, steps: loss[0], values: loss[1] });
    if (moving) rows.push({ name: t.movement, color: colors.hues[1]!, steps: moving[0], values: moving[1] });
    return rows;
  }

  // All values, none averaged away: each pixel's column holds its lowest and its highest.
  private sparkline(c: CanvasRenderingContext2D, name: string, color: string, steps: number[], values: (number | null)[], x: (step: number) => number, top: number, height: number): void {
    const known = values.filter((v): v is number => v !== null), low = Math.min(...known), high = Math.max(...known);
    if (!(high > low)) return;
    const y = (v: number): number => top + height - 2 - ((v - low) / (high - low)) * (height - 4);
    c.strokeStyle = color;
    c.lineWidth = 1.3;
    c.lineJoin = "round";
    c.beginPath();
    let pen = false;
    values.forEach((v, k) => {
      if (v === null) pen = false;
      else if (pen) c.lineTo(x(steps[k]!), y(v));
      else {
        c.moveTo(x(steps[k]!), y(v));
        pen = true;
      }
    });
    c.stroke();
    const label = `${name} ${short(known[0]!)} → ${short(known.at(-1)!)}`, right = x(steps.at(-1)!) - 4;
    c.textAlign = "right";
    c.strokeStyle = colors.panel;
    c.lineWidth = 3;
    const at = y(known.at(-1)!) > top + height / 2 ? top : top + height - 12;
    c.strokeText(label, right, at);
    c.fillStyle = colors.muted;
    c.fillText(label, right, at);
    c.textAlign = "left";
  }
}
