/* The decision of a case, before everything else. */

import { sorted } from "./classes.js";
import { byId, h, icon } from "./dom.js";
import { frequency, moment, percent, t, upper } from "./texts.js";

/** Shows what an expert said, if one did, and what the system said. */
export function showDecision(found, classes) {
  const last = found.reviews.at(-1);
  const section = byId("decision");
  section.replaceChildren(...(last ? [reviewed(last, classes)] : []), system(found, classes, !last));
}

function reviewed(review, classes) {
  const values = { reviewer: review.reviewer, date: moment(review.created_at), confidence: t(`confidence.${review.confidence}`) };
  return h("div", { class: "verdict reviewed" }, icon("person"), h("div", {},
    h("h2", { id: "decision-title" }, t("case.reviewed", { name: classes.name(review.diagnosis) })),
    h("p", {}, t("case.reviewed_lead", values))));
}

function system(found, classes, isFirst) {
  const code = found.predicted;
  const needsExpert = found.decision === "expert_review";
  const isSerious = classes.behaviour(code) !== "benign";
  const kind = needsExpert ? "expert" : isSerious ? "answer serious" : "answer";
  const heading = h(isFirst ? "h2" : "h3", { id: isFirst ? "decision-title" : null },
    needsExpert ? t("case.expert") : t("case.answer", { name: classes.name(code) }),
    !needsExpert && isSerious && [" ", classes.marked(code).at(-1)]);
  return h("div", { class: `verdict ${kind}` }, icon(needsExpert ? "warning" : isSerious ? "attention" : "check"), h("div", {},
    !isFirst && h("p", { class: "overline" }, t("case.system_said")),
    heading,
    h("p", {}, lead(found, classes)),
    advice(found.findings),
    needsExpert && reasons(found.reasons)));
}

function lead(found, classes) {
  const n = found.findings.length;
  const mean = n > 1 && t("case.mean", { n });
  const [first] = sorted(found.probabilities);
  const common = first[0] !== found.predicted && t("case.more_probable", chance(...first, classes));
  const named = chance(found.predicted, found.probabilities[found.predicted], classes);
  const words = found.decision === "answer"
    ? [t("case.probability", named), mean, common, t("case.answer_lead")]
    : [t("case.expert_lead"), t("case.looks_like", named), mean, common];
  return words.filter(Boolean).join(" ");
}

const chance = (code, probability, classes) =>
  ({ name: classes.name(code), percent: percent(probability), frequency: frequency(probability) });

function advice(findings) {
  const all = [...new Set(findings.map((finding) => finding.advice).filter(Boolean))];
  return all.map((words) => h("p", { class: "advice" }, h("strong", {}, `${t("case.advice")}: `), words));
}

const reasons = (all) => [
  h("h3", {}, t("case.why")),
  h("ul", { class: "reasons" }, all.map((reason) => h("li", {}, upper(reason)))),
];
