/** The studio's page: everything is made here and tied together. */

import { api } from "./api.js";
import { announce, byId, el, icon, label, toast } from "./dom.js";
import { Editing } from "./editing.js";
import { listenToKeys, showKeys } from "./keys.js";
import { nodeBar, prune, rename } from "./node_bar.js";
import { outline } from "./outline.js";
import { Player } from "./player.js";
import { PlayersView } from "./players_view.js";
import { attach } from "./roll_pointer.js";
import { Roll } from "./roll.js";
import { Session } from "./session.js";
import { takesView } from "./takes_view.js";
import { texts } from "./texts.js";
import { repeat, transport } from "./transport.js";
import { treeView } from "./tree_view.js";
import { welcome } from "./welcome.js";
import { WriteView } from "./write_view.js";

label(texts.page);
const session = new Session();
const player = new Player();
const roll = new Roll(byId("music"), byId("over"));
const players = new PlayersView(session, player, roll, byId("players"));
const write = new WriteView(session);
const editing = new Editing(session, player, roll, players);
const LEAD_IN = 1.2; // seconds of what was there that play before new music
const POLL = 5000; // milliseconds between looks for what another tab has changed

/** Does something that may be refused, and says why. @param {() => any} work */
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), "error");
    return undefined;
  }
}

/** The score that is seen is heard. @param {Event} event */
function shown(event) {
  const another = /** @type {CustomEvent} */ (event).detail?.another ?? false;
  if (another) {
    player.pause();
    player.resting = 0;
    editing.chords.clear();
    player.loop = null;
  }
  player.use(session.score, session.written(session.current));
  roll.writing = typeof session.current === "string" ? session.written(session.current) : null;
  roll.show(session.score, another);
  editing.showChords();
  players.apply();
  barsMenu();
  byId("file").textContent = session.file;
  if (session.current !== null) announce(session.called(session.current));
  warm();
}

/** Computes the sounds that will be needed, a few at a time, while nothing else is done. */
function warm() {
  const { score } = session;
  if (!score || !player.context) return;
  const wanted = new Map(score.start.map((_, i) => [`${score.track[i]}.${score.pitch[i]}`, i]));
  const rest = [...wanted.values()];
  const some = () => {
    if (score !== session.score || !player.synth) return;
    for (const i of rest.splice(0, 2)) player.synth.prepare(score.tracks[score.track[i]], [score.pitch[i]]);
    if (rest.length) setTimeout(some, 20);
  };
  setTimeout(some, 50);
}

/** Asks for music and plays into it. @param {"continue" | "fill" | "accompany"} action @param {Record<string, any>} options @param {Set<number>} [only] tracks */
async function ask(action, options, only) {
  const { score } = session;
  if (!score || session.job) return;
  player.wake();
  /** @type {{from: number, to: number, tracks: Set<number> | null} | null} */
  let hole = null;
  if (action === "fill") {
    const bars = roll.bars;
    if (!bars) throw new Error(texts.nothingSelected);
    const open = only ?? players.open();
    options = { ...options, bars: `${bars.from}-${bars.to}` };
    if (open.size < score.tracks.length) options.tracks = [...open].map((i) => String(score.tracks[i].number));
    hole = { from: score.barStart(bars.from), to: score.barStart(bars.to + 1), tracks: open };
  } else if (action === "accompany") {
    hole = { from: 0, to: 0, tracks: new Set() };
  }
  const last = score.bar(Math.max(0, score.end - 1));
  const first = action === "fill" ? (roll.bars?.from ?? 1) : action === "accompany" ? 1 : options.stop ? options.stop + 1 : last + 1;
  const chart = editing.chart(first, action === "fill" ? (roll.bars?.to ?? first) : action === "accompany" ? last : first + (options.bars ?? 1) - 1);
  if (chart && options.chords === undefined) options.chords = chart;
  await session.write(action, options, hole);
  const from = hole ? hole.from : (session.score?.boundary ?? 0);
  player.loop = null;
  player.seek(session.score?.before(from, LEAD_IN) ?? 0);
  player.play();
  warm();
}

