/* What went wrong, and how to go on. */

import { byId, h, icon } from "./dom.js";
import { t } from "./texts.js";

const TITLES = { 403: "forbidden", 404: "missing" };
const timers = new WeakMap();

/** Shows an error in its place. With `retry`, a button repeats the work; with `wait`, time does it, too. */
export function showProblem(place, error, retry = null, wait = false) {
  if (error.name === "AbortError") return;
  clearProblem(place);
  if (!error.kind) console.error(error);
  const isEnded = error.status === 401 && location.pathname !== "/login";
  const login = isEnded && h("a", { href: "/login", target: "_blank" }, t("errors.login"));
  const button = retry && h("button", { type: "button", onclick: again }, icon("refresh"), t("errors.retry"));
  const clock = retry && wait && error.retryAfter && h("p", { class: "hint" });
  place.append(h("div", { class: "problem" },
    h("div", { role: "alert" }, icon("warning"), h("p", {}, h("strong", {}, title(error)), " ", words(error))),
    login, clock, button));
  if (clock) countDown(place, clock, error.retryAfter, again);

  function again() {
    clearProblem(place);
    retry();
  }
}

/** Takes the error away, and with it what it waits for. */
export function clearProblem(place) {
  clearInterval(timers.get(place));
  place.replaceChildren();
}

/** Shows the content of a page when it is there, or what went wrong instead, and waits. */
export async function load(work) {
  const [loading, content, problem] = ["loading", "content", "problem"].map(byId);
  loading.hidden = false;
  try {
    await work();
    content.hidden = false;
  } catch (error) {
    showProblem(problem, error, error.status === 404 || error.status === 403 ? null : () => load(work), true);
  }
  loading.hidden = true;
}

function title(error) {
  if (error.kind === "StorageUnavailable") return t("errors.storage");
  if (error.status === 503) return t("errors.starting");
  return t(`titles.${TITLES[error.status] ?? "failed"}`);
}

const words = (error) => (error.kind ? error.message : t("errors.unreadable"));

function countDown(place, clock, seconds, done) {
  let left = seconds;
  const tick = () => {
    clock.textContent = t("errors.retry_in", { n: left });
    if (left === 0) done();
    left -= 1;
  };
  tick();
  timers.set(place, setInterval(tick, 1000));
}
