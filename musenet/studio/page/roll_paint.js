/** Drawing the roll: the music below, and what moves (playhead, selection, drags) above it. */

import { shade } from "./colours.js";
import { DRUM_NAMES } from "./kit.js";
import { CHORDS, KEYBOARD, RULER } from "./roll.js";
import { lastAtMost } from "./score.js";

/** @typedef {import("./roll.js").Roll} Roll */
/** @typedef {CanvasRenderingContext2D} Ink */

const BLACK = [1, 3, 6, 8, 10];
const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const FONT = "11px system-ui, sans-serif";
const ROUNDED = 2500; // beyond so many notes in view, corners are square
const SHADES = 4;

/** @param {number} pitch @returns {string} such as C4 for 60 */
export const pitchName = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** The page's colours, for the canvas. @param {Element} element @returns {Record<string, string>} */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const names = ["roll", "roll-black", "roll-new", "line", "line-strong", "line-faint", "ink", "ink-soft", "accent", "panel", "key-white", "key-black", "select", "added", "removed", "faint"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** @param {Roll} roll @param {Ink} ink */
export function paintMusic(roll, ink) {
  const { width, height, theme, score } = roll;
  ink.fillStyle = theme.roll;
  ink.fillRect(0, 0, width, height);
  ink.font = FONT;
  ink.textBaseline = "middle";
  rows(roll, ink);
  if (score) {
    regions(roll, ink);
    lines(roll, ink);
    ink.save();
    ink.beginPath();
    ink.rect(KEYBOARD, roll.header, width - KEYBOARD, height - roll.header);
    ink.clip();
    if (roll.other) others(roll, ink);
    notes(roll, ink);
    ink.restore();
    kit(roll, ink);
  }
  keyboard(roll, ink);
  header(roll, ink);
}

/** Rows of the black keys, a line under each C. @param {Roll} roll @param {Ink} ink */
function rows(roll, ink) {
  const { range, keyHeight, theme, width } = roll;
  ink.fillStyle = theme["roll-black"];
  for (let pitch = range[0]; pitch <= range[1]; pitch++) {
    if (BLACK.includes(pitch % 12)) ink.fillRect(KEYBOARD, roll.y(pitch), width, keyHeight);
  }
  ink.fillStyle = theme["line-faint"];
  for (let pitch = Math.ceil(range[0] / 12) * 12; pitch <= range[1]; pitch += 12) {
    ink.fillRect(KEYBOARD, Math.round(roll.y(pitch) + keyHeight), width, 1);
  }
}

/** Where the new music stands, and the selected bars. @param {Roll} roll @param {Ink} ink */
function regions(roll, ink) {
  const { score, theme, bars, width, height } = roll;
  if (!score) return;
  if (score.boundary !== null && score.boundary > 0) {
    const x = Math.max(KEYBOARD, roll.x(score.boundary));
    ink.fillStyle = theme["roll-new"];
    ink.fillRect(x, roll.header, Math.max(0, Math.min(width, roll.x(roll.lastTick())) - x), height);
  }
  if (bars) {
    const from = Math.max(KEYBOARD, roll.x(score.barStart(bars.from)));
    ink.fillStyle = theme.select;
    ink.fillRect(from, 0, Math.max(0, roll.x(score.barStart(bars.to + 1)) - from), height);
  }
}

/** How many bars lie between two numbered ones. @param {Roll} roll */
function barStep(roll) {
  const { score } = roll;
  if (!score) return 1;
  const long = Math.max(1, score.barLength(0)) * roll.scale;
  let step = 1;
  while (step * long < 34) step *= 2;
  return step;
}

