/** The piano roll: what is seen of a score, where things are on it, and when to draw. */

import { onTheme, shades, trackColours } from "./colours.js";
import { paintMusic, paintOver, readTheme } from "./roll_paint.js";

/** @typedef {import("./score.js").Score} Score */
/** @typedef {import("./score.js").Note} Note */

export const KEYBOARD = 60; // pixels at the left for the keys and the drums' names
export const RULER = 26;
export const CHORDS = 22;
const DRUM_ROW = 15;
const MOST_DRUMS = 0.42; // of the height, for the kit

/** @typedef {"keys" | "ruler" | "chords" | "notes" | "drums"} Zone */

/**
 * Events: `seek` {tick}, `note` {index}, `selection`, `bars`, `moved` {changes}, `chord` {tick}, `view`.
 */
export class Roll extends EventTarget {
  /** @param {HTMLCanvasElement} music @param {HTMLCanvasElement} over */
  constructor(music, over) {
    super();
    this.canvas = { music, over };
    this.ink = { music: /** @type {CanvasRenderingContext2D} */ (music.getContext("2d", { alpha: false })), over: /** @type {CanvasRenderingContext2D} */ (over.getContext("2d")) };
    /** @type {Score | null} */
    this.score = null;
    /** @type {Score | null} the other take, while two are compared */
    this.other = null;
    /** @type {boolean[]} notes that the other take has not */
    this.differs = [];
    /** @type {boolean[]} notes that only the other take has */
    this.missing = [];
    /** @type {[number, string][]} */
    this.chords = [];
    this.width = 0;
    this.height = 0;
    this.left = 0; // tick at the left edge
    this.scale = 0.1; // pixels a tick
    this.keyHeight = 10;
    this.top = 0; // pixels scrolled down
    this.zoomY = 1;
    /** @type {[number, number]} lowest and highest pitch */
    this.range = [48, 72];
    /** @type {number[]} drum keys from the top row to the lowest */
    this.drums = [];
    /** @type {Set<number>} indices of selected notes */
    this.selected = new Set();
    /** @type {{from: number, to: number} | null} bars, the last included */
    this.bars = null;
    /** @type {Set<number>} tracks that are faint: not heard */
    this.faint = new Set();
    /** @type {Set<number> | null} tracks that are shown in full, others faint */
    this.focus = null;
    this.playhead = 0;
    this.playing = false;
    this.editing = false;
    /** Ticks up to which a take has been written; null if nothing is being written. @type {number | null} */
    this.writing = null;
    /** @type {number | null} */
    this.hover = null;
    /** @type {{x: number, y: number, w: number, h: number} | null} */
    this.marquee = null;
    /** @type {{ticks: number, pitches: number, stretch: number} | null} a drag of the selected notes */
    this.drag = null;
    this.stale = { music: true, over: true };
    this.theme = readTheme(music);
    /** @type {string[][][]} colours by track, prompt and new, shade */
    this.colours = [];
    onTheme(() => requestAnimationFrame(() => this.themed()));
    new ResizeObserver(() => this.resized()).observe(/** @type {Element} */ (music.parentElement));
    this.frame = this.frame.bind(this);
    /** Milliseconds between the latest frames, for a test of smoothness. @type {number[]} */
    this.paints = [];
    requestAnimationFrame(this.frame);
  }

  themed() {
    this.theme = readTheme(this.canvas.music);
    this.coloured();
    this.draw();
  }

  coloured() {
    if (!this.score) return;
    this.colours = trackColours(this.score.tracks).map((c) => [shades(c, true), shades(c, false)]);
  }

  resized() {
    const box = /** @type {Element} */ (this.canvas.music.parentElement).getBoundingClientRect();
    if (!box.width || !box.height) return;
    const ratio = Math.min(2, devicePixelRatio || 1);
    const first = !this.width;
    [this.width, this.height] = [Math.floor(box.width), Math.floor(box.height)];
    for (const canvas of Object.values(this.canvas)) {
      canvas.width = this.width * ratio;
      canvas.height = this.height * ratio;
    }
    this.ink.music.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.ink.over.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.fitPitches();
    if (first) this.showAll();
    this.draw();
  }

