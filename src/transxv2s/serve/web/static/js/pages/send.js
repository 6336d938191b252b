/* The page that images are sent from. */

import { get } from "../api.js";
import { byId, fillSelect, h } from "../dom.js";
import { takeFiles } from "../drop.js";
import { Files } from "../files.js";
import { clearProblem, showProblem } from "../problem.js";
import { sendImages } from "../sending.js";
import { enter } from "../shell.js";
import { bytes, t, upper } from "../texts.js";

const OLDEST = 120; // years
const files = new Files((words) => { byId("count").textContent = words; });
takeFiles((taken) => files.add(taken));
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (isReady()) examine();
});
byId("age").addEventListener("input", () => sayOfAge(true)); // not at its end: the button would move under the pointer
ask();

/** Asks the server what it takes and keeps. */
async function ask() {
  try {
    await enter();
    tell(await get("/v1/about"));
  } catch (error) {
    showProblem(byId("problem"), error, ask, true);
  }
}

function tell(about) {
  files.limits = about.limits;
  const { max_upload_bytes: most, max_images_per_case: n } = about.limits;
  byId("limits").textContent = t("send.drop_hint", { size: bytes(most), n });
  fillSelect(byId("sex"), about.sexes.map((sex) => [sex, upper(sex)]));
  fillSelect(byId("site"), about.sites.map((site) => [site, upper(site)]));
  byId("age-cap").textContent = t("send.age_cap", { n: about.age_cap });
  const days = { n: about.retention_days };
  const kept = [t(`keep.${about.keep}`, days), t("send.keep_finding", days)];
  if (about.keep !== "nothing") kept.splice(1, 0, t("send.keep_reviewed", { n: about.export_days }));
  byId("keep").prepend(...kept.map((words) => h("li", {}, words)));
  files.show();
}

function checkAge() {
  const given = byId("age").value.trim();
  const isGood = given === "" || (/^\d{1,3}$/.test(given) && Number(given) <= OLDEST);
  sayOfAge(isGood);
  return isGood;
}

function sayOfAge(isGood) {
  byId("age-problem").textContent = isGood ? "" : t("send.age_wrong");
  byId("age").setAttribute("aria-invalid", String(!isGood));
}

/** Whether all can be sent; the focus goes to what cannot. */
function isReady() {
  byId("files-problem").textContent = files.problem();
  if (!files.isGood) {
    (document.querySelector(".files .wrong button") ?? byId("images")).focus();
    return false;
  }
  const isGood = checkAge();
  if (!isGood) byId("age").focus();
  return isGood;
}

async function examine() {
  const data = new FormData();
  files.chosen.forEach(({ file }, i) => data.append("images", file, `image ${i + 1}`)); // its name may be the patient's
  for (const name of ["age", "sex", "site"]) {
    const given = byId(name).value.trim();
    if (given) data.append(name, given);
  }
  show(true);
  try {
    const found = await sendImages(data);
    if (!found.isCancelled) {
      byId("sending-words").textContent = t("send.done");
      location.assign(`/cases/${found.id}`);
      return;
    }
    show(false);
    byId("count").textContent = t(found.isSent ? "send.cancelled_late" : "send.cancelled");
    byId("submit").focus();
  } catch (error) {
    show(false);
    showProblem(byId("problem"), error, examine, true);
    byId("problem").querySelector("button").focus();
  }
}

/** Shows either that images are being sent, or the form. */
function show(isSending) {
  clearProblem(byId("problem"));
  byId("form").inert = isSending;
  byId("form").classList.toggle("faded", isSending);
  byId("sending").hidden = !isSending;
  if (!isSending) return;
  byId("sending").focus();
  byId("sending").scrollIntoView({ block: "nearest" });
}
