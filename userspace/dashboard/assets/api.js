// SPDX-License-Identifier: MIT

const keyName = "denmap-key";

// key is what proves, beside the cookie, that this page asks.
export const key = () => localStorage.getItem(keyName) ?? "";

export class Refused extends Error {
  constructor(status, body) {
    super(body.error ?? `the daemon answered ${status}`);
    this.status = status;
    this.field = body.field ?? "";
    this.hint = body.hint ?? "";
    this.force = body.force ?? false;
    this.details = body.details;
  }
}

export function signedOut() {
  localStorage.removeItem(keyName);
  location.assign("/sign-in");
}

// call asks the API. It throws Refused for what the daemon refuses, and
// what fetch throws when there is no daemon.
export async function call(method, path, { query, body, text, unattended } = {}) {
  const address = new URL("/api/v1/" + path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== "" && value !== null && value !== undefined) {
      address.searchParams.set(name, value);
    }
  }
  const headers = { "X-DenMap-Key": key() };
  if (unattended) {
    headers["X-DenMap-Unattended"] = "1"; // asked by the page itself: no use of the session
  }
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  } else if (text !== undefined) {
    headers["Content-Type"] = "text/plain; charset=utf-8";
  }
  let answer;
  try {
    answer = await fetch(address, { method, headers, body: body !== undefined ? JSON.stringify(body) : text });
  } catch {
    throw new Error("the daemon does not answer");
  }
  if (answer.status === 401) {
    signedOut();
    throw new Error("signed out");
  }
  const read = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw new Refused(answer.status, read);
  }
  return read;
}

export const get = (path, query, options) => call("GET", path, { query, ...options });
export const post = (path, body = {}) => call("POST", path, { body });
export const put = (path, body) => call("PUT", path, { body });
export const remove = (path, query) => call("DELETE", path, { query });
