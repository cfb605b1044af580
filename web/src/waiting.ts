// waiting.ts: a question that takes a while: how far it is, and a way out.

import { button, h } from "./dom.ts";
import { t } from "./i18n.ts";
import { Gone, Refused } from "./source.ts";

const PATIENCE_MS = 400;

export class Waiting {
  readonly element = h("div", { class: "waiting", hidden: true, role: "status" });
  private bar = h("progress", { max: 100, value: 0, "aria-label": t.computing });
  private text = h("span");

  constructor(private what: string, cancel: () => void) {
    this.element.append(this.text, this.bar, button(t.cancel, () => {
      cancel();
      this.element.replaceChildren(h("span", {}, t.cancelled));
    }));
    setTimeout(() => (this.element.hidden = false), PATIENCE_MS);
    this.told(0);
  }

  told(share: number): void {
    this.bar.value = Math.round(100 * share);
    this.text.textContent = `${this.what}: ${Math.round(100 * share)}%`;
  }

  failed(cause: unknown): void {
    if (cause instanceof DOMException && cause.name === "AbortError") return;
    this.element.hidden = false;
    this.element.replaceChildren(h("span", { class: "problem" }, explain(cause)));
  }
}

export function explain(cause: unknown): string {
  if (cause instanceof Gone) return t.serverGone;
  if (cause instanceof Refused) return cause.help ? `${cause.message}. ${cause.help}` : cause.message;
  return cause instanceof Error ? cause.message : String(cause);
}