/** Bar lines and beats. @param {Roll} roll @param {Ink} ink */
function lines(roll, ink) {
  const { score, theme, width, height } = roll;
  if (!score) return;
  const step = barStep(roll);
  const first = Math.max(0, lastAtMost(score.bars, roll.left));
  for (let i = first; i < score.bars.length; i++) {
    const x = Math.round(roll.x(score.bars[i]));
    if (x > width) break;
    if (x >= KEYBOARD && i % step === 0) {
      ink.fillStyle = theme.line;
      ink.fillRect(x, roll.header, 1, height);
    }
    const beat = (4 * score.ticksPerQuarter) / score.meter(score.bars[i])[2];
    if (beat * roll.scale < 13 || i + 1 >= score.bars.length) continue;
    ink.fillStyle = theme["line-faint"];
    for (let tick = score.bars[i] + beat; tick < score.bars[i + 1]; tick += beat) {
      const at = Math.round(roll.x(tick));
      if (at >= KEYBOARD) ink.fillRect(at, roll.header, 1, height);
    }
  }
  if (score.boundary !== null && score.boundary > 0) {
    const x = Math.round(roll.x(score.boundary));
    ink.fillStyle = theme.accent;
    if (x >= KEYBOARD) ink.fillRect(x - 1, RULER, 2, height);
  }
}

/** @type {number[]} */
const visible = [];
/** Indices of visible notes by track, prompt or new, and shade. @type {number[][]} */
const buckets = [];

/** All notes in view, a colour at a time. @param {Roll} roll @param {Ink} ink */
function notes(roll, ink) {
  const { score, theme } = roll;
  if (!score) return;
  score.between(roll.left, roll.tick(roll.width), visible);
  const boundary = score.boundary ?? 0;
  for (let i = 0; i < score.tracks.length * 2 * SHADES; i++) (buckets[i] ??= []).length = 0;
  for (const i of visible) {
    const fresh = score.start[i] >= boundary ? 1 : 0;
    buckets[(score.track[i] * 2 + fresh) * SHADES + shade(score.velocity[i])].push(i);
  }
  const rounded = visible.length < ROUNDED && roll.keyHeight >= 6;
  for (let track = 0; track < score.tracks.length; track++) {
    const faint = roll.faint.has(track) || (roll.focus !== null && !roll.focus.has(track));
    ink.globalAlpha = faint ? 0.18 : 1;
    for (let kind = 0; kind < 2 * SHADES; kind++) {
      const bucket = buckets[track * 2 * SHADES + kind];
      if (!bucket.length) continue;
      ink.fillStyle = roll.colours[track]?.[kind >> 2]?.[kind % SHADES] ?? theme.ink;
      paintAll(roll, ink, score, bucket, rounded);
    }
  }
  ink.globalAlpha = 1;
  if (roll.other) {
    ink.strokeStyle = theme.added;
    ink.lineWidth = 1.5;
    for (const i of visible) if (roll.differs[i]) outline(roll, ink, score, i);
  }
}

/** Notes of one colour. @param {Roll} roll @param {Ink} ink @param {import("./score.js").Score} score @param {number[]} some @param {boolean} rounded */
function paintAll(roll, ink, score, some, rounded) {
  const { scale, keyHeight, left, header, range, top } = roll;
  const high = Math.max(1, keyHeight - (keyHeight > 4 ? 1 : 0));
  const drum = score.isDrum(some[0]);
  const drumHigh = Math.max(2, roll.drumRow() - 3);
  if (rounded) ink.beginPath();
  for (const i of some) {
    const x = KEYBOARD + (score.start[i] - left) * scale;
    if (drum) {
      const wide = Math.min(9, Math.max(2, drumHigh * 0.8));
      if (rounded) ink.roundRect(x, roll.drumY(score.pitch[i]) + 1, wide, drumHigh, 2);
      else ink.fillRect(x, roll.drumY(score.pitch[i]) + 1, wide, drumHigh);
      continue;
    }
    const wide = Math.max(2, score.duration[i] * scale - 1);
    const y = header + (range[1] - score.pitch[i]) * keyHeight - top;
    if (rounded) ink.roundRect(x, y, wide, high, Math.min(3, wide / 2));
    else ink.fillRect(x, y, wide, high);
  }
  if (rounded) ink.fill();
}

/** The box of a note. @param {Roll} roll @param {import("./score.js").Score} score @param {number} i */
function box(roll, score, i) {
  const x = roll.x(score.start[i]);
  if (score.isDrum(i)) return [x, roll.drumY(score.pitch[i]) + 1, 9, roll.drumRow() - 3];
  return [x, roll.y(score.pitch[i]), Math.max(3, score.duration[i] * roll.scale - 1), Math.max(2, roll.keyHeight - 1)];
}

