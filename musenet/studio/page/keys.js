/** Keys, as DAWs have them. */

import { byId, el } from "./dom.js";
import { texts } from "./texts.js";

/** Whether a key belongs to what is focused: a field to write in, a list, a dialog. @param {KeyboardEvent} event */
function taken(event) {
  const at = /** @type {HTMLElement} */ (event.target);
  if (document.querySelector("dialog[open]")) return true;
  if (at instanceof HTMLInputElement) return !["radio", "checkbox"].includes(at.type) || event.key.startsWith("Arrow");
  if (at instanceof HTMLSelectElement || at instanceof HTMLTextAreaElement) return true;
  return at instanceof HTMLButtonElement && (event.key === " " || event.key === "Enter");
}

/** The name of a key with what is held. @param {KeyboardEvent} event */
function pressed(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const held = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  return held + (event.shiftKey && (event.key.length > 1 || held) ? "Shift+" : "") + key;
}

/** Listens to keys. @param {Record<string, (event: KeyboardEvent) => void>} actions by the key's name, such as "Ctrl+z" */
export function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || taken(event)) return;
    const action = actions[pressed(event)];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

/** Shows all keys. */
export function showKeys() {
  const dialog = byId("keys");
  dialog.replaceChildren(
    el("h2", { id: "keys-title" }, texts.shortcuts),
    el("dl", {}, ...texts.shortcutList.flatMap(([keys, what]) => [el("dt", {}, ...keys.split(" ").map((key) => el("kbd", {}, key))), el("dd", {}, what)])),
    el("form", { method: "dialog" }, el("button", { className: "primary" }, "OK")),
  );
  dialog.showModal();
}
