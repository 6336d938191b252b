/* Tables of the account page. */

import { h } from "./dom.js";

/** A table: heads of its columns, and rows whose first cell names them. */
export function table(label, heads, rows) {
  return h("table", { class: "list", "aria-label": label },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)), h("td", {}))),
    h("tbody", {}, rows.map(({ cells: [first, ...cells], isVoid = false }) =>
      h("tr", { class: isVoid && "void" }, h("th", { scope: "row" }, first), cells.map((cell) => h("td", {}, cell))))));
}
