/** Notes under the keys and the mouse: read, delete, move, stretch, write; chords above the bars. */

import { announce, byId } from "./dom.js";
import { noteName } from "./outline.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./player.js").Player} Player */
/** @typedef {import("./roll.js").Roll} Roll */
/** @typedef {import("./players_view.js").PlayersView} PlayersView */

const GRID = 4; // of a quarter note
const NEW_VELOCITY = 80;

export class Editing {
  /** @param {Session} session @param {Player} player @param {Roll} roll @param {PlayersView} players */
  constructor(session, player, roll, players) {
    this.session = session;
    this.player = player;
    this.roll = roll;
    this.players = players;
    /** Chords that were typed, by their bar's tick. @type {Map<number, string>} */
    this.chords = new Map();
    roll.addEventListener("note", (event) => this.hear(/** @type {CustomEvent} */ (event).detail.index));
    roll.addEventListener("hover", (event) => this.read(/** @type {CustomEvent} */ (event).detail));
    roll.addEventListener("moved", (event) => this.moved(/** @type {CustomEvent} */ (event).detail));
    roll.addEventListener("written", (event) => this.write(/** @type {CustomEvent} */ (event).detail));
    roll.addEventListener("chord", (event) => this.typeChord(/** @type {CustomEvent} */ (event).detail));
    roll.addEventListener("key", (event) => {
      const track = [...players.open()].find((i) => !session.score?.tracks[i].drums) ?? 0;
      player.hear(track, /** @type {CustomEvent} */ (event).detail.pitch, NEW_VELOCITY);
    });
  }

  /** @param {number} i */
  hear(i) {
    const { score } = this.session;
    if (!score) return;
    const seconds = score.tempo.seconds(score.start[i] + score.duration[i]) - score.tempo.seconds(score.start[i]);
    if (!this.player.playing) this.player.hear(score.track[i], score.pitch[i], score.velocity[i], seconds);
    this.read(i);
    announce(this.words(i));
  }

  /** @param {number} i */
  words(i) {
    const score = /** @type {import("./score.js").Score} */ (this.session.score);
    return texts.readNote(noteName(score, i), this.players.called(score.track[i]), score.place(score.start[i]), score.velocity[i]);
  }

  /** @param {number | null} i */
  read(i) {
    byId("read").textContent = i === null || !this.session.score || i >= this.session.score.count ? "" : this.words(i);
  }

  /** The next or previous note of the chosen player, from the selected one or the playhead. @param {number} step */
  step(step) {
    const { score } = this.session;
    if (!score?.count) return;
    const from = [...this.roll.selected][0] ?? score.firstFrom(this.player.tick) - (step > 0 ? 1 : 0);
    let i = from + step;
    while (i >= 0 && i < score.count && this.roll.focus && !this.roll.focus.has(score.track[i])) i += step;
    if (i < 0 || i >= score.count) return;
    this.roll.selected = new Set([i]);
    this.roll.follow(score.start[i]);
    this.roll.drawOver();
    this.hear(i);
  }

  /** Whether keys may change notes now. */
  get able() {
    return this.roll.editing && this.roll.selected.size > 0;
  }

  /** The selected notes as indices of the draft's entries. */
  chosen() {
    const { score } = this.session;
    const draft = this.session.editing();
    if (!draft || !score) return null;
    // before the first edit the score's order is the server's, and entries stand as the notes do
    const index = (/** @type {number} */ i) => (draft.changed ? score.order[i] : i);
    return { draft, some: new Set([...this.roll.selected].map(index)) };
  }

  delete() {
    const found = this.chosen();
    if (!found) return;
    found.draft.remove(found.some);
    this.roll.selected.clear();
    this.session.edited();
  }

  /** @param {{ticks: number, pitches: number, stretch: number}} drag */
  moved({ ticks, pitches, stretch }) {
    const found = this.chosen();
    if (!found) return;
    const { score } = this.session;
    const { drums } = this.roll;
    found.draft.change(found.some, (note) => {
      const kit = score?.tracks[note.track].drums;
      const row = drums.indexOf(note.pitch) - pitches;
      const pitch = kit ? (drums[Math.min(drums.length - 1, Math.max(0, row))] ?? note.pitch) : note.pitch + pitches;
      return { ...note, start: note.start + ticks, duration: Math.max(1, note.duration + stretch), pitch };
    });
    this.again(found.draft, found.some);
    const [first] = this.roll.selected;
    if (first !== undefined && pitches) this.hear(first);
  }

  /** Shows the draft, with the same notes selected. @param {import("./draft.js").Draft} draft @param {Set<number>} some entries */
  again(draft, some) {
    this.session.edited();
    const order = this.session.score?.order ?? [];
    this.roll.selected = new Set(order.map((entry, i) => (some.has(entry) ? i : -1)).filter((i) => i >= 0));
    this.roll.drawOver();
  }

  /** Moves or stretches by steps of the grid. @param {number} steps @param {number} pitches @param {boolean} stretch */
  nudge(steps, pitches, stretch) {
    const grid = (this.session.score?.ticksPerQuarter ?? 480) / GRID;
    this.moved(stretch ? { ticks: 0, pitches: 0, stretch: steps * grid } : { ticks: steps * grid, pitches, stretch: 0 });
  }

  /** A new note. @param {{tick: number, pitch: number}} at */
  write({ tick, pitch }) {
    const { score } = this.session;
    const draft = this.session.editing();
    if (!draft || !score) return;
    const track = [...this.players.open()].find((i) => !score.tracks[i].drums);
    if (track === undefined) return;
    draft.add({ start: tick, duration: score.ticksPerQuarter / 2, pitch, velocity: NEW_VELOCITY, track });
    this.again(draft, new Set([draft.entries.length - 1]));
    this.player.hear(track, pitch, NEW_VELOCITY);
  }

  /** A field above a bar for its chord. @param {{tick: number, x: number}} at */
  typeChord({ tick, x }) {
    if (!this.session.info.can.chords || !this.roll.editing) return;
    const input = byId("chord");
    input.hidden = false;
    input.value = this.chords.get(tick) ?? "";
    input.placeholder = "Am7";
    input.title = texts.typeChord;
    input.style.left = `${Math.round(x)}px`;
    input.focus();
    const end = (/** @type {boolean} */ use) => {
      input.onblur = input.onkeydown = null;
      input.hidden = true;
      if (!use) return;
      if (input.value.trim()) this.chords.set(tick, input.value.trim());
      else this.chords.delete(tick);
      this.showChords();
    };
    input.onblur = () => end(true);
    input.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Escape") end(event.key === "Enter");
    };
  }

  /**
   * The typed chords as a chart of some bars, such as "C | % | F"; null if none was typed there.
   * @param {number} from the first bar @param {number} to the last one
   */
  chart(from, to) {
    const { score } = this.session;
    if (!score) return null;
    const typed = Array.from({ length: to - from + 1 }, (_, i) => this.chords.get(score.barStart(from + i)));
    const first = typed.find((symbol) => symbol);
    if (!first) return null;
    const before = score.chords.filter(([tick]) => tick <= score.barStart(from)).pop()?.[1];
    return typed.map((symbol, i) => symbol ?? (i ? "%" : (before ?? first))).join(" | ");
  }

  /** The music's own chords, and those that were typed over them. */
  showChords() {
    const own = new Map(this.session.score?.chords ?? []);
    for (const [tick, symbol] of this.chords) own.set(tick, symbol);
    this.roll.chords = [...own].sort((a, b) => a[0] - b[0]);
    this.roll.draw();
  }
}
