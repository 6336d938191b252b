/* What a lesion may be: in words, and as bars. */

import { sorted } from "./classes.js";
import { byId, h, icon } from "./dom.js";
import { frequency, percent, t, upper } from "./texts.js";

const SERIOUS = ["malignant", "precancerous"];

/** Shows the probabilities of one image. */
export function showProbabilities(finding, about, classes) {
  const pairs = sorted(finding.probabilities);
  const serious = pairs.filter(([code]) => SERIOUS.includes(classes.behaviour(code)));
  const sum = Math.min(1, serious.reduce((total, [, probability]) => total + probability, 0));
  byId("probabilities").replaceChildren(
    h("h2", { id: "probabilities-title" }, t("probabilities.title")),
    h("p", { class: "may-be" }, t("probabilities.may_be", { names: finding.may_be })),
    h("p", {}, t("probabilities.sum", { percent: percent(sum), frequency: frequency(sum) })),
    table(pairs, finding, classes),
    h("p", { class: "hint" }, t("probabilities.compare", { n: pairs.length }), " ",
      t(about.calibrated ? "probabilities.calibrated" : "probabilities.uncalibrated")),
    ...quality(finding.quality));
}

function table(pairs, finding, classes) {
  return h("table", { class: "probabilities" },
    h("caption", {}, t("probabilities.caption")),
    h("thead", { class: "visually-hidden" }, h("tr", {},
      h("th", { scope: "col" }, t("probabilities.class")),
      h("th", { scope: "col" }, t("probabilities.value")))),
    h("tbody", {}, pairs.map(([code, probability]) => row(code, probability, finding, classes))));
}

function row(code, probability, finding, classes) {
  const isPossible = finding.prediction_set.includes(code);
  const bar = h("div", { class: `bar ${classes.behaviour(code)}` });
  bar.style.setProperty("--share", probability);
  return h("tr", { class: isPossible && "possible" },
    h("th", { scope: "row" }, classes.marked(code),
      isPossible && h("span", { class: "visually-hidden" }, `, ${t("probabilities.possible")}`)),
    h("td", {}, h("div", { class: "track", "aria-hidden": "true" }, bar),
      h("span", { class: "value" }, percent(probability))));
}

function quality(notes) {
  const words = notes.length
    ? h("ul", { class: "notes" }, notes.map((note) => h("li", {}, upper(note))))
    : h("p", { class: "good" }, icon("check"), t("probabilities.quality_good"));
  return [h("h3", {}, t("probabilities.quality")), words];
}
