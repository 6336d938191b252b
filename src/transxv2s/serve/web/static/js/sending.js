/* Sending images, and saying how far it has come. */

import { csrf, failure, offline } from "./api.js";
import { byId } from "./dom.js";
import { percent, t } from "./texts.js";

const STEP = 0.25; // of what has to be sent: screen readers read each of the words, so they are few

/**
 * Sends a form's data; gives the case, or, if the user cancels, { isCancelled: true, isSent }: what was sent whole
 * may be stored nevertheless. Throws an ApiError.
 */
export async function sendImages(data) {
  const headers = await csrf();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much has been sent
    let isSent = false;
    request.open("POST", "/v1/findings");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => progress(loaded / total);
    request.upload.onload = () => {
      isSent = true;
      progress(null);
    };
    request.onerror = () => reject(offline());
    request.onabort = () => resolve({ isCancelled: true, isSent });
    request.onload = () => {
      const { status, responseText } = request;
      if (status === 201) resolve(JSON.parse(responseText));
      else reject(failure(status, responseText, request.getResponseHeader("Retry-After")));
    };
    byId("cancel").onclick = () => request.abort();
    progress(0);
    request.send(data);
  });
}

/** A share of what has to be sent, or null while the network is looking. */
function progress(share) {
  const bar = byId("progress");
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
  const told = STEP * Math.floor(share / STEP);
  const words = share === null ? t("send.looking") : t("send.sending", { percent: percent(told) });
  if (byId("sending-words").textContent !== words) byId("sending-words").textContent = words;
}
