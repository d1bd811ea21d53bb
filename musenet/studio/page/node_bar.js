/** Above the roll: what is open, and what can be done with it. */

import { byId, el, icon, toast } from "./dom.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./roll.js").Roll} Roll */

/** @param {Session} session @param {Roll} roll @param {(work: () => any) => any} attempt */
export function nodeBar(session, roll, attempt) {
  const draw = () => {
    const { current } = session;
    const node = session.find(current);
    byId("node-bar").hidden = current === null;
    if (current === null) return;
    byId("node-name").textContent = session.called(current);
    byId("node-facts").textContent = node ? texts.facts(node) : texts.writing;
    byId("node-tools").replaceChildren(
      ...(node
        ? [
            tool("star", node.mark ? texts.unmark : `${texts.mark} (K)`, () => session.change(node.id, { mark: !node.mark }), node.mark),
            tool("pen", `${texts.rename} (N)`, () => rename(session)),
            tool("note", texts.note, () => write(session)),
            comparing(session, roll, attempt),
            tool("trash", texts.prune, () => prune(session)),
          ]
        : []),
    );
    strips(session, roll, attempt);
  };
  const tool = (/** @type {string} */ drawn, /** @type {string} */ text, /** @type {() => any} */ work, on = false) =>
    el("button", { className: `quiet icon-button ${on ? "on" : ""}`, title: text, "aria-label": text, onclick: () => attempt(work) }, icon(drawn, on));
  for (const kind of ["score", "tree", "job", "draft"]) session.addEventListener(kind, draw);
  byId("node-name").addEventListener("dblclick", () => rename(session));
}

/** A choice of nodes to compare with. @param {Session} session @param {Roll} roll @param {(work: () => any) => any} attempt */
function comparing(session, roll, attempt) {
  const others = session.nodes.filter((n) => n.id !== session.current && session.root(n.id) === session.root(session.current));
  if (!others.length) return el("span");
  const select = el(
    "select",
    { className: "quiet", "aria-label": texts.compareWith, title: texts.compareWith, onchange: () => attempt(async () => {
      if (!select.value) {
        session.compared = null;
        roll.compare(null);
      } else {
        const { other, differs, missing } = await session.compare(Number(select.value));
        roll.compare(other, differs, missing);
      }
      strips(session, roll, attempt);
    }) },
    el("option", { value: "" }, session.compared === null ? texts.compareWith : texts.compareEnd),
    ...others.map((n) => el("option", { value: n.id, selected: n.id === session.compared }, `${session.called(n.id)}${n.mark ? " ★" : ""}`)),
  );
  return select;
}

/** What is told between the takes and the roll: a comparison, edits that are not kept. @param {Session} session @param {Roll} roll @param {(work: () => any) => any} attempt */
function strips(session, roll, attempt) {
  const compared = byId("compared");
  compared.hidden = session.compared === null;
  if (session.compared !== null) {
    const here = roll.differs.filter(Boolean).length;
    const there = roll.missing.filter(Boolean).length;
    compared.textContent = texts.compared(session.called(session.compared), here, there);
  }
  const draft = byId("draft");
  draft.hidden = session.draft === null;
  draft.replaceChildren(
    el("span", {}, texts.edits(session.draft?.before.length ?? 0)),
    el("button", { className: "primary small", onclick: () => attempt(() => session.keep()) }, texts.keep),
    el("button", { className: "quiet", onclick: () => session.discard() }, texts.discard),
  );
}

/** A field in place of the name. @param {Session} session */
export function rename(session) {
  const node = session.find(session.current);
  if (!node) return;
  field(byId("node-name"), node.name, texts.renamePrompt, (name) => session.change(node.id, { name }));
}

/** @param {Session} session */
function write(session) {
  const node = session.find(session.current);
  if (!node) return;
  field(byId("node-facts"), node.note, texts.notePrompt, (note) => session.change(node.id, { note }));
}

/** A field over an element, taken with Enter. @param {HTMLElement} over @param {string} value @param {string} label @param {(value: string) => Promise<any>} take */
function field(over, value, label, take) {
  const input = el("input", { value, placeholder: label, "aria-label": label, className: "over" });
  const kept = [...over.childNodes];
  let over_ = false;
  const end = (/** @type {boolean} */ use) => {
    if (over_) return;
    over_ = true;
    over.replaceChildren(...kept);
    if (use && input.value.trim() !== value) take(input.value.trim()).catch((error) => toast(error.message, "error"));
  };
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" || event.key === "Escape") end(event.key === "Enter");
  });
  input.addEventListener("blur", () => end(true));
  over.replaceChildren(input);
  input.focus();
  input.select();
}

/** @param {Session} session */
export async function prune(session) {
  const node = session.find(session.current);
  if (!node) return;
  await session.prune(node.id);
  toast(texts.pruned);
}
