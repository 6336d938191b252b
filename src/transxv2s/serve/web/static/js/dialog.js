/* A question that has to be answered before anything else goes on. */

import { h } from "./dom.js";

/** Asks; gives whether the answer was yes. What cannot be undone begins with the focus at no. */
export function confirmed({ title, text = "", content = null, isHarmless = false, yes, no }) {
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", "aria-describedby": text && "dialog-text" },
    h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      text && h("p", { id: "dialog-text" }, text),
      content,
      h("div", { class: "actions" },
        h("button", { type: "button", autofocus: !isHarmless, onclick: () => dialog.close("no") }, no),
        h("button", { type: "submit", value: "yes", class: isHarmless ? "primary" : "danger" }, yes))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
