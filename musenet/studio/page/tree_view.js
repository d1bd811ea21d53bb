/** The tree at the left: prompts, and what grew from each. */

import { el, icon } from "./dom.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").TreeNode} TreeNode */

/** Draws the tree and keeps it up to date. @param {Session} session @param {HTMLElement} place */
export function treeView(session, place) {
  const draw = () => {
    const focused = place.contains(document.activeElement);
    place.replaceChildren(...branch(session, null, 1));
    place.hidden = session.nodes.length === 0;
    const chosen = /** @type {HTMLElement | null} */ (place.querySelector("[aria-selected=true]"));
    chosen?.scrollIntoView({ block: "nearest" });
    if (focused) chosen?.focus();
  };
  for (const kind of ["tree", "score", "job"]) session.addEventListener(kind, draw);
  place.addEventListener("keydown", (event) => walk(session, place, event));
  draw();
}

/** @param {Session} session @param {number | null} parent @param {number} level @returns {HTMLElement[]} */
function branch(session, parent, level) {
  const rows = session.children(parent).map((node) => item(session, node, level));
  if (session.job && session.job.parent === parent) rows.push(...session.job.takes.map((_, i) => live(session, i, level)));
  return rows;
}

/** @param {Session} session @param {TreeNode} node @param {number} level */
function item(session, node, level) {
  const chosen = session.current === node.id;
  const inner = branch(session, node.id, level + 1);
  const name = session.called(node.id);
  const length = texts.bars(node.bars);
  return el(
    "li",
    {
      role: "treeitem", "aria-level": level, "aria-selected": String(chosen), "aria-expanded": inner.length ? "true" : null,
      "aria-label": [name, texts.kinds[node.kind], length, texts.seconds(node.seconds), node.mark && texts.marked, node.note].filter(Boolean).join(", "),
      tabIndex: chosen ? 0 : -1, "data-id": node.id, className: `node ${node.kind}`,
    },
    el(
      "div",
      { className: "row", onclick: () => void session.select(node.id), title: node.note },
      el("span", { className: "dot" }),
      el("span", { className: "name" }, name),
      node.note ? icon("note") : null,
      el("button", {
        className: `quiet star ${node.mark ? "on" : ""}`, tabIndex: -1, "aria-label": node.mark ? texts.unmark : texts.mark, title: texts.mark,
        onclick: (/** @type {Event} */ event) => {
          event.stopPropagation();
          void session.change(node.id, { mark: !node.mark });
        },
      }, icon("star", node.mark)),
      el("span", { className: "length" }, String(node.bars)),
    ),
    inner.length ? el("ul", { role: "group" }, ...inner) : null,
  );
}

/** A take that is being written. @param {Session} session @param {number} take @param {number} level */
function live(session, take, level) {
  const id = `live:${take}`;
  const chosen = session.current === id;
  return el(
    "li",
    { role: "treeitem", "aria-level": level, "aria-selected": String(chosen), tabIndex: chosen ? 0 : -1, "data-id": id, className: "node writing", "aria-label": `${session.called(id)}, ${texts.writing}` },
    el("div", { className: "row", onclick: () => void session.select(id) }, el("span", { className: "dot" }), el("span", { className: "name" }, session.called(id)), el("span", { className: "length" }, texts.writing)),
  );
}

/** Arrow keys, Home and End, as in any tree. @param {Session} session @param {HTMLElement} place @param {KeyboardEvent} event */
function walk(session, place, event) {
  const items = /** @type {HTMLElement[]} */ ([...place.querySelectorAll("[role=treeitem]")]);
  const at = items.findIndex((each) => each === document.activeElement);
  if (at < 0) return;
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  let next = items[/** @type {any} */ (steps)[event.key]];
  if (event.key === "ArrowLeft") next = /** @type {any} */ (items[at].parentElement?.closest("[role=treeitem]"));
  if (event.key === "ArrowRight") next = /** @type {any} */ (items[at].querySelector("[role=treeitem]"));
  if (!next) {
    if (event.key.startsWith("Arrow")) event.stopPropagation();
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  next.focus();
  const id = next.dataset.id ?? "";
  void session.select(id.startsWith("live") ? id : Number(id));
}