/** What can be done with the selected bars. */
function barsMenu() {
  const menu = byId("bars-menu");
  const { bars, score } = roll;
  const seen = bars && score && roll.x(score.barStart(bars.to + 1)) > 80 && roll.x(score.barStart(bars.from)) < roll.width - 20;
  menu.hidden = !seen || typeof session.current !== "number";
  if (menu.hidden || !bars || !score) return;
  const button = (/** @type {string} */ text, /** @type {() => any} */ work) => el("button", { className: "quiet", onclick: () => attempt(work) }, text);
  menu.replaceChildren(
    el("strong", {}, texts.barsChosen(bars.from, bars.to)),
    button(texts.branchHere, () => write.at("continue", bars.to)),
    ...(session.info.can.fill && document.body.classList.contains("is-advanced") ? [button(texts.fillHere, () => write.at("fill", null))] : []),
    button(texts.loopHere, () => repeat(session, player, roll)),
    el("button", { className: "quiet icon-button", "aria-label": texts.close, onclick: () => {
      roll.bars = null;
      roll.draw();
      barsMenu();
    } }, icon("close")),
  );
  const x = roll.x(score.barStart(bars.from));
  menu.style.left = `${Math.max(70, Math.min(roll.width - menu.offsetWidth - 12, x))}px`;
}

/** @param {"simple" | "advanced"} mode */
function setMode(mode) {
  document.body.classList.toggle("is-advanced", mode === "advanced");
  roll.editing = mode === "advanced";
  localStorage.setItem("mode", mode);
  barsMenu();
}

function modes() {
  const now = localStorage.getItem("mode") === "advanced" ? "advanced" : "simple";
  byId("mode").append(
    ...["simple", "advanced"].map((mode) =>
      el("label", {}, el("input", { type: "radio", name: "mode", value: mode, checked: mode === now, onchange: () => setMode(/** @type {any} */ (mode)) }), el("span", {}, mode[0].toUpperCase() + mode.slice(1)))),
  );
  setMode(now);
}

/** @param {number} n */
function hearTake(n) {
  const id = session.takes(session.current)[n - 1];
  if (id !== undefined && id !== session.current) void attempt(() => session.select(id));
}

/** Left and right: selected notes a step, or the playhead a bar. @param {KeyboardEvent} event @param {number} step */
function sideways(event, step) {
  const { score } = session;
  if (!score) return;
  if (editing.able) return editing.nudge(step, 0, event.shiftKey);
  const at = score.bar(player.tick + 1);
  const inside = player.tick - score.barStart(at) > score.ticksPerQuarter / 2;
  player.seek(score.barStart(Math.max(1, step > 0 ? at + 1 : inside ? at : at - 1)));
  if (!player.playing) announce(texts.atBar(score.place(player.tick)));
  return roll.follow(player.tick);
}

function escape() {
  if (session.job) void attempt(() => session.cancel());
  roll.selected.clear();
  roll.bars = null;
  barsMenu();
  roll.draw();
}

const undo = () => attempt(() => session.undo());
const redo = () => attempt(() => session.redo());

listenToKeys({
  " ": () => player.toggle(),
  Enter: () => (session.draft ? attempt(() => session.keep()) : write.ask()),
  Escape: escape,
  Home: () => player.seek(0),
  End: () => player.seek(session.score?.end ?? 0),
  ArrowLeft: (event) => sideways(event, -1),
  ArrowRight: (event) => sideways(event, 1),
  "Shift+ArrowLeft": (event) => sideways(event, -1),
  "Shift+ArrowRight": (event) => sideways(event, 1),
  ArrowUp: () => editing.able && editing.nudge(0, 1, false),
  ArrowDown: () => editing.able && editing.nudge(0, -1, false),
  ",": () => editing.step(-1),
  ".": () => editing.step(1),
  Delete: () => (editing.able ? editing.delete() : void attempt(() => prune(session))),
  Backspace: () => editing.able && editing.delete(),
  "Ctrl+z": undo,
  "Ctrl+Shift+z": redo,
  "Ctrl+y": redo,
  "Ctrl+a": () => {
    if (session.score) roll.selected = new Set(session.score.start.keys());
    roll.drawOver();
  },
  m: () => players.turn("M"),
  s: () => players.turn("S"),
  l: () => session.info.can.fill && players.turn("L"),
  r: () => players.reroll(),
  c: () => repeat(session, player, roll),
  k: () => {
    const node = session.find(session.current);
    if (node) void attempt(() => session.change(node.id, { mark: !node.mark }));
  },
  n: () => rename(session),
  f: () => roll.showAll(),
  "+": () => roll.zoom(1.3),
  "=": () => roll.zoom(1.3),
  "-": () => roll.zoom(1 / 1.3),
  "?": showKeys,
  1: () => hearTake(1),
  2: () => hearTake(2),
  3: () => hearTake(3),
  4: () => hearTake(4),
});

