/* Where files are dropped or picked. */

import { byId } from "./dom.js";

/** Hands over the files that are picked, photographed, or dropped anywhere on the page. */
export function takeFiles(take) {
  for (const input of [byId("images"), byId("camera")]) {
    input.addEventListener("change", () => {
      take([...input.files]);
      input.value = ""; // so that the same file can be picked again
    });
  }
  dropped(byId("drop"), take);
}

function dropped(zone, take) {
  let depth = 0; // of elements that the pointer is over: leaving one may be entering another
  const mark = (change) => {
    depth = change === 0 ? 0 : Math.max(0, depth + change);
    zone.classList.toggle("over", depth > 0);
  };
  const on = (name, work) => document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    work(event);
  });
  on("dragenter", () => mark(1));
  on("dragleave", () => mark(-1));
  on("dragover", (event) => { event.dataTransfer.dropEffect = "copy"; });
  on("drop", (event) => {
    mark(0);
    take([...event.dataTransfer.files]);
  });
}
