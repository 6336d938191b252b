/* The page of a case. */

import { get } from "../api.js";
import { Classes } from "../classes.js";
import { showDecision } from "../decision.js";
import { byId, h, icon } from "../dom.js";
import { HeatMaps } from "../heat.js";
import { allowDeletion, allowTaking, showFacts } from "../keeping.js";
import { Nodes } from "../nodes.js";
import { showPictures } from "../pictures.js";
import { showProbabilities } from "../probabilities.js";
import { load } from "../problem.js";
import { ReviewForm, showHistory } from "../review.js";
import { enter, mayReview } from "../shell.js";
import { t } from "../texts.js";

const id = encodeURIComponent(location.pathname.split("/").at(-1));
const address = `/v1/findings/${id}`;

load(async () => {
  const me = await enter();
  const [about, found] = await Promise.all([get("/v1/about"), get(address)]);
  const view = { about, classes: new Classes(about), nodes: new Nodes(), maps: null };
  view.maps = new HeatMaps(about, view.classes);
  byId("back").hidden = !mayReview(me);
  showCase(found, view);
  showTabs(found, view);
  byId("maps").open = matchMedia("(min-width: 42rem)").matches; // the probabilities come next on a phone
  showImage(found, view, 0);
  allowTaking(id);
  if (mayReview(me)) allowMore(found, view);
  else byId("review-denied").hidden = false;
});

/** What a review changes. */
function showCase(found, { about, classes }) {
  showDecision(found, classes);
  showHistory(found, classes);
  showFacts(found, about);
}

/** Buttons for the images of the lesion, where there are several. */
function showTabs(found, view) {
  const n = found.findings.length;
  byId("tabs").hidden = n === 1;
  byId("tabs").append(...found.findings.map(({ decision }, i) => {
    const onclick = () => showImage(found, view, i);
    return h("button", { type: "button", class: "tab", onclick }, t("case.image", { n: i + 1 }),
      decision === "expert_review" && [icon("warning"), h("span", { class: "visually-hidden" }, t("case.needs_expert"))]);
  }));
}

/** Everything that is said of image n (from 0). */
function showImage(found, { about, classes, maps, nodes }, n) {
  const finding = found.findings[n];
  [...byId("tabs").children].forEach((tab, i) => tab.setAttribute("aria-pressed", String(i === n)));
  showProbabilities(finding, about, classes);
  const place = showPictures(found, n, about);
  byId("maps").hidden = !place || !about.methods.length;
  if (byId("maps").hidden) return;
  maps.show(`${address}/images/${n}`, finding, place);
  nodes.show(`${address}/images/${n}`, place);
}

/** What only reviewers may do. */
function allowMore(found, view) {
  new ReviewForm(id, found.predicted, view.about, view.classes, async () => showCase(await get(address), view));
  allowDeletion(id, showDeleted);
}

function showDeleted() {
  byId("content").remove();
  byId("problem").replaceChildren(h("div", { class: "card empty" }, icon("trash"),
    h("p", { class: "empty-title" }, t("keeping.deleted")), h("p", {}, t("keeping.deleted_lead"))));
  byId("title").focus();
}
