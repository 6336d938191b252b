/* The image beside what the network saw of it. */

import { byId, h, icon } from "./dom.js";
import { t } from "./texts.js";

/** Shows both pictures of image n (from 0); gives the place of the seen one, or null where it is not kept. */
export function showPictures(found, n, about) {
  const image = found.images[n];
  const { width, height } = image;
  const places = ["original", "seen"].map(byId);
  const words = [
    t("case.original_alt", { n: n + 1, width, height }),
    t("case.seen_alt", { n: n + 1 }),
  ];
  [image.original, image.seen].forEach((address, i) => {
    places[i].replaceChildren(address ? picture(address, words[i]) : missing(t("case.gone")));
    places[i].classList.toggle("gone", !address);
  });
  byId("gone").textContent = image.available ? "" : why(found, about);
  if (image.original) link(places[0], image.original);
  return image.seen ? places[1] : null;
}

function picture(address, alt) {
  const shown = h("img", { src: address, alt, class: "picture" });
  shown.onerror = () => shown.replaceWith(missing(t("case.broken")));
  return shown;
}

/** Lets the picture be opened in full size. */
function link(place, address) {
  const name = t("case.original_open");
  place.append(h("a", { class: "enlarge no-print", href: address, target: "_blank", "aria-label": name, title: name },
    icon("enlarge")));
}

/** Why there are no pictures, and what that means. */
function why(found, about) {
  const isShort = found.state === "answered" && about.recent_minutes > 0;
  const recent = isShort ? `${t("case.gone_recent", { n: about.recent_minutes })} ` : "";
  return recent + t("case.gone_maps");
}

const missing = (words) => h("div", { class: "missing" }, icon("image"), h("p", {}, words));
