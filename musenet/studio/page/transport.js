/** Playing: buttons, the place in the music, volume, downloads. */

import { byId, clock, el, icon } from "./dom.js";
import { MidiOut } from "./midi_out.js";
import { chooseOutput, download, dragTake } from "./out.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./player.js").Player} Player */
/** @typedef {import("./roll.js").Roll} Roll */

/** @param {Session} session @param {Player} player @param {Roll} roll @param {(work: () => any) => any} attempt */
export function transport(session, player, roll, attempt) {
  const named = (/** @type {string} */ id, /** @type {string} */ text, /** @type {string} */ drawn) => {
    const button = byId(id);
    button.title = text;
    button.setAttribute("aria-label", text);
    button.replaceChildren(icon(drawn, drawn === "play" || drawn === "pause"));
    return button;
  };
  named("to-start", texts.toStart, "start").onclick = () => player.seek(0);
  named("loop", texts.loop, "loop").onclick = () => repeat(session, player, roll);
  byId("play").onclick = () => player.toggle();
  byId("position").setAttribute("aria-label", texts.position);
  byId("position").addEventListener("input", () => {
    if (session.score) player.seek((Number(byId("position").value) / 1000) * session.score.end);
  });
  byId("volume").addEventListener("input", () => player.loudness((Number(byId("volume").value) / 100) ** 1.5));
  const state = () => {
    named("play", player.playing ? texts.pause : texts.play, player.playing ? "pause" : "play").classList.toggle("waiting", player.waiting);
    roll.playing = player.playing;
    roll.drawOver();
  };
  player.addEventListener("state", state);
  state();
  chooseOutput(player, MidiOut);
  files(session, player, attempt, named("downloads", texts.downloads, "download"));
  let shown = -1;
  const frame = () => {
    const tick = player.tick;
    if (tick !== shown) {
      shown = tick;
      show(session, player, roll, tick);
    }
    requestAnimationFrame(frame);
  };
  frame();
  session.addEventListener("score", () => (shown = -1));
}

/** @param {Session} session @param {Player} player @param {Roll} roll @param {number} tick */
function show(session, player, roll, tick) {
  const { score } = session;
  roll.playhead = tick;
  if (player.playing) roll.follow(tick);
  roll.drawOver();
  if (!score) return;
  byId("place").value = score.place(tick);
  byId("time").value = `${clock(score.tempo.seconds(tick))} / ${clock(score.tempo.seconds(score.end))}`;
  byId("tempo").value = `${Math.round(score.tempo.bpm(tick))} bpm`;
  const position = byId("position");
  if (document.activeElement !== position || player.playing) position.value = String(Math.round((tick / Math.max(1, score.end)) * 1000));
  position.setAttribute("aria-valuetext", texts.atBar(score.place(tick)));
}

/** Repeats the selected bars, or stops repeating. @param {Session} session @param {Player} player @param {Roll} roll */
export function repeat(session, player, roll) {
  const { score } = session;
  const { bars } = roll;
  player.loop = player.loop || !bars || !score ? null : { from: score.barStart(bars.from), to: score.barStart(bars.to + 1) };
  byId("loop").setAttribute("aria-pressed", String(player.loop !== null));
  if (player.loop && (player.tick < player.loop.from || player.tick >= player.loop.to)) player.seek(player.loop.from);
}

/** The menu of downloads. @param {Session} session @param {Player} player @param {(work: () => any) => any} attempt @param {HTMLElement} button */
function files(session, player, attempt, button) {
  const menu = byId("files");
  const close = () => {
    menu.hidden = true;
    button.setAttribute("aria-expanded", "false");
  };
  const take = el("div", { className: "drag", draggable: true, title: texts.dragOut }, icon("note"), texts.dragOut);
  dragTake(session, take);
  const kinds = Object.entries(texts.files).filter(([kind]) => kind !== "render" || session.info?.can.render);
  const build = () => {
    menu.replaceChildren(
      ...kinds.map(([kind, text]) =>
        el("button", { role: "menuitem", className: "quiet", "data-file": kind, onclick: () => {
          close();
          attempt(() => download(session, player, kind));
        } }, text)),
      take,
    );
  };
  button.onclick = () => {
    build();
    menu.hidden = !menu.hidden;
    button.setAttribute("aria-expanded", String(!menu.hidden));
    if (!menu.hidden) /** @type {HTMLElement} */ (menu.firstElementChild).focus();
  };
  menu.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
    button.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.parentElement.contains(event.target)) close();
  });
}
