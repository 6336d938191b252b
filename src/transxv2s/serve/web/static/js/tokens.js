/* The API tokens of the user. */

import { get, send } from "./api.js";
import { confirmed } from "./dialog.js";
import { byId, h } from "./dom.js";
import { clearProblem, showProblem } from "./problem.js";
import { table } from "./table.js";
import { day, t } from "./texts.js";

/** Lists the tokens, and lets them be made and revoked. */
export async function showTokens() {
  await list();
  byId("tokens").hidden = false;
  byId("token-copy").onclick = copy;
  byId("token-form").onsubmit = (event) => {
    event.preventDefault();
    change("", make);
  };
}

async function list() {
  const tokens = await get("/v1/tokens");
  const heads = [t("tokens.name"), t("tokens.created"), t("tokens.state")];
  byId("tokens-list").replaceChildren(tokens.length
    ? table(t("tokens.list"), heads, tokens.map(row))
    : h("p", { class: "hint" }, t("tokens.empty")));
}

function row({ id, name, created_at: made, revoked_at: revoked }) {
  const label = t("tokens.revoke_of", { name });
  const button = h("button", { type: "button", "aria-label": label, onclick: () => revoke(id, name) }, t("tokens.revoke"));
  const state = revoked ? t("tokens.revoked", { date: day(revoked) }) : t("tokens.valid");
  return { isVoid: Boolean(revoked), cells: [name, day(made), state, !revoked && button] };
}

/** Does something, lists the tokens anew, and says so. */
async function change(words, work) {
  clearProblem(byId("tokens-problem"));
  byId("tokens-status").textContent = "";
  try {
    await work();
    await list();
    byId("tokens-status").textContent = words;
  } catch (error) {
    showProblem(byId("tokens-problem"), error);
  }
}

async function make() {
  const { token } = await send("POST", "/v1/tokens", { name: byId("token-name").value.trim() });
  byId("token-form").reset();
  byId("token-secret").textContent = token;
  byId("token-made").hidden = false;
  byId("token-made").focus();
}

async function revoke(id, name) {
  const question = {
    title: t("tokens.revoke_title", { name }), text: t("tokens.revoke_text"), yes: t("tokens.revoke"), no: t("tokens.keep"),
  };
  if (!(await confirmed(question))) return;
  byId("token-made").hidden = true;
  await change(t("tokens.was_revoked", { name }), () => send("DELETE", `/v1/tokens/${id}`));
  byId("tokens-title").focus();
}

async function copy() {
  const secret = byId("token-secret");
  getSelection().selectAllChildren(secret); // for those whose browser does not let us copy
  try {
    await navigator.clipboard.writeText(secret.textContent);
    byId("tokens-status").textContent = t("tokens.copied");
  } catch {
    byId("tokens-status").textContent = t("tokens.copy_yourself");
  }
}
