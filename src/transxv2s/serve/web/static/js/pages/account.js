/* The page of the account. */

import { byId, h } from "../dom.js";
import { load } from "../problem.js";
import { enter } from "../shell.js";
import { t } from "../texts.js";
import { showTokens } from "../tokens.js";
import { showUsers } from "../users.js";

load(async () => {
  const me = await enter();
  const isLocal = me.mode === "local";
  const may = h("ul", {}, me.roles.map((role) => h("li", {}, t(`may.${role}`))));
  const pairs = isLocal ? [] : [[t("account.name"), me.name], [t("account.roles"), may]];
  byId("facts").replaceChildren(...pairs.map(([term, words]) => h("div", {}, h("dt", {}, term), h("dd", {}, words))));
  byId("who-local").hidden = byId("local").hidden = !isLocal;
  if (isLocal) return;
  await showTokens();
  if (me.roles.includes("admin")) await showUsers();
});