/** @param {Roll} roll @param {Ink} ink @param {import("./score.js").Score} score @param {number} i */
function outline(roll, ink, score, i) {
  const [x, y, w, h] = box(roll, score, i);
  ink.strokeRect(x - 0.5, y - 0.5, w + 1, h + 1);
}

/** Notes that only the other take has. @param {Roll} roll @param {Ink} ink */
function others(roll, ink) {
  const { other, missing, theme, score } = roll;
  if (!other || !score) return;
  ink.fillStyle = theme.removed;
  ink.globalAlpha = 0.4;
  for (const i of other.between(roll.left, roll.tick(roll.width))) {
    if (!missing[i] || (other.isDrum(i) && !roll.drums.includes(other.pitch[i]))) continue;
    const [x, y, w, h] = box(roll, other, i);
    ink.fillRect(x, y, w, h);
  }
  ink.globalAlpha = 1;
}

/** Names of the drums beside their rows. @param {Roll} roll @param {Ink} ink */
function kit(roll, ink) {
  const { drums, theme, width, height } = roll;
  if (!drums.length) return;
  const top = height - roll.drumsHeight();
  ink.fillStyle = theme.line;
  ink.fillRect(0, Math.round(top), width, 1);
}

/** Keys at the left, and the drums' names. @param {Roll} roll @param {Ink} ink */
function keyboard(roll, ink) {
  const { theme, range, keyHeight, height, header } = roll;
  const floor = height - roll.drumsHeight();
  ink.fillStyle = theme.panel;
  ink.fillRect(0, header, KEYBOARD, height - header);
  ink.save();
  ink.beginPath();
  ink.rect(0, header, KEYBOARD, floor - header);
  ink.clip();
  for (let pitch = range[0]; pitch <= range[1]; pitch++) {
    const black = BLACK.includes(pitch % 12);
    ink.fillStyle = black ? theme["key-black"] : theme["key-white"];
    ink.fillRect(KEYBOARD - 26, roll.y(pitch), black ? 17 : 25, Math.max(1, keyHeight - (keyHeight > 5 ? 1 : 0)));
    if (pitch % 12 === 0) {
      ink.fillStyle = theme["ink-soft"];
      ink.textAlign = "right";
      ink.fillText(pitchName(pitch), KEYBOARD - 30, roll.y(pitch) + keyHeight / 2);
    }
  }
  ink.restore();
  const row = roll.drumRow();
  ink.font = `${Math.min(10.5, row)}px system-ui, sans-serif`;
  ink.textAlign = "right";
  ink.fillStyle = theme["ink-soft"];
  const step = Math.ceil(9 / row);
  roll.drums.forEach((key, i) => {
    if (i % step === 0) ink.fillText(DRUM_NAMES[key] ?? String(key), KEYBOARD - 5, roll.drumY(key) + row / 2, KEYBOARD - 7);
  });
  ink.font = FONT;
  ink.fillStyle = theme.line;
  ink.fillRect(KEYBOARD - 1, 0, 1, height);
}

/** Numbers of bars, meters and chords. @param {Roll} roll @param {Ink} ink */
function header(roll, ink) {
  const { theme, width, score } = roll;
  ink.fillStyle = theme.panel;
  ink.fillRect(0, 0, width, roll.header);
  if (score && roll.bars) {
    const from = Math.max(KEYBOARD, roll.x(score.barStart(roll.bars.from)));
    ink.fillStyle = theme.select;
    ink.fillRect(from, 0, Math.max(0, roll.x(score.barStart(roll.bars.to + 1)) - from), roll.header);
  }
  ink.fillStyle = theme.line;
  ink.fillRect(0, RULER, width, 1);
  ink.fillRect(0, roll.header - 1, width, 1);
  ink.save();
  ink.beginPath();
  ink.rect(KEYBOARD, 0, width, roll.header);
  ink.clip();
  if (score) marks(roll, ink, score);
  ink.restore();
}

