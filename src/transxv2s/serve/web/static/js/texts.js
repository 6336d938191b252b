/* The texts of the page, which come with it, and what is said with numbers. */

const TEXTS = JSON.parse(document.getElementById("texts").textContent);
const PLURAL = new Intl.PluralRules("en");
const NUMBER = new Intl.NumberFormat("en-GB");
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "long" });
const SPACE = "\u00a0"; // the line does not break there
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

/** A text by its key, "part.name"; `n` also chooses between one and many. */
export function t(key, values = {}) {
  const found = key.split(".").reduce((part, name) => part?.[name], TEXTS);
  const text = typeof found === "object" ? found[PLURAL.select(values.n)] : found;
  if (text === undefined) throw new Error(`There is no text ${key}.`);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? NUMBER.format(value) : value;
  });
}

/** A probability for people: never a false 0 % or 100 %. */
export function percent(probability) {
  if (probability > 0 && probability < 0.01) return `<${SPACE}1${SPACE}%`;
  if (probability > 0.99 && probability < 1) return `>${SPACE}99${SPACE}%`;
  return `${Math.round(100 * probability)}${SPACE}%`;
}

/** A probability as a frequency, always in 100, so that two can be compared: "about 70 in 100". */
export function frequency(probability) {
  if (probability < 0.01) return t("probabilities.under");
  if (probability > 0.99) return t("probabilities.over");
  return t("probabilities.about", { n: Math.round(100 * probability) });
}

/** A size of a file. */
export function bytes(size) {
  const unit = size < 1e6 ? "kilobyte" : "megabyte";
  const amount = size / (unit === "kilobyte" ? 1e3 : 1e6);
  return new Intl.NumberFormat("en-GB", { style: "unit", unit, maximumFractionDigits: 1 }).format(amount);
}

/** A day and its time. */
export const moment = (iso) => MOMENT.format(new Date(iso));

/** A day. */
export const day = (iso) => DAY.format(new Date(iso));

/** How long ago: "2 hours". */
export function since(iso) {
  const seconds = (Date.now() - new Date(iso).getTime()) / 1000;
  const unit = UNITS.find(([, length]) => seconds >= length);
  if (!unit) return t("worklist.just_now");
  const style = { style: "unit", unit: unit[0], unitDisplay: "long" };
  return new Intl.NumberFormat("en-GB", style).format(Math.floor(seconds / unit[1]));
}

/** Words as the beginning of a line; no number is parted from its %. */
export const upper = (words) => words.charAt(0).toUpperCase() + words.slice(1).replaceAll(" %", `${SPACE}%`);