  /** Shows a score; the view stays where it is unless the piece is another. @param {Score | null} score @param {boolean} [another] */
  show(score, another = false) {
    this.score = score;
    this.selected.clear();
    this.hover = null;
    this.drag = null;
    this.compare(null);
    this.coloured();
    this.fitPitches();
    if (another) {
      this.bars = null;
      this.showAll();
    }
    this.draw();
  }

  /** New notes have come while they are written: rows for new pitches, colours for new tracks. */
  grown() {
    const { score } = this;
    if (!score) return;
    if (this.colours.length < score.tracks.length) this.coloured();
    const i = score.count - 1;
    const pitch = score.pitch[i];
    const outside = score.isDrum(i) ? !this.drums.includes(pitch) : pitch < this.range[0] || pitch > this.range[1];
    if (outside) this.fitPitches();
    this.draw();
  }

  /** Marks what differs from another take. @param {Score | null} other @param {boolean[]} [differs] @param {boolean[]} [missing] */
  compare(other, differs = [], missing = []) {
    this.other = other;
    this.differs = differs;
    this.missing = missing;
    this.draw();
  }

  /** Rows for the pitches and drums that occur, as high as there is room. */
  fitPitches() {
    const { score } = this;
    if (!score || !this.height) return;
    let low = 127;
    let high = 0;
    const drums = new Set();
    for (let i = 0; i < score.count; i++) {
      if (score.isDrum(i)) drums.add(score.pitch[i]);
      else {
        low = Math.min(low, score.pitch[i]);
        high = Math.max(high, score.pitch[i]);
      }
    }
    if (low > high) [low, high] = drums.size ? [60, 60] : [48, 72];
    const middle = Math.max(0, 20 - (high - low)) / 2; // never fewer than some twenty keys
    this.range = [Math.max(0, Math.floor(low - 2 - middle)), Math.min(127, Math.ceil(high + 2 + middle))];
    this.drums = [...drums].sort((a, b) => b - a);
    const fitting = this.pitchHeight() / (this.range[1] - this.range[0] + 1);
    this.keyHeight = Math.min(22, Math.max(3, fitting) * this.zoomY);
    this.scrollY(0);
  }

  /** @returns {number} pixels of the header */
  get header() {
    return RULER + CHORDS;
  }

  /** @returns {number} pixels for the kit */
  drumsHeight() {
    const rows = this.drums.length * this.drumRow();
    return rows ? rows + 8 : 0;
  }

  drumRow() {
    return Math.min(DRUM_ROW, (this.height * MOST_DRUMS) / Math.max(1, this.drums.length));
  }

  pitchHeight() {
    return Math.max(40, this.height - this.header - this.drumsHeight());
  }

  /** @param {number} tick */
  x(tick) {
    return KEYBOARD + (tick - this.left) * this.scale;
  }

  /** @param {number} x */
  tick(x) {
    return this.left + (x - KEYBOARD) / this.scale;
  }

  /** The upper edge of a pitch's row. @param {number} pitch */
  y(pitch) {
    return this.header + (this.range[1] - pitch) * this.keyHeight - this.top;
  }

  /** @param {number} y */
  pitch(y) {
    return Math.floor(this.range[1] - (y + this.top - this.header) / this.keyHeight + 1);
  }

  /** The upper edge of a drum's row. @param {number} key */
  drumY(key) {
    return this.height - this.drumsHeight() + 5 + this.drums.indexOf(key) * this.drumRow();
  }

  /** @param {number} x @param {number} y @returns {Zone} */
  zone(x, y) {
    if (y < RULER) return "ruler";
    if (y < this.header) return "chords";
    if (x < KEYBOARD) return "keys";
    return y > this.height - this.drumsHeight() ? "drums" : "notes";
  }

