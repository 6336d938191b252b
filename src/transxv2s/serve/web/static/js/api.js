/* The HTTP interface of the server. */

import { t } from "./texts.js";

/** What the server refused, in its one sentence. `retryAfter`: seconds, or null. */
export class ApiError extends Error {
  constructor(status, kind, message, retryAfter = null) {
    super(message);
    Object.assign(this, { status, kind, retryAfter });
  }
}

/** The error of an answer, from its status, its body and its Retry-After. */
export function failure(status, body, retryAfter) {
  let error;
  try {
    ({ error } = JSON.parse(body));
  } catch {
    error = null;
  }
  const seconds = Number.parseInt(retryAfter, 10);
  const { kind = "Unreadable", message = t("errors.unreadable") } = error ?? {};
  return new ApiError(status, kind, message, Number.isNaN(seconds) ? null : seconds);
}

/** That the server cannot be reached. */
export const offline = () => new ApiError(0, "Offline", t("errors.offline"));

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    throw error.name === "AbortError" ? error : offline();
  }
  if (response.ok) return response;
  throw failure(response.status, await response.text(), response.headers.get("Retry-After"));
}

/** What is at a path; who has to log in for it is sent to do so. */
async function fetched(path, signal) {
  try {
    return await request(path, { signal });
  } catch (error) {
    if (error.status !== 401) throw error;
    toLogin();
    return new Promise(() => {}); // the page is being left
  }
}

/** The JSON at a path. */
export const get = async (path, signal) => (await fetched(path, signal)).json();

/** The bytes at a path, and the name that the server gives them. */
export async function getFile(path, signal) {
  const response = await fetched(path, signal);
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  return { blob: await response.blob(), name: name?.[1] };
}

/** Changes something; gives the JSON of the answer, or null where it has none. */
export async function send(method, path, body) {
  const headers = { ...(await csrf()), ...(body && { "Content-Type": "application/json" }) };
  const response = await request(path, { method, headers, body: body && JSON.stringify(body) });
  return response.status === 204 ? null : response.json();
}

/** Who is there: mode, name, roles. Throws 401 where somebody has to log in. */
export const session = async () => (await request("/v1/session")).json();

/** What a change sends along to show that it comes from our page; asked for anew, as another window may log in. */
export async function csrf() {
  const token = await session().then((found) => found.csrf, () => null);
  return token ? { "X-CSRF-Token": token } : {};
}

/** Goes to the login, and comes back afterwards. */
export function toLogin() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
}
