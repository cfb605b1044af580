// axes.ts: the form that asks for a plane of two directions, each from one word to another, and what is said of the plane
// that is shown.

import type { App } from "../app.ts";
import { button, h } from "../dom.ts";
import { number, t } from "../i18n.ts";
import { missingWord, WordBox } from "../search.ts";

const EXAMPLE = ["man", "woman", "king", "queen"];

export class AxesForm {
  readonly element = h("details", { class: "chart-menu axes-menu" });
  readonly caption = h("p", { class: "plane", role: "status" });
  private summary = h("summary");
  private form = h("form", { class: "menu axes" });
  private problem = h("p", { class: "problem", role: "alert" });
  private boxes: WordBox[];

  constructor(private app: App) {
    this.boxes = EXAMPLE.map((_, k) => {
      const box: WordBox = new WordBox(app, () => t.axisEnds[k]!, (word) => {
        box.input.value = app.run!.textOf(word);
        (this.boxes[k + 1]?.input ?? this.form.querySelector<HTMLElement>("button.primary"))?.focus();
      });
      return box;
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.element.open) return;
      event.stopPropagation();
      event.preventDefault(); // a search box would be emptied
      this.close();
    });
    this.element.addEventListener("toggle", () => this.element.open && this.fill());
    this.element.append(this.summary, this.form);
    this.rename();
  }

  rename(): void {
    this.summary.textContent = t.axes;
    this.summary.title = `${t.axesLead} (x)`;
    for (const box of this.boxes) box.rename();
    const row = (name: string, from: WordBox, to: WordBox): HTMLElement => h("div", {}, h("b", { "aria-hidden": "true" }, name), from.element, h("span", { "aria-hidden": "true" }, "→"), to.element);
    const [a, b, c, d] = this.boxes as [WordBox, WordBox, WordBox, WordBox];
    this.form.setAttribute("aria-label", t.axesLead);
    this.form.replaceChildren(h("p", { class: "note" }, t.axesLead), ...(this.app.source.offline ? [h("p", {}, t.notOffline)] : [row("x", a, b), row("y", c, d), this.problem,
      h("div", {}, h("button", { type: "submit", class: "primary" }, t.axesShow), button(t.axesBack, () => this.back()))]));
    this.draw();
  }

  open(): void {
    this.element.open = true;
    this.fill();
    this.boxes[0]!.input.focus();
  }

  private close(): void {
    this.element.open = false;
    this.summary.focus();
  }

  private back(): void {
    this.app.store.set({ axes: null, camera: null });
    this.close();
  }

  // The words of the plane that is shown; where none is, an example that this vocabulary knows, or nothing.
  private fill(): void {
    const { run, store } = this.app;
    if (!run || this.boxes.some((box) => box.input.value !== "")) return;
    const example = EXAMPLE.map(run.find), words = store.state.axes ?? (example.every((id) => id !== undefined) ? (example as number[]) : null);
    words?.forEach((word, k) => (this.boxes[k]!.input.value = run.textOf(word)));
  }

  private async submit(): Promise<void> {
    const { run, store } = this.app;
    if (!run) return;
    this.problem.textContent = "";
    const words: number[] = [];
    for (const box of this.boxes) {
      const text = box.input.value.trim(), word = run.find(text);
      if (word === undefined) {
        this.problem.textContent = text === "" ? t.axisEmpty : (await missingWord(this.app, text)).text;
        box.input.focus();
        return;
      }
      words.push(word);
    }
    store.set({ axes: words, camera: null, view: "map" });
    this.close();
  }

  failed(text: string): void {
    this.problem.textContent = text;
    this.element.open = true;
  }

  // What the plane is and how much of the vectors it shows, below the switches.
  draw(): void {
    const { run } = this.app;
    if (!run?.axes || !run.share) {
      this.caption.replaceChildren();
      return;
    }
    const share = 100 * (run.share[0] + run.share[1]);
    this.caption.replaceChildren(t.planeOf(run.axes.map(run.textOf)), h("small", {}, t.planeShare(number(share, share < 10 ? 1 : 0))), button(t.axesBack, () => this.back()));
  }
}
