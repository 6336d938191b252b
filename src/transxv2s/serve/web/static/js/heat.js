/* Heat maps laid over the picture that the network saw. */

import { getFile } from "./api.js";
import { sorted } from "./classes.js";
import { byId, fillSelect, h, radios } from "./dom.js";
import { clearProblem, showProblem } from "./problem.js";
import { t } from "./texts.js";

const NONE = "";
const PAUSE = 400; // milliseconds on one choice, before the server is asked: arrow keys walk past the others

/** The heat maps of a case, one image at a time. */
export class HeatMaps {
  method = null;
  addresses = new Map();

  constructor(about, classes) {
    Object.assign(this, { about, classes });
    const pairs = [[NONE, t("maps.none")], ...about.methods.map(({ name, title }) => [name, title])];
    byId("methods").append(...radios("method", pairs, NONE, ({ target }) => this.choose(target.value)));
    byId("map-class").addEventListener("change", () => this.draw());
    byId("opacity").addEventListener("input", () => this.fade());
  }

  /** Shows the maps of another image: the address of the image, its finding, and where to draw. */
  show(address, finding, place) {
    Object.assign(this, { address, place });
    const pairs = sorted(finding.probabilities).map(([code]) => [code, this.classes.name(code)]);
    byId("map-class").replaceChildren();
    fillSelect(byId("map-class"), pairs, finding.predicted);
    this.fade();
    this.draw();
  }

  choose(name) {
    this.method = this.about.methods.find((method) => method.name === name) ?? null;
    this.draw();
  }

  /** Draws what is chosen, and forgets what was chosen before. */
  async draw() {
    const { method, place } = this;
    this.waiting?.abort();
    this.waiting = new AbortController();
    const { signal } = this.waiting;
    this.#arrange();
    place.querySelector(".heat")?.remove();
    place.removeAttribute("aria-busy");
    clearProblem(byId("map-problem"));
    byId("map-status").textContent = method ? t("maps.loading") : "";
    if (!method) return;
    place.setAttribute("aria-busy", "true");
    try {
      const address = await this.#picture(signal);
      if (signal.aborted) return;
      const map = h("img", { class: "heat", src: address, alt: t("maps.alt", { method: method.title }) });
      map.style.setProperty("--map", `url(${address})`); // its own lightness is its mask
      place.append(map);
      byId("map-status").textContent = this.#shown();
    } catch (error) {
      if (signal.aborted) return;
      byId("map-status").textContent = "";
      showProblem(byId("map-problem"), error, () => this.draw(), true);
    }
    place.removeAttribute("aria-busy");
  }

  fade() {
    const opacity = byId("opacity").valueAsNumber;
    byId("opacity-value").textContent = `${opacity}\u00a0%`;
    this.place.style.setProperty("--opacity", opacity / 100);
  }

  #arrange() {
    const { method } = this;
    byId("map-fields").hidden = byId("legend").hidden = !method;
    byId("maps").classList.toggle("no-print", !method);
    byId("map-class-field").hidden = !method?.per_class;
    byId("map-same").hidden = !method || method.per_class;
  }

  /** An address of the picture within this page; each is asked for once. */
  async #picture(signal) {
    const name = encodeURIComponent(this.method.name);
    const wanted = this.method.per_class ? `?class=${encodeURIComponent(byId("map-class").value)}` : "";
    const path = `${this.address}/heat-maps/${name}.png${wanted}`;
    if (!this.addresses.has(path)) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      signal.throwIfAborted();
      const { blob } = await getFile(path, signal);
      this.addresses.set(path, URL.createObjectURL(blob));
    }
    return this.addresses.get(path);
  }

  #shown() {
    const { title, per_class: isOfClass } = this.method;
    if (!isOfClass) return t("maps.shown_any", { method: title });
    return t("maps.shown", { method: title, name: this.classes.name(byId("map-class").value) });
  }
}
