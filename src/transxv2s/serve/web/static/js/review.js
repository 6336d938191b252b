/* The opinions of experts, and a form for one's own. */

import { get, send } from "./api.js";
import { byId, h, icon, isBusy, radios, setBusy } from "./dom.js";
import { clearProblem, showProblem } from "./problem.js";
import { moment, t, upper } from "./texts.js";

/** Lists the opinions so far; the last one counts. */
export function showHistory(found, classes) {
  const state = found.reviews.length ? "" : t(found.state === "waiting" ? "review.waiting" : "review.answered");
  const entries = found.reviews.map((review, n) => entry(review, classes, n === found.reviews.length - 1));
  byId("history").replaceChildren(...(entries.length
    ? [h("h3", {}, t("review.history")), h("ol", { class: "history" }, entries)]
    : [h("p", {}, state)]));
}

function entry(review, classes, counts) {
  const { reviewer, comment } = review;
  const values = { confidence: t(`confidence.${review.confidence}`), reviewer, date: moment(review.created_at) };
  return h("li", { class: counts && "counts" },
    h("p", {}, h("strong", {}, upper(classes.name(review.diagnosis))), ", ",
      t(review.agrees ? "review.agreed" : "review.corrected"),
      counts && [" ", h("span", { class: "badge" }, t("review.counts"))]),
    h("p", { class: "hint" }, t("review.entry", values)),
    comment && h("p", { class: "comment" }, comment));
}

/** Lets an expert agree with the predicted class or correct it. */
export class ReviewForm {
  constructor(id, predicted, about, classes, onrecorded) {
    Object.assign(this, { id, predicted, classes, onrecorded });
    const confidences = about.confidences.map((name) => [name, t(`confidence.${name}`)]);
    const others = about.diagnoses.filter(({ code }) => code !== predicted).map(({ code, name }) => [code, upper(name)]);
    const onchange = () => { byId("confidence-problem").textContent = ""; };
    byId("confidences").append(...radios("confidence", confidences, null, onchange));
    byId("diagnoses").append(...radios("diagnosis", others, null));
    byId("agree").append(icon("check"), t("review.agree", { name: classes.name(predicted) }));
    byId("agree").onclick = () => this.record(byId("agree"), predicted);
    byId("disagree").onclick = () => this.#open(byId("correction").hidden);
    byId("review-form").onsubmit = (event) => this.#correct(event);
    byId("review-form").hidden = false;
  }

  #open(isOpen) {
    byId("correction").hidden = !isOpen;
    byId("disagree").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) byId("diagnoses").querySelector("input").focus();
  }

  #correct(event) {
    event.preventDefault();
    const chosen = byId("diagnoses").querySelector(":checked");
    byId("diagnosis-problem").textContent = chosen ? "" : t("review.choose");
    if (chosen) this.record(event.submitter ?? byId("agree"), chosen.value);
    else this.#open(true);
  }

  async record(button, diagnosis) {
    if (isBusy(button)) return;
    const confidence = this.#confidence();
    if (!confidence) return;
    const body = { diagnosis, confidence, comment: byId("comment").value.trim() };
    setBusy(button, true);
    clearProblem(byId("review-problem"));
    byId("review-status").textContent = t("review.sending");
    try {
      await send("POST", `/v1/findings/${this.id}/reviews`, body);
    } catch (error) {
      showProblem(byId("review-problem"), error, error.status >= 500 ? () => this.record(button, diagnosis) : null);
      return;
    } finally {
      byId("review-status").textContent = "";
      setBusy(button, false);
    }
    byId("review-form").reset();
    this.#open(false);
    await this.#goOn(diagnosis);
  }

  /** What the expert has chosen; nothing is chosen beforehand, as it would be recorded without a thought. */
  #confidence() {
    const chosen = byId("confidences").querySelector(":checked");
    byId("confidence-problem").textContent = chosen ? "" : t("review.choose_confidence");
    if (!chosen) byId("confidences").querySelector("input").focus();
    return chosen?.value;
  }

  /** Shows the record, and offers the next case. Where that fails, it alone is repeated: the opinion is recorded. */
  async #goOn(diagnosis) {
    try {
      await this.onrecorded();
      const { waiting, cases: [next] } = await get("/v1/worklist?limit=1");
      this.#say(diagnosis, next ? t("review.left", { n: waiting }) : t("review.none_left"), next
        ? h("a", { class: "button primary", href: `/cases/${next.id}` }, t("review.next"), icon("next"))
        : h("a", { class: "button", href: "/worklist" }, t("review.to_worklist")));
    } catch (error) {
      this.#say(diagnosis);
      showProblem(byId("review-problem"), error, () => this.#goOn(diagnosis));
    }
  }

  #say(diagnosis, words = "", link = null) {
    const done = byId("review-done");
    done.replaceChildren(h("div", { class: "done" }, icon("check"),
      h("p", {}, h("strong", {}, t("review.recorded", { name: this.classes.name(diagnosis) })), " ", words), link));
    done.focus();
    done.scrollIntoView({ block: "center" });
  }
}
