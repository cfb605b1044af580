// keyboard.ts: one key for each thing that is done often; help.ts lists them.

export interface Actions {
  toggle(): void;
  frame(by: number): void;
  epoch(by: number): void;
  end(which: "first" | "last"): void;
  search(): void;
  escape(): void;
  view(which: "map" | "health" | "compare"): void;
  flip(which: "trails" | "labels" | "lines"): void;
  movement(): void;
  fit(): void;
  axes(): void;
  alert(by: number): void;
  speed(by: number): void;
  theme(): void;
  help(): void;
}

export const KEYS: [keys: string, text: "keyPlay" | "keyFrame" | "keyEpoch" | "keyEnds" | "keySearch" | "keyEscape" | "keyViews" | "keyTrails" | "keyMovement" | "keyLabels" | "keyFit" | "keyAxes" | "keyAlerts" | "keySpeed" | "keyTheme" | "keyHelp"][] = [
  ["space", "keyPlay"], ["← →", "keyFrame"], ["shift ← →", "keyEpoch"], ["home end", "keyEnds"], ["/", "keySearch"], ["esc", "keyEscape"], ["1 2 3", "keyViews"],
  ["t", "keyTrails"], ["m", "keyMovement"], ["l", "keyLabels"], ["f", "keyFit"], ["x", "keyAxes"], ["[ ]", "keyAlerts"], [", .", "keySpeed"], ["d", "keyTheme"], ["?", "keyHelp"],
];

function actionOf(event: KeyboardEvent, a: Actions): (() => void) | null {
  switch (event.key) {
    case " ": return () => a.toggle();
    case "ArrowRight": return () => (event.shiftKey ? a.epoch(1) : a.frame(1));
    case "ArrowLeft": return () => (event.shiftKey ? a.epoch(-1) : a.frame(-1));
    case "Home": return () => a.end("first");
    case "End": return () => a.end("last");
    case "/": return () => a.search();
    case "Escape": return () => a.escape();
    case "1": return () => a.view("map");
    case "2": return () => a.view("health");
    case "3": return () => a.view("compare");
    case "t": return () => a.flip("trails");
    case "l": return () => a.flip("labels");
    case "n": return () => a.flip("lines");
    case "m": return () => a.movement();
    case "f": return () => a.fit();
    case "x": return () => a.axes();
    case "[": return () => a.alert(-1);
    case "]": return () => a.alert(1);
    case ",": return () => a.speed(-1);
    case ".": return () => a.speed(1);
    case "d": return () => a.theme();
    case "?": return () => a.help();
    default: return null;
  }
}

// Keys that mean something to what has the focus are left to it.
export function isTaken(key: string, target: { tagName: string; type?: string; isContentEditable?: boolean } | null): boolean {
  if (!target) return false;
  if (target.isContentEditable || target.tagName === "SELECT" || target.tagName === "TEXTAREA") return true;
  if (target.tagName === "INPUT" && target.type !== "checkbox" && target.type !== "radio" && target.type !== "range") return true;
  if (key === " ") return ["BUTTON", "SUMMARY", "INPUT", "A"].includes(target.tagName);
  return false;
}

export function listen(actions: Actions): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event.key, event.target as HTMLElement)) return;
    if (document.querySelector("dialog[open]")) return;
    const action = actionOf(event, actions);
    if (!action) return;
    event.preventDefault();
    action();
  });
}