/** @param {Roll} roll @param {Ink} ink @param {import("./score.js").Score} score */
function marks(roll, ink, score) {
  const { theme, width } = roll;
  ink.textAlign = "left";
  const step = barStep(roll);
  for (let i = Math.max(0, lastAtMost(score.bars, roll.left)); i < score.bars.length; i++) {
    const x = roll.x(score.bars[i]);
    if (x > width) break;
    if (i % step) continue;
    ink.fillStyle = theme["ink-soft"];
    ink.fillText(String(i + 1), x + 5, RULER / 2 + 1);
    ink.fillStyle = theme["line-strong"];
    ink.fillRect(Math.round(x), 8, 1, RULER - 8);
  }
  for (const [tick, numerator, denominator] of score.meters) {
    const x = roll.x(tick);
    ink.fillStyle = theme.accent;
    ink.fillText(`${numerator}/${denominator}`, x + 26, RULER / 2 + 1);
  }
  let free = -Infinity;
  ink.fillStyle = theme.ink;
  for (const [tick, symbol] of roll.chords) {
    const x = Math.max(KEYBOARD, roll.x(tick)) + 5;
    if (x < free || x > width || roll.x(tick) < KEYBOARD - 60) continue;
    ink.fillText(symbol, x, RULER + CHORDS / 2);
    free = x + ink.measureText(symbol).width + 7;
  }
}

/** What moves. @param {Roll} roll @param {Ink} ink */
export function paintOver(roll, ink) {
  const { width, height, theme, score } = roll;
  ink.clearRect(0, 0, width, height);
  if (!score) return;
  ink.save();
  ink.beginPath();
  ink.rect(KEYBOARD, 0, width - KEYBOARD, height);
  ink.clip();
  const sounding = roll.playing ? score.between(roll.playhead, roll.playhead) : [];
  ink.fillStyle = theme["sounding"] ?? "#fff";
  ink.globalAlpha = 0.55;
  for (const i of sounding) {
    const [x, y, w, h] = box(roll, score, i);
    if (y >= roll.header && roll.playhead < score.start[i] + score.duration[i]) ink.fillRect(x, y, w, h);
  }
  ink.globalAlpha = 1;
  selection(roll, ink, score);
  if (roll.writing !== null) {
    const x = roll.x(roll.writing);
    const glow = ink.createLinearGradient(x - 60, 0, x, 0);
    glow.addColorStop(0, "transparent");
    glow.addColorStop(1, theme.select);
    ink.fillStyle = glow;
    ink.fillRect(x - 60, roll.header, 60, height);
  }
  if (roll.marquee) {
    const { x, y, w, h } = roll.marquee;
    ink.fillStyle = theme.select;
    ink.strokeStyle = theme.accent;
    ink.fillRect(x, y, w, h);
    ink.strokeRect(x + 0.5, y + 0.5, w, h);
  }
  const x = Math.round(roll.x(roll.playhead));
  ink.fillStyle = theme.ink;
  ink.fillRect(x, RULER - 6, 1.5, height);
  ink.beginPath();
  ink.moveTo(x - 5, RULER - 11);
  ink.lineTo(x + 6, RULER - 11);
  ink.lineTo(x + 0.5, RULER - 3);
  ink.fill();
  ink.restore();
}

/** The selected notes where they are dragged to, and the one under the pointer. @param {Roll} roll @param {Ink} ink @param {import("./score.js").Score} score */
function selection(roll, ink, score) {
  const { theme, drag } = roll;
  ink.lineWidth = 1.5;
  ink.strokeStyle = theme.ink;
  for (const i of roll.selected) {
    let [x, y, w, h] = box(roll, score, i);
    if (drag) {
      x += drag.ticks * roll.scale;
      y -= drag.pitches * (score.isDrum(i) ? roll.drumRow() : roll.keyHeight);
      w = Math.max(3, w + drag.stretch * roll.scale);
      ink.fillStyle = theme.accent;
      ink.globalAlpha = 0.6;
      ink.fillRect(x, y, w, h);
      ink.globalAlpha = 1;
    }
    if (y + h > roll.header) ink.strokeRect(x - 0.5, y - 0.5, w + 1, h + 1);
  }
  if (roll.hover !== null && roll.hover < score.count && !drag) {
    ink.globalAlpha = 0.5;
    outline(roll, ink, score, roll.hover);
    ink.globalAlpha = 1;
  }
}
