/* The images that are chosen to be sent, and what is wrong with them. */

import { byId, h, icon } from "./dom.js";
import { bytes, t } from "./texts.js";

/** The chosen images. `limits` as the server tells them, or null while it is not known. */
export class Files {
  chosen = [];
  limits = null;

  constructor(onchange) {
    this.onchange = onchange;
  }

  /** Adds files, but none twice. */
  add(files) {
    const known = new Set(this.chosen.map(({ file }) => identity(file)));
    for (const file of files) {
      if (known.has(identity(file))) continue;
      known.add(identity(file));
      this.chosen.push({ file, pixels: 0, item: null });
    }
    this.show();
  }

  /** Takes one away, and leaves the focus near it. */
  remove(entry) {
    const position = this.chosen.indexOf(entry);
    this.chosen.splice(position, 1);
    URL.revokeObjectURL(entry.address);
    this.show(t("send.removed", { name: entry.file.name }));
    const near = this.chosen[Math.min(position, this.chosen.length - 1)];
    (near?.item.querySelector("button") ?? byId("images")).focus();
  }

  /** What is wrong with the choice as a whole, or an empty string. */
  problem() {
    const most = this.limits?.max_images_per_case;
    if (this.chosen.length === 0) return t("send.none");
    if (most && this.chosen.length > most) return t("send.too_many", { n: most });
    return "";
  }

  /** Whether it can be sent. */
  get isGood() {
    return !this.problem() && this.chosen.every((entry) => !this.#wrong(entry));
  }

  show(words = null) {
    for (const entry of this.chosen) entry.item ??= this.#item(entry);
    for (const entry of this.chosen) this.#mark(entry);
    byId("files").replaceChildren(...this.chosen.map(({ item }) => item));
    byId("chosen").hidden = this.chosen.length === 0;
    byId("files-problem").textContent = this.chosen.length ? this.problem() : "";
    this.onchange(words ?? (this.chosen.length ? t("send.count", { n: this.chosen.length }) : ""));
  }

  #wrong({ file, pixels }) {
    const { max_upload_bytes: most = Infinity, max_pixels: largest = Infinity } = this.limits ?? {};
    const mega = (number) => Math.round(number / 1e5) / 10;
    if (file.size === 0) return t("send.empty");
    if (file.size > most) return t("send.too_large", { size: bytes(file.size), limit: bytes(most) });
    if (pixels <= largest) return "";
    return t("send.too_many_pixels", { size: mega(pixels), limit: mega(largest) });
  }

  #mark(entry) {
    const wrong = this.#wrong(entry);
    entry.item.classList.toggle("wrong", Boolean(wrong));
    entry.item.querySelector(".field-problem").textContent = wrong;
  }

  #item(entry) {
    entry.address = URL.createObjectURL(entry.file);
    const place = h("span", { class: "thumbnail" }, icon("image"));
    const picture = h("img", { src: entry.address, alt: "", onload: () => this.#seen(entry, place, picture) });
    const name = t("send.remove", { name: entry.file.name });
    return h("li", {}, place,
      h("span", { class: "file-words" }, h("span", { class: "file-name" }, entry.file.name),
        h("span", { class: "hint" }, bytes(entry.file.size)), h("span", { class: "field-problem" })),
      h("button", { type: "button", class: "plain", "aria-label": name, onclick: () => this.remove(entry) },
        icon("close")));
  }

  #seen(entry, place, picture) {
    entry.pixels = picture.naturalWidth * picture.naturalHeight;
    place.replaceChildren(picture);
    this.#mark(entry);
  }
}

const identity = (file) => `${file.name} ${file.size} ${file.lastModified}`;
