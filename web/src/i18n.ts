// i18n.ts: the texts of the page in the language chosen, and numbers as that language writes them.

import { en } from "./texts.en.ts";
import { vi } from "./texts.vi.ts";

export type Texts = typeof en;
const languages: Record<"en" | "vi", Texts> = { en, vi };

export let t: Texts = en;
let locale = "en-GB";

export function setLanguage(lang: "en" | "vi"): void {
  t = languages[lang];
  locale = lang === "vi" ? "vi-VN" : "en-GB";
}

// With at most so many digits after the point; 0: a whole number with its thousands apart.
export function number(value: number, digits = 0): string {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString(locale, { maximumFractionDigits: digits });
}

// As short as a tick on an axis may be: three significant digits, thousands as k, millions as M.
export function short(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return "–";
  if (size >= 1e6) return (value / 1e6).toLocaleString(locale, { maximumSignificantDigits: 3 }) + "M";
  if (size >= 1e4) return (value / 1e3).toLocaleString(locale, { maximumSignificantDigits: 3 }) + "k";
  if (size > 0 && size < 1e-3) return value.toExponential(1).replace(".", locale === "vi-VN" ? "," : ".");
  return value.toLocaleString(locale, { maximumSignificantDigits: 4 });
}
