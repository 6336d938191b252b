/* The users, for admins. */

import { get, send } from "./api.js";
import { confirmed } from "./dialog.js";
import { byId, fillSelect, h } from "./dom.js";
import { clearProblem, showProblem } from "./problem.js";
import { table } from "./table.js";
import { day, t } from "./texts.js";

const ROLES = ["uploader", "reviewer", "admin"].map((role) => [role, t(`roles.${role}`)]);

/** Lists the users, and lets them be added, changed and shut out. */
export async function showUsers() {
  fillSelect(byId("user-role"), ROLES);
  await list();
  byId("users").hidden = false;
  byId("user-form").onsubmit = (event) => {
    event.preventDefault();
    add();
  };
}

async function list() {
  const users = await get("/v1/users");
  const heads = [t("users.name"), t("users.role"), t("users.created"), t("users.state")];
  byId("users-list").replaceChildren(table(t("users.list"), heads, users.map(row)));
}

function row({ name, role, disabled, created_at: made }) {
  const select = h("select", { "aria-label": t("users.role_of", { name }), autocomplete: "off" });
  fillSelect(select, ROLES, role);
  select.onchange = () => change(name, { role: select.value });
  const buttons = h("div", { class: "actions" },
    button("set_password", name, () => changePassword(name)),
    disabled
      ? button("enable", name, () => change(name, { disabled: false }))
      : button("disable", name, () => disable(name)));
  return { isVoid: disabled, cells: [name, select, day(made), t(disabled ? "users.disabled" : "users.active"), buttons] };
}

const button = (key, name, onclick) =>
  h("button", { type: "button", "aria-label": t(`user_actions.${key}_of`, { name }), onclick }, t(`user_actions.${key}`));

/** Does something, lists the users anew, and says so. Gives whether it worked. */
async function act(words, work) {
  clearProblem(byId("users-problem"));
  byId("users-status").textContent = "";
  let isDone = true;
  try {
    await work();
    byId("users-status").textContent = words;
  } catch (error) {
    isDone = false;
    showProblem(byId("users-problem"), error);
  }
  await list().catch((error) => showProblem(byId("users-problem"), error));
  return isDone;
}

async function change(name, what) {
  await act(t("users.changed", { name }), () => send("PATCH", `/v1/users/${encodeURIComponent(name)}`, what));
  byId("users-title").focus();
}

async function add() {
  const [given, password, role] = ["name", "password", "role"].map((part) => byId(`user-${part}`).value);
  const name = given.trim().toLowerCase();
  const isDone = await act(t("users.added", { name }), () => send("POST", "/v1/users", { name, password, role }));
  if (isDone) byId("user-form").reset();
}

async function disable(name) {
  const question = {
    title: t("users.disable_title", { name }), text: t("users.disable_text"), yes: t("user_actions.disable"), no: t("users.keep"),
  };
  if (await confirmed(question)) await change(name, { disabled: true });
}

async function changePassword(name) {
  const field = h("input", { id: "new-password", type: "password", autocomplete: "new-password", "aria-describedby": "new-hint" });
  const content = h("div", { class: "field" },
    h("label", { for: "new-password" }, t("users.new_password")), field,
    h("p", { class: "hint", id: "new-hint" }, t("users.password_hint")));
  const question = {
    title: t("user_actions.set_password_of", { name }), content, isHarmless: true, yes: t("users.save"), no: t("users.cancel"),
  };
  if (await confirmed(question)) await change(name, { password: field.value });
}
