/** The server's interface: requests with the token, events of a job, addresses of downloads. */

import { texts } from "./texts.js";

const token = new URLSearchParams(location.search).get("token") ?? "";
const BASE = "/api/v1/";
const MOST_LOST = 5; // times in a row that a connection is tried again, half a second apart

/** What the server refuses, in one sentence. */
export class Refused extends Error {}

/**
 * @param {string} method @param {string} path
 * @param {any} [body] JSON, or bytes of a file @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 */
async function request(method, path, body, headers = {}) {
  const binary = body instanceof Blob || body instanceof ArrayBuffer;
  /** @type {Response} */
  let response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "Content-Type": binary ? "audio/midi" : "application/json" }),
        ...headers,
      },
      body: body === undefined || binary ? body : JSON.stringify(body),
    });
  } catch {
    throw new Refused(texts.silent);
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new Refused(answer?.error ?? texts.answered(response.status));
  return answer;
}

export const api = {
  info: () => request("GET", "info"),
  warm: () => request("POST", "warm"),
  tree: () => request("GET", "tree"),
  /** @param {string | number} id */
  score: (id) => request("GET", `nodes/${id}/score`),
  /** @param {Blob} file @param {string} name */
  upload: (file, name) => request("POST", "prompts", file, { "X-Name": encodeURIComponent(name) }),
  /** @param {string} name */
  opening: (name) => request("POST", "prompts", { opening: name }),
  blank: () => request("POST", "prompts", { blank: true }),
  /** @param {string | number} id @param {string} action @param {Record<string, any>} options */
  job: (id, action, options) => request("POST", `nodes/${id}/jobs`, { action, options }),
  /** @param {string} job */
  cancel: (job) => request("DELETE", `jobs/${job}`),
  /** @param {string | number} id @param {{name?: string, mark?: boolean, note?: string}} changes */
  change: (id, changes) => request("PATCH", `nodes/${id}`, changes),
  /** @param {string | number} id @param {{add: any[], remove: number[], change: any[]}} edits */
  edit: (id, edits) => request("POST", `nodes/${id}/edit`, edits),
  /** @param {string | number} id */
  prune: (id) => request("DELETE", `nodes/${id}`),
  undo: () => request("POST", "undo"),
  redo: () => request("POST", "redo"),
};

/** The address of a download of a node. @param {string | number} id @param {string} what */
export function address(id, what) {
  return `${location.origin}${BASE}nodes/${id}/${what}?token=${encodeURIComponent(token)}`;
}

/**
 * Listens to a job until it is over; EventSource reconnects by itself and loses nothing.
 * @param {string} job @param {(kind: string, data: any) => void} heard
 * @returns {() => void} stops listening
 */
export function listen(job, heard) {
  let lost = 0;
  const source = new EventSource(`${BASE}jobs/${job}/events?token=${encodeURIComponent(token)}`);
  for (const kind of ["queued", "note", "progress", "done", "cancelled", "failed"]) {
    source.addEventListener(kind, (event) => {
      lost = 0;
      if (!["queued", "note", "progress"].includes(kind)) source.close();
      heard(kind, JSON.parse(event.data));
    });
  }
  source.addEventListener("error", () => {
    lost++;
    if (source.readyState !== EventSource.CLOSED && lost < MOST_LOST) return;
    source.close();
    heard("failed", { error: texts.silent });
  });
  return () => source.close();
}