  /** The note under a point, the last drawn first. @param {number} x @param {number} y @returns {number | null} */
  at(x, y) {
    const { score } = this;
    const zone = this.zone(x, y);
    if (!score || (zone !== "notes" && zone !== "drums")) return null;
    const tick = this.tick(x);
    const near = 4 / this.scale;
    for (const i of score.between(tick - near, tick + near).reverse()) {
      const drum = score.isDrum(i);
      if (drum !== (zone === "drums")) continue;
      const row = drum ? this.drumY(score.pitch[i]) : this.y(score.pitch[i]);
      const high = drum ? this.drumRow() : this.keyHeight;
      const long = Math.max(score.duration[i], near, drum ? 8 / this.scale : 0);
      if (y >= row && y < row + high && tick >= score.start[i] - near / 4 && tick <= score.start[i] + long) return i;
    }
    return null;
  }

  /** Zooms around a point. @param {number} factor @param {number} [x] */
  zoom(factor, x = KEYBOARD + (this.width - KEYBOARD) / 2) {
    const tick = this.tick(x);
    const perQuarter = this.score?.ticksPerQuarter ?? 480;
    const least = Math.min(this.wholeScale(), 10 / perQuarter);
    this.scale = Math.min(400 / perQuarter, Math.max(least, this.scale * factor));
    this.left = tick - (x - KEYBOARD) / this.scale;
    this.pan(0);
  }

  /** @param {number} factor */
  zoomPitches(factor) {
    this.zoomY = Math.min(5, Math.max(1, this.zoomY * factor));
    this.fitPitches();
    this.draw();
  }

  /** The scale at which the whole piece is seen. */
  wholeScale() {
    const end = this.lastTick();
    return Math.max(1e-4, (this.width - KEYBOARD - 12) / Math.max(1, end));
  }

  lastTick() {
    const { score } = this;
    return score ? Math.max(score.end, score.bars[score.bars.length - 1], score.ticksPerQuarter * 16) : 1920;
  }

  /** @param {number} pixels to the right */
  pan(pixels) {
    const seen = (this.width - KEYBOARD) / this.scale;
    const most = Math.max(0, this.lastTick() - seen * 0.6);
    this.left = Math.min(most, Math.max(0, this.left + pixels / this.scale));
    this.draw();
    this.dispatchEvent(new Event("view"));
  }

  /** @param {number} pixels down */
  scrollY(pixels) {
    const most = (this.range[1] - this.range[0] + 1) * this.keyHeight - this.pitchHeight();
    this.top = Math.min(Math.max(0, most), Math.max(0, this.top + pixels));
    this.draw();
  }

  showAll() {
    if (!this.width) return;
    this.scale = this.wholeScale();
    const perQuarter = this.score?.ticksPerQuarter ?? 480;
    this.scale = Math.max(this.scale, 6 / perQuarter); // long pieces start at a readable size
    this.left = 0;
    this.draw();
    this.dispatchEvent(new Event("view"));
  }

  /** Brings a tick into view, as a page is turned; not further than the music goes. @param {number} tick */
  follow(tick) {
    const seen = (this.width - KEYBOARD) / this.scale;
    if (tick >= this.left && tick < this.left + seen * 0.94) return;
    const most = Math.max(0, this.lastTick() - seen * 0.96);
    this.left = Math.max(0, Math.min(tick - seen * 0.08, Math.max(most, tick - seen * 0.93)));
    this.draw();
    this.dispatchEvent(new Event("view"));
  }

  /** Everything is drawn anew at the next frame. */
  draw() {
    this.stale.music = true;
    this.stale.over = true;
  }

  /** The playhead, the selection and what is dragged are drawn anew. */
  drawOver() {
    this.stale.over = true;
  }

  frame() {
    const began = performance.now();
    if (this.width && this.stale.music) {
      this.stale.music = false;
      paintMusic(this, this.ink.music);
      this.paints.push(performance.now() - began);
      if (this.paints.length > 240) this.paints.shift();
    }
    if (this.width && this.stale.over) {
      this.stale.over = false;
      paintOver(this, this.ink.over);
    }
    requestAnimationFrame(this.frame);
  }
}
