import type { App, Part } from "./app.ts";
import { h } from "./dom.ts";
export class Compare implements Part {
  readonly element = h("section", { class: "compare" });
  constructor(_app: App) {}
}
