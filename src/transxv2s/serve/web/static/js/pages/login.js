/* The page where a user logs in. */

import { send, session } from "../api.js";
import { byId, isBusy, setBusy } from "../dom.js";
import { clearProblem, showProblem } from "../problem.js";
import { t } from "../texts.js";

byId("show").addEventListener("change", ({ target }) => {
  byId("password").type = target.checked ? "text" : "password";
});
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isBusy(byId("submit"))) login();
});
byId("go").href = next();
greet();

/** Where to go on: a page of this server. Whole, as its path alone may begin with // and name another. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  const address = new URL(wanted, location.origin);
  return address.origin === location.origin && wanted.startsWith("/") ? address.href : "/";
}

/** Says so where there is no need to log in. */
async function greet() {
  try {
    const me = await session();
    byId("signed-in-words").textContent = me.mode === "local" ? t("login.local") : t("login.already", me);
    byId("signed-in").hidden = false;
    byId("form").hidden = me.mode === "local";
  } catch (error) {
    if (error.status !== 401) showProblem(byId("problem"), error, greet, true);
  }
}

async function login() {
  const [name, password] = ["name", "password"].map((id) => byId(id).value);
  byId("missing").textContent = name && password ? "" : t("login.missing");
  if (!name || !password) {
    byId(name ? "password" : "name").focus();
    return;
  }
  clearProblem(byId("problem"));
  setBusy(byId("submit"), true);
  byId("status").textContent = t("login.checking");
  try {
    await send("POST", "/v1/session", { name: name.trim(), password });
    location.assign(next());
  } catch (error) {
    showProblem(byId("problem"), error);
    byId("status").textContent = "";
    byId("password").select();
    setBusy(byId("submit"), false);
  }
}