/** Buttons of the header, and the drawers of small screens. */
function header() {
  byId("undo").append(icon("undo"));
  byId("redo").append(icon("redo"));
  byId("help").append(icon("help"));
  byId("add").append(icon("add"));
  byId("write").append(icon("sparkle"), " ");
  byId("undo").onclick = undo;
  byId("redo").onclick = redo;
  byId("help").onclick = showKeys;
  for (const [button, side] of [["show-tree", "left"], ["show-write", "right"]]) {
    byId(button).onclick = () => {
      const open = document.body.classList.toggle(`open-${side}`);
      document.body.classList.remove(`open-${side === "left" ? "right" : "left"}`);
      byId(button).setAttribute("aria-expanded", String(open));
    };
  }
  session.addEventListener("tree", () => {
    byId("undo").disabled = !session.undoable && !session.draft;
    byId("redo").disabled = !session.redoable;
    byId("file").textContent = session.file;
  });
}

function listenToSession() {
  session.addEventListener("score", shown);
  session.addEventListener("draft", () => {
    const { selected } = roll;
    player.use(session.score);
    roll.show(session.score);
    if (session.draft) roll.selected = new Set([...selected].filter((i) => i < (session.score?.count ?? 0)));
    byId("undo").disabled = !session.undoable && !session.draft;
  });
  session.addEventListener("note", (event) => {
    const { current, at } = /** @type {CustomEvent} */ (event).detail;
    if (!current) return;
    const written = session.written(session.current);
    player.grown(written, at);
    roll.writing = written;
    roll.grown();
  });
  session.addEventListener("job", (event) => {
    const { ended, nodes, error } = /** @type {CustomEvent} */ (event).detail ?? {};
    if (ended === "failed") toast(error ?? "", "error");
    else if (ended) toast(ended === "done" ? texts.done(nodes.length) : texts.cancelled(nodes.length));
  });
}

roll.addEventListener("seek", (event) => player.seek(/** @type {CustomEvent} */ (event).detail.tick));
roll.addEventListener("bars", barsMenu);
roll.addEventListener("view", barsMenu);
players.addEventListener("reroll", (event) => {
  const { track } = /** @type {CustomEvent} */ (event).detail;
  const { score } = session;
  if (!score || !session.info.can.fill) return;
  roll.bars ??= { from: score.bar(score.boundary ?? 0), to: score.bar(Math.max(0, score.end - 1)) };
  void attempt(() => ask("fill", { variations: 1 }, new Set([track])));
});
write.addEventListener("write", (event) => {
  const { action, options } = /** @type {CustomEvent} */ (event).detail;
  void attempt(() => ask(action, options));
});
write.addEventListener("cancel", () => void attempt(() => session.cancel()));

header();
listenToSession();
attach(roll);
modes();
takesView(session, byId("takes"));
nodeBar(session, roll, attempt);
outline(session, (track) => players.called(track), byId("outline"));
const welcomed = welcome(session, attempt);
await attempt(async () => {
  await session.start();
  player.banked = session.info.can.bank;
  treeView(session, byId("tree"));
  write.build();
  transport(session, player, roll, attempt);
  welcomed();
  session.tell("tree");
  document.body.classList.add("is-ready");
  void api.warm(); // not before: reading the weights would keep the server from sending the page
});
document.addEventListener("pointerdown", () => player.wake(), { once: true });
setInterval(() => {
  if (!document.hidden && !session.job && !session.draft) session.refresh().then(() => session.settle(null)).catch(() => {});
}, POLL);
addEventListener("beforeunload", (event) => {
  if (session.draft?.changed) event.preventDefault();
});
// For the tests of the page, and for the curious.
Object.assign(globalThis, { studio: { session, player, roll, players, write } });
