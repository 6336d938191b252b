/* The page of the cases that wait for an expert. */

import { get } from "../api.js";
import { Classes } from "../classes.js";
import { byId, isBusy, setBusy } from "../dom.js";
import { offer } from "../download.js";
import { clearProblem, load, showProblem } from "../problem.js";
import { enter } from "../shell.js";
import { t } from "../texts.js";
import { item } from "../waiting.js";

const LIMIT = 20; // cases at once
let classes;
let next = null;

offer(byId("export"), "export", {
  path: "/v1/export", name: "reviewed.zip",
  working: t("worklist.exporting"), done: (name) => t("worklist.exported", { name }),
});
byId("refresh").addEventListener("click", refresh);
byId("more").addEventListener("click", more);
byId("cases").addEventListener("keydown", walk);
refresh();

function refresh() {
  clearProblem(byId("problem"));
  return load(async () => {
    await enter();
    classes ??= new Classes(await get("/v1/about"));
    const page = await get(`/v1/worklist?limit=${LIMIT}`);
    byId("cases").replaceChildren();
    add(page);
    byId("waiting").textContent = t("worklist.waiting", { n: page.waiting });
    byId("empty").hidden = page.cases.length > 0;
    byId("exporting").hidden = false;
  });
}

function add(page) {
  next = page.next;
  byId("cases").append(...page.cases.map((waiting) => item(waiting, classes)));
  byId("more").hidden = next === null;
  byId("keys").hidden = byId("cases").children.length < 2;
}

/** Adds the next page; the focus goes to its first case. */
async function more() {
  const button = byId("more");
  if (isBusy(button)) return;
  const first = byId("cases").children.length;
  setBusy(button, true);
  try {
    const page = await get(`/v1/worklist?limit=${LIMIT}&after=${encodeURIComponent(next)}`);
    add(page);
    byId("loaded").textContent = t("worklist.loaded", { n: page.cases.length });
    links()[first]?.focus();
  } catch (error) {
    showProblem(byId("problem"), error, refresh);
  }
  setBusy(button, false);
}

const links = () => [...byId("cases").querySelectorAll("a")];

/** Arrow keys, Home and End go from case to case. */
function walk(event) {
  const all = links();
  const here = all.indexOf(document.activeElement);
  const steps = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 };
  const there = all[steps[event.key]];
  if (!there) return;
  event.preventDefault();
  there.focus();
}
