/* Files that the server makes and the user saves. */

import { getFile } from "./api.js";
import { byId, isBusy, save, setBusy } from "./dom.js";
import { clearProblem, showProblem } from "./problem.js";

/** Makes and saves a file at a click. `part`: beginning of the ids of its status and problem. */
export function offer(button, part, { path, name, working, done }) {
  button.onclick = async () => {
    if (isBusy(button)) return;
    const [status, problem] = ["status", "problem"].map((end) => byId(`${part}-${end}`));
    clearProblem(problem);
    status.textContent = working;
    setBusy(button, true);
    try {
      const { blob, name: given } = await getFile(path);
      save(blob, given ?? name);
      status.textContent = done(given ?? name);
    } catch (error) {
      status.textContent = "";
      showProblem(problem, error);
    }
    setBusy(button, false);
  };
}
