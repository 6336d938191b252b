/* Diagnostic classes by their codes. */

import { h } from "./dom.js";
import { t } from "./texts.js";

/** Names and behaviour of the classes that the server knows. */
export class Classes {
  constructor(about) {
    this.byCode = new Map([...about.diagnoses, ...about.classes].map((one) => [one.code, one]));
  }

  /** Name in words; of an unknown code the code. */
  name(code) {
    return this.byCode.get(code)?.name ?? code;
  }

  /** "malignant", "precancerous", "benign" or "unknown". */
  behaviour(code) {
    return this.byCode.get(code)?.malignancy ?? "unknown";
  }

  /** The name, marked in words unless the class is benign. */
  marked(code) {
    const behaviour = this.behaviour(code);
    const tag = behaviour !== "benign" && h("span", { class: `tag ${behaviour}` }, t(`behaviour.${behaviour}`));
    return [h("span", {}, this.name(code)), tag && " ", tag];
  }
}

/** Pairs of code and probability, highest first. */
export const sorted = (probabilities) => Object.entries(probabilities).sort(([, a], [, b]) => b - a);
