/* The nodes that the graph attention chose, as dots over the picture that the network saw. */

import { get } from "./api.js";
import { byId, fillSelect, svg } from "./dom.js";
import { clearProblem, showProblem } from "./problem.js";
import { t } from "./texts.js";

const SMALLEST = 0.008; // radius of a dot, in sides of the picture
const LARGEST = 0.02;

/** The nodes of a case, one image at a time. */
export class Nodes {
  known = new Map();

  constructor() {
    byId("nodes").addEventListener("change", () => this.draw());
    byId("module").addEventListener("change", () => this.draw());
  }

  /** Shows the nodes of another image: its address, and where to draw. */
  show(address, place) {
    Object.assign(this, { address, place });
    this.draw();
  }

  /** Draws them where they are wanted. */
  async draw() {
    const { address, place } = this;
    const isWanted = byId("nodes").checked;
    place.querySelector(".nodes")?.remove();
    clearProblem(byId("nodes-problem"));
    byId("module-field").hidden = true;
    byId("nodes-status").textContent = isWanted ? t("maps.nodes_loading") : "";
    if (!isWanted) return;
    try {
      const modules = await this.#modules(address);
      if (address === this.address && byId("nodes").checked) this.#dots(modules, place);
    } catch (error) {
      byId("nodes-status").textContent = "";
      showProblem(byId("nodes-problem"), error, () => this.draw(), true);
    }
  }

  async #modules(address) {
    if (!this.known.has(address)) this.known.set(address, (await get(`${address}/attention`)).modules);
    return this.known.get(address);
  }

  #dots(modules, place) {
    const select = byId("module");
    if (!modules.length) {
      byId("nodes-status").textContent = t("maps.nodes_none");
      return;
    }
    byId("module-field").hidden = false;
    if (!select.length) fillSelect(select, modules.map(({ name, title }) => [name, title]), modules.at(-1).name);
    const { nodes, title } = modules.find(({ name }) => name === select.value);
    const dots = nodes.map(({ x, y, weight }) =>
      svg("circle", { cx: x, cy: y, r: SMALLEST + (LARGEST - SMALLEST) * weight }));
    place.querySelector(".nodes")?.remove();
    const attributes = { class: "nodes", viewBox: "0 0 1 1", role: "img", "aria-label": t("maps.nodes_alt", { name: title }) };
    place.append(svg("svg", attributes, ...dots));
    byId("nodes-status").textContent = t("maps.nodes_shown", { n: nodes.length, name: title });
  }
}
