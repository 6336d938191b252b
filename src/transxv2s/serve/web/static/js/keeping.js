/* What is known and kept of a case; taking it along, and deleting it. */

import { send } from "./api.js";
import { confirmed } from "./dialog.js";
import { byId, h } from "./dom.js";
import { offer } from "./download.js";
import { showProblem } from "./problem.js";
import { day, moment, t, upper } from "./texts.js";

/** Shows what is known of a case and how long it is kept. */
export function showFacts(found, about) {
  const [{ model, checkpoint }] = found.findings;
  const pairs = [
    [t("keeping.sent"), t("keeping.sent_value", { date: moment(found.created_at), name: found.created_by })],
    [t("keeping.state"), upper(t(`states.${found.state}`))],
    [t("keeping.patient"), patient(found, about)],
    [t("keeping.site"), upper(found.site ?? t("keeping.unstated"))],
    [t("keeping.kept"), kept(found, about)],
    [t("keeping.model"), model],
    [t("keeping.checkpoint"), h("code", {}, checkpoint)],
    [t("keeping.number"), h("code", {}, found.id)],
  ];
  byId("facts").replaceChildren(...pairs.map(([term, words]) => h("div", {}, h("dt", {}, term), h("dd", {}, words))));
}

function kept(found, about) {
  const date = day(found.expires_at);
  if (!found.images_kept) return t("keeping.kept_finding", { date });
  if (found.images_until) return t("keeping.kept_reviewed", { date, images: day(found.images_until) });
  return t("keeping.kept_images", { date, n: about.export_days });
}

function patient({ age, sex }, about) {
  const key = age === about.age_cap ? "keeping.age_cap" : "keeping.age";
  const words = [age !== null && t(key, { n: age }), sex].filter(Boolean);
  return upper(words.join(", ") || t("keeping.unstated"));
}

/** What can be taken along of a case. */
export function allowTaking(id) {
  offer(byId("fhir"), "keeping", {
    path: `/v1/findings/${id}/fhir`, name: `${id}.fhir.json`,
    working: t("keeping.saving"), done: (name) => t("keeping.saved", { name }),
  });
  byId("print").onclick = () => print();
}

/** Lets the case be deleted, after a question. */
export function allowDeletion(id, ondeleted) {
  const button = byId("delete");
  button.hidden = false;
  button.onclick = async () => {
    const question = {
      title: t("keeping.delete_title"), text: t("keeping.delete_text"),
      yes: t("keeping.delete_yes"), no: t("keeping.delete_no"),
    };
    if (!(await confirmed(question))) return;
    byId("keeping-status").textContent = t("keeping.deleting");
    try {
      await send("DELETE", `/v1/findings/${id}`);
      ondeleted();
    } catch (error) {
      byId("keeping-status").textContent = "";
      showProblem(byId("keeping-problem"), error);
    }
  };
}
