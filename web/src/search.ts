// search.ts: the box that finds words, over the whole vocabulary, whatever the map shows. A combobox after the patterns of
// WAI-ARIA 1.2.

import type { App } from "./app.ts";
import { h } from "./dom.ts";
import { number, t } from "./i18n.ts";
import { runPath } from "./source.ts";

const MOST = 10;
let count = 0;

// Why a word is not in the vocabulary, and words that are spelt nearly like it.
export async function missingWord(app: App, text: string): Promise<{ why: string; near: number[]; text: string }> {
  const run = app.run!, reply = await app.source.json<{ near: number[] }>(runPath(run.id, "find"), { text }).catch(() => ({ near: [] as number[] }));
  const least = run.summary.settings["min-count"] ?? run.summary.settings.min_count, near = reply.near.slice(0, 5);
  const why = t.notInVocabulary(text, number(run.summary.words), least ? number(Number(least)) : "");
  return { why, near, text: near.length > 0 ? `${why}${t.didYouMean} ${near.map(run.textOf).join(", ")}` : why };
}

export class WordBox {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  private list: HTMLElement;
  private found: number[] = [];
  private at = -1;
  private missing = 0;

  constructor(private app: App, private label: () => string, private chosen: (word: number, add: boolean) => void, key = "") {
    const id = `words-${++count}`;
    this.list = h("ul", { id, role: "listbox", class: "found", hidden: true });
    this.input = h("input", { type: "search", role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
    this.element = h("div", { class: "word-box" }, this.input, key ? h("kbd", { "aria-hidden": "true" }, key) : null, this.list);
    this.input.addEventListener("input", () => this.look());
    this.input.addEventListener("keydown", (event) => this.key(event));
    // Late, so that a word can be clicked; whoever is back by then has a list of his own.
    this.input.addEventListener("blur", () => setTimeout(() => document.activeElement !== this.input && this.close(), 150));
    this.rename();
  }

  rename(): void {
    this.input.placeholder = this.label();
    this.input.setAttribute("aria-label", this.label());
    this.list.setAttribute("aria-label", this.label());
  }

  private look(): void {
    const text = this.input.value;
    this.found = this.app.run?.search(text, MOST) ?? [];
    this.at = this.found.length > 0 ? 0 : -1;
    this.draw();
    if (this.found.length === 0 && text.trim() !== "") void this.tellMissing(text.trim());
  }

  private draw(extra: Node[] = []): void {
    const { run } = this.app;
    this.list.replaceChildren(...this.found.map((word, k) => {
      const item = h("li", { role: "option", id: `${this.list.id}-${k}`, "aria-selected": k === this.at ? "true" : "false" },
        h("span", {}, run!.textOf(word)), h("small", {}, (run!.countOf(word) > 0 ? number(run!.countOf(word)) : "") + (word >= run!.mapWords ? ` · ${t.notOnMap}` : "")));
      item.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.take(word, event.shiftKey || event.ctrlKey || event.metaKey);
      });
      return item;
    }), ...extra);
    this.list.hidden = this.list.childElementCount === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    if (this.at >= 0) this.input.setAttribute("aria-activedescendant", `${this.list.id}-${this.at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  // A word that is not in the vocabulary: why that may be, and what is spelt nearly like it.
  private async tellMissing(text: string): Promise<void> {
    const turn = ++this.missing;
    if (!this.app.run) return;
    const told = await missingWord(this.app, text);
    if (turn !== this.missing || this.input.value.trim() !== text) return;
    this.found = told.near;
    this.at = -1;
    const why = h("li", { role: "option", class: "why", "aria-disabled": "true", "aria-selected": "false" }, told.why, told.near.length > 0 ? h("em", {}, t.didYouMean) : "");
    this.draw();
    this.list.prepend(why);
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.app.announce(why.textContent ?? "");
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const n = this.found.length;
      if (n > 0) this.at = (this.at + (event.key === "ArrowDown" ? 1 : n - 1) + (this.at < 0 && event.key === "ArrowUp" ? 1 : 0)) % n;
      this.draw();
    } else if (event.key === "Enter") {
      if (this.list.hidden) return; // a form around it may want it
      event.preventDefault();
      const word = this.found[Math.max(0, this.at)];
      if (word !== undefined) this.take(word, event.shiftKey);
    } else if (event.key === "Escape") {
      if (this.list.hidden && this.element.closest("form")) return;
      event.stopPropagation();
      if (this.list.hidden && this.input.value === "") this.input.blur();
      this.input.value = "";
      this.close();
    }
  }

  private take(word: number, add: boolean): void {
    this.input.value = "";
    this.close();
    this.chosen(word, add);
  }

  private close(): void {
    this.found = [];
    this.at = -1;
    this.list.replaceChildren();
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
