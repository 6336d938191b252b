/* Elements of the page. */

const SPRITE = new URL("../icons.svg", import.meta.url).pathname;
const SVG = "http://www.w3.org/2000/svg";

/** The element of this id. */
export const byId = (id) => document.getElementById(id);

/** A new element; `on…` are listeners, other properties attributes; null and false leave one out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child || child === 0));
  return element;
}

/** A new SVG element with these attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An icon of the sprite; words beside it say the same. */
export function icon(name) {
  const use = svg("use", { href: `${SPRITE}#${name}` });
  return svg("svg", { class: "icon", "aria-hidden": "true", focusable: "false" }, use);
}

/** Options of a select, as pairs of value and words. */
export function fillSelect(select, pairs, chosen) {
  select.append(...pairs.map(([value, words]) => h("option", { value }, words)));
  if (chosen !== undefined) select.value = chosen;
}

/** Radio buttons that look like chips, as pairs of value and words. */
export function radios(name, pairs, chosen, onchange) {
  return pairs.map(([value, words]) =>
    h("label", { class: "chip" },
      h("input", { type: "radio", name, value, checked: value === chosen, onchange, autocomplete: "off" }),
      h("span", {}, words)));
}

/** Says that a button's work goes on, without taking the focus from it. */
export function setBusy(button, busy) {
  button.setAttribute("aria-disabled", String(busy));
  button.classList.toggle("busy", busy);
}

/** Whether the button's work goes on. */
export const isBusy = (button) => button.getAttribute("aria-disabled") === "true";

/** Saves bytes as a file of the user's. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
