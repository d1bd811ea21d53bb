/** The first page: drop a file, or begin with an opening; files may be dropped later too. */

import { api } from "./api.js";
import { byId, el, icon, toast } from "./dom.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */

/** @param {Session} session @param {(work: () => any) => any} attempt */
export function welcome(session, attempt) {
  const place = byId("welcome");
  const picker = byId("picker");
  const show = (/** @type {boolean} */ shown) => {
    place.hidden = !shown;
    document.body.classList.toggle("is-empty", session.nodes.length === 0);
  };
  const begin = (/** @type {Promise<any>} */ asked) =>
    attempt(async () => {
      await session.add(asked);
      show(false);
    });
  const take = (/** @type {File | undefined} */ file) => {
    if (!file) return;
    const name = file.name.replace(/\.[^.]*$/, "");
    begin(api.upload(file, name).then((node) => (toast(texts.dropped(file.name)), node)));
  };
  picker.addEventListener("change", () => {
    take(picker.files?.[0]);
    picker.value = "";
  });
  dropping(take);

  const openings = el("div", { className: "openings" });
  const close = el("button", { className: "quiet icon-button close", "aria-label": texts.close, onclick: () => show(false) }, icon("close"));
  place.replaceChildren(
    el("div", { className: "card" },
      close,
      el("h2", {}, texts.welcome),
      el("button", { className: "dropzone", onclick: () => picker.click() }, icon("add"), el("strong", {}, texts.drop), el("span", { className: "soft" }, texts.choose)),
      el("p", { className: "soft" }, texts.orPick),
      openings,
      el("button", { className: "quiet", id: "blank", onclick: () => begin(api.blank()) }, texts.blank)),
  );
  const built = () => {
    close.hidden = session.nodes.length === 0;
    openings.replaceChildren(...session.info.openings.map((name) => el("button", { className: "opening", "data-opening": name, onclick: () => begin(api.opening(name)) }, icon("sound"), name.replaceAll("_", " "))));
  };
  byId("add").onclick = () => {
    built();
    show(true);
    /** @type {HTMLElement} */ (place.querySelector(".dropzone")).focus();
  };
  place.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && session.nodes.length) show(false);
  });
  const check = () => {
    built();
    show(session.nodes.length === 0);
  };
  session.addEventListener("tree", () => {
    if ((session.nodes.length === 0) === place.hidden && session.info) check();
  });
  return check;
}

/** Files dropped anywhere on the page. @param {(file: File | undefined) => void} take */
function dropping(take) {
  const veil = byId("dropping");
  veil.textContent = texts.drop;
  const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    take(event.dataTransfer?.files[0]);
  });
}
