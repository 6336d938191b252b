/* One line of the worklist. */

import { h, icon } from "./dom.js";
import { day, moment, percent, since, t, upper } from "./texts.js";

const SHOWN = 2; // reasons

/** A case that waits, as a list item with one link. */
export function item(waiting, classes) {
  const { id, predicted, created_at: sent, reasons } = waiting;
  const rest = reasons.length - SHOWN;
  return h("li", { class: "card waiting-case" },
    thumbnail(waiting),
    h("div", { class: "waiting-words" },
      h("h2", {}, h("a", { href: `/cases/${id}` },
        t("worklist.looks_like", { name: classes.name(predicted) })), " ", classes.marked(predicted)[2]),
      h("p", {}, t("probabilities.may_be", { names: waiting.may_be }), " ",
        t("worklist.malignant", { percent: percent(waiting.malignant) })),
      h("ul", { class: "reasons" }, reasons.slice(0, SHOWN).map((reason) => h("li", {}, upper(reason))),
        rest > 0 && h("li", {}, t("worklist.more_reasons", { n: rest }))),
      h("p", { class: "hint" }, about(waiting))),
    h("p", { class: "waits" }, icon("clock"),
      h("time", { datetime: sent, title: moment(sent) }, t("worklist.waits", { time: since(sent) }))));
}

function thumbnail({ thumbnail: address }) {
  const none = () => h("span", { class: "thumbnail missing" }, icon("image"),
    h("span", { class: "visually-hidden" }, t("worklist.no_picture")));
  if (!address) return none();
  const picture = h("img", { class: "thumbnail", src: address, alt: "", loading: "lazy", width: 96, height: 96 });
  picture.onerror = () => picture.replaceWith(none());
  return picture;
}

function about({ age, sex, site, images, expires_at: end }) {
  const words = [age !== null && t("keeping.age", { n: age }), sex, site, t("worklist.images", { n: images }),
    t("worklist.until", { date: day(end) })];
  return upper(words.filter(Boolean).join(", "));
}
