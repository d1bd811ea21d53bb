/** The players of what is heard: mute, solo, lock, write one anew, drag its stem out. */

import { css, onTheme, trackColours } from "./colours.js";
import { el, icon } from "./dom.js";
import { dragStem } from "./out.js";
import { playerKeys } from "./player.js";
import { DRUMS } from "./score.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./player.js").Player} Player */
/** @typedef {import("./roll.js").Roll} Roll */

/** Events: `reroll` {track}. */
export class PlayersView extends EventTarget {
  /** @param {Session} session @param {Player} player @param {Roll} roll @param {HTMLElement} place */
  constructor(session, player, roll, place) {
    super();
    this.session = session;
    this.player = player;
    this.roll = roll;
    this.place = place;
    /** @type {Set<string>} */
    this.locked = new Set();
    /** @type {string | null} the chosen player, which M, S, L and R are about */
    this.chosen = null;
    this.count = -1;
    for (const kind of ["score", "draft"]) session.addEventListener(kind, () => this.draw());
    session.addEventListener("note", () => {
      if ((session.score?.tracks.length ?? 0) !== this.count) this.draw();
    });
    onTheme(() => this.draw());
  }

  /** @returns {string[]} */
  get keys() {
    return this.session.score ? playerKeys(this.session.score.tracks) : [];
  }

  /** What a player is called. @param {number} track */
  called(track) {
    const it = this.session.score?.tracks[track];
    if (!it) return "";
    const program = it.drums ? DRUMS : it.program;
    const instrument = this.session.info.instruments[program]?.name ?? texts.drums;
    return it.name || instrument;
  }

  draw() {
    const { score, info } = this.session;
    const tracks = score?.tracks ?? [];
    this.count = tracks.length;
    const colours = trackColours(tracks).map(css);
    const used = new Set(score?.track ?? []);
    const rows = this.keys.map((key, i) => {
      if (!used.has(i) && typeof this.session.current !== "string") return null;
      const state = { muted: this.player.muted.has(key), soloed: this.player.soloed.has(key), locked: this.locked.has(key) };
      const program = tracks[i].drums ? DRUMS : tracks[i].program;
      const dot = el("span", { className: "swatch" });
      dot.style.background = colours[i];
      const name = this.called(i);
      return el(
        "li",
        { className: `player ${this.chosen === key ? "on" : ""}`, draggable: true, "data-track": i, ondragstart: (/** @type {DragEvent} */ event) => dragStem(this.session, event, i) },
        el("button", { className: "quiet who", "aria-pressed": String(this.chosen === key), title: info.instruments[program]?.name ?? "", onclick: () => this.choose(key) }, dot, el("span", { className: "name" }, name)),
        this.switch("M", texts.mute, state.muted, key, name),
        this.switch("S", texts.solo, state.soloed, key, name),
        info.can.fill ? this.switch("L", texts.lock, state.locked, key, name) : null,
        info.can.fill ? el("button", { className: "quiet mini advanced", title: texts.rerollHelp, "aria-label": `${texts.reroll} ${name}`, onclick: () => this.reroll(i) }, "R") : null,
      );
    });
    this.place.replaceChildren(...rows.filter((row) => row !== null));
    this.apply();
  }

  /** @param {string} letter @param {string} label @param {boolean} on @param {string} key @param {string} name */
  switch(letter, label, on, key, name) {
    return el("button", { className: `quiet mini ${letter} ${on ? "on" : ""} ${letter === "L" ? "advanced" : ""}`, "aria-pressed": String(on), "aria-label": `${label} ${name}`, title: `${label} (${letter})`, onclick: () => this.turn(letter, key) }, letter);
  }

  /** @param {string} key */
  choose(key) {
    this.chosen = this.chosen === key ? null : key;
    this.draw();
  }

  /** Turns mute, solo or lock of a player on or off; the chosen one's unless named. @param {string} letter @param {string | null} [key] */
  turn(letter, key = this.chosen) {
    if (!key) return;
    const set = letter === "M" ? this.player.muted : letter === "S" ? this.player.soloed : this.locked;
    if (!set.delete(key)) set.add(key);
    this.player.balance();
    this.draw();
  }

  /** @param {number} [track] */
  reroll(track = this.keys.indexOf(this.chosen ?? "")) {
    if (track >= 0) this.dispatchEvent(new CustomEvent("reroll", { detail: { track } }));
  }

  /** Players that are heard are drawn in full. */
  apply() {
    const { keys } = this;
    this.roll.faint = new Set(keys.map((_, i) => i).filter((i) => !this.player.audible(keys[i])));
    const chosen = this.chosen === null ? -1 : keys.indexOf(this.chosen);
    this.roll.focus = chosen < 0 ? null : new Set([chosen]);
    this.roll.draw();
  }

  /** Tracks that may be written anew: the chosen one, or all that are not locked. @returns {Set<number>} */
  open() {
    const { keys } = this;
    const chosen = this.chosen === null ? -1 : keys.indexOf(this.chosen);
    const some = chosen >= 0 ? [chosen] : keys.map((_, i) => i);
    return new Set(some.filter((i) => !this.locked.has(keys[i])));
  }
}
