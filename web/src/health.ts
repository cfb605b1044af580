import type { App, Part } from "./app.ts";
import { h } from "./dom.ts";
export class Health implements Part {
  readonly element = h("section", { class: "health" });
  constructor(_app: App) {}
}
