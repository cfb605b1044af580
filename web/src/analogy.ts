// analogy.ts: are analogies learned: the rank of the right answer over the training.

import type { App } from "./app.ts";
import { Card } from "./chart/card.ts";
import { h } from "./dom.ts";
import { t } from "./i18n.ts";
import { WordBox } from "./search.ts";
import { overFrames, runPath } from "./source.ts";
import { colors } from "./theme.ts";
import { explain } from "./waiting.ts";

const USUAL = [["man", "king", "woman", "queen"], ["he", "she", "his", "her"], ["man", "woman", "actor", "actress"], ["father", "mother", "son", "daughter"], ["good", "best", "bad", "worst"], ["thou", "ye", "thy", "your"], ["film", "films", "movie", "movies"], ["king", "kings", "son", "sons"]];
const SHOWN = 4;

export class AnalogyPart {
  readonly element = h("div", { class: "analogies" });
  private slot = h("div", { class: "cards wide" });
  private asked: number[][] = [];
  private card: Card | null = null;

  constructor(private app: App, private signal: AbortSignal, private added: (card: Card) => void) {
    const run = app.run!;
    if (app.source.offline) {
      this.element.append(h("p", { class: "note" }, t.notOffline));
      return;
    }
    this.asked = USUAL.map((words) => words.map(run.find)).filter((ids): ids is number[] => ids.every((id) => id !== undefined)).slice(0, SHOWN);
    this.element.append(this.slot, this.form());
    void this.draw();
  }

  private form(): HTMLElement {
    const words: (number | null)[] = [null, null, null, null], ask = h("button", { type: "button", class: "primary", disabled: true }, t.analogyAsk);
    const boxes = words.map((_, k) => {
      const box = new WordBox(this.app, () => ["man", "king", "woman", "queen"][k]!, (word) => {
        words[k] = word;
        box.input.value = this.app.run!.textOf(word);
        ask.disabled = words.includes(null);
      });
      box.input.setAttribute("aria-label", `${t.analogyOwn} ${k + 1}`);
      return box.element;
    });
    ask.addEventListener("click", () => {
      this.asked = [words as number[], ...this.asked].slice(0, SHOWN + 1);
      void this.draw();
    });
    return h("div", { class: "ask", role: "group", "aria-label": t.analogyOwn }, boxes[0]!, t.isTo, boxes[1]!, t.as, boxes[2]!, t.isTo, boxes[3]!, ask);
  }

  private async draw(): Promise<void> {
    const run = this.app.run!, { asked } = this;
    if (asked.length === 0) {
      this.slot.replaceChildren(h("p", { class: "note" }, t.noAnalogies));
      return;
    }
    try {
      const curves = [];
      for (const [k, ids] of asked.entries()) {
        const ranks = await this.app.facts!.once(`analogy ${ids.join()}`, this.signal, () => overFrames<number>(this.app.source, runPath(run.id, "analogy"), { words: ids.join() }, run.frames, this.signal));
        const [a, b, c, d] = ids.map(run.textOf);
        curves.push({ name: `${a}:${b} = ${c}:${d}`, color: colors.hues[k % 7]!, values: ranks });
      }
      this.card?.close();
      this.card = new Card(this.app, { kind: "curve", title: t.qAnalogies, xName: t.step, yName: t.analogyRank, x: run.map!.steps, log: true, downwards: true, curves }, { height: 200, note: t.analogyNote });
      this.added(this.card);
      this.slot.replaceChildren(this.card.element);
    } catch (cause) {
      if (!this.signal.aborted) this.slot.replaceChildren(h("p", { class: "note" }, explain(cause)));
    }
  }
}
