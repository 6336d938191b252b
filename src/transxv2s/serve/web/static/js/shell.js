/* What all pages have: who is there, and where one can go. */

import { send, session, toLogin } from "./api.js";
import { byId } from "./dom.js";

document.documentElement.classList.toggle("touch", navigator.maxTouchPoints > 0); // camera rather than arrow keys

/** Whether somebody may review: see the worklist and all cases, export and delete. */
export const mayReview = (me) => me.roles.some((role) => role === "reviewer" || role === "admin");

/** Fills the head of the page and tells who is there; who has to log in is sent to do so. */
export async function enter() {
  try {
    const me = await session();
    fill(me);
    return me;
  } catch (error) {
    if (error.status !== 401) throw error;
    toLogin();
    return new Promise(() => {}); // the page is being left
  }
}

function fill(me) {
  byId("navigation").hidden = false;
  byId("to-worklist").hidden = !mayReview(me);
  if (me.mode === "local") return;
  byId("who").hidden = false;
  byId("who-name").textContent = me.name;
  byId("logout").onclick = async () => {
    await send("DELETE", "/v1/session").catch(() => null); // the login says if it did not work
    location.assign("/login");
  };
}
