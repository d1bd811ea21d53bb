/** Mouse, pen, touch and wheel on the roll. */

import { KEYBOARD } from "./roll.js";

/** @typedef {import("./roll.js").Roll} Roll */

const EDGE = 6; // pixels at a note's end by which it is stretched
const STILL = 4; // pixels that a click may move
const GRIDS = 4; // dragged notes snap to sixteenths of a quarter's beat

/** @param {Roll} roll @param {string} kind @param {any} [detail] */
const tell = (roll, kind, detail) => roll.dispatchEvent(new CustomEvent(kind, { detail }));

/** Listens on a roll. @param {Roll} roll */
export function attach(roll) {
  const canvas = roll.canvas.over;
  /** @type {Map<number, {x: number, y: number}>} */
  const fingers = new Map();
  /** @type {{x: number, y: number, zone: import("./roll.js").Zone, note: number | null, stretch: boolean, moved: boolean, touch: boolean, add: boolean} | null} */
  let press = null;
  let spread = 0;

  const point = (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    const { x, y } = point(event);
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x, y });
    if (fingers.size > 1) {
      press = null;
      roll.drag = roll.marquee = null;
      spread = distance(fingers);
      return;
    }
    const note = roll.at(x, y);
    const touch = event.pointerType === "touch";
    press = { x, y, zone: roll.zone(x, y), note, stretch: note !== null && onEdge(roll, note, x), moved: false, touch, add: event.shiftKey };
    if (note !== null) {
      if (!roll.selected.has(note)) {
        if (!event.shiftKey) roll.selected.clear();
        roll.selected.add(note);
        tell(roll, "selection");
      }
      tell(roll, "note", { index: note });
    }
    roll.drawOver();
  });

  canvas.addEventListener("pointermove", (event) => {
    const { x, y } = point(event);
    if (fingers.size > 1) {
      const before = middle(fingers);
      fingers.set(event.pointerId, { x, y });
      const now = middle(fingers);
      const wide = distance(fingers);
      if (spread > 0) roll.zoom(wide / spread, now.x);
      spread = wide;
      roll.pan(before.x - now.x);
      return;
    }
    if (!press) {
      hovered(roll, canvas, x, y);
      return;
    }
    const last = fingers.get(event.pointerId) ?? { x, y };
    fingers.set(event.pointerId, { x, y });
    press.moved ||= Math.hypot(x - press.x, y - press.y) > STILL;
    if (!press.moved) return;
    if (press.zone === "ruler" || press.zone === "chords") {
      dragBars(roll, press.x, x);
    } else if (press.note !== null && roll.editing) {
      roll.drag = dragged(roll, press, x, y);
      roll.drawOver();
    } else if (press.touch) {
      roll.pan(last.x - x);
      roll.scrollY(last.y - y);
    } else {
      roll.marquee = { x: Math.min(press.x, x), y: Math.min(press.y, y), w: Math.abs(x - press.x), h: Math.abs(y - press.y) };
      roll.drawOver();
    }
  });

  const released = (/** @type {PointerEvent} */ event) => {
    fingers.delete(event.pointerId);
    const was = press;
    press = null;
    if (!was || !roll.score) return;
    const { x } = point(event);
    if (!was.moved) click(roll, was, x);
    else if (roll.drag) {
      const drag = roll.drag;
      roll.drag = null;
      if (drag.ticks || drag.pitches || drag.stretch) tell(roll, "moved", drag);
    } else if (roll.marquee) choose(roll, was.add);
    roll.marquee = null;
    roll.drawOver();
  };
  canvas.addEventListener("pointerup", released);
  canvas.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    press = null;
    roll.drag = roll.marquee = null;
    roll.drawOver();
  });
  canvas.addEventListener("pointerleave", () => {
    roll.hover = null;
    tell(roll, "hover", null);
    roll.drawOver();
  });
  canvas.addEventListener("dblclick", (event) => {
    const { x, y } = point(event);
    if (roll.score && roll.zone(x, y) === "chords") tell(roll, "chord", { tick: barAt(roll, x), x, y });
    else if (roll.editing && roll.zone(x, y) === "notes" && roll.at(x, y) === null) {
      tell(roll, "written", { tick: snapped(roll, roll.tick(x), Math.floor), pitch: roll.pitch(y) });
    }
  });

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : 1;
      const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
      if (event.ctrlKey || event.metaKey) roll.zoom(Math.exp(-dy * 0.004), point(event).x);
      else if (event.altKey) roll.zoomPitches(Math.exp(-dy * 0.003));
      else if (event.shiftKey) roll.pan(dx || dy);
      else if (Math.abs(dx) > Math.abs(dy)) roll.pan(dx);
      else if (roll.zoomY > 1) roll.scrollY(dy);
      else roll.pan(dy);
    },
    { passive: false },
  );
}

/** @param {Map<number, {x: number, y: number}>} fingers */
function distance(fingers) {
  const [a, b] = [...fingers.values()];
  return Math.max(1, Math.abs(a.x - b.x));
}

/** @param {Map<number, {x: number, y: number}>} fingers */
function middle(fingers) {
  const [a, b] = [...fingers.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** @param {Roll} roll @param {number} note @param {number} x */
function onEdge(roll, note, x) {
  const { score } = roll;
  if (!score || score.isDrum(note)) return false;
  const end = roll.x(score.start[note] + score.duration[note]);
  return x > end - EDGE && end - roll.x(score.start[note]) > EDGE * 1.5;
}

/** The tick of the bar line at or before a place. @param {Roll} roll @param {number} x */
function barAt(roll, x) {
  const score = /** @type {import("./score.js").Score} */ (roll.score);
  return score.barStart(score.bar(Math.max(0, roll.tick(x))));
}

/** @param {Roll} roll @param {number} tick @param {(x: number) => number} [how] */
function snapped(roll, tick, how = Math.round) {
  const grid = (roll.score?.ticksPerQuarter ?? 480) / GRIDS;
  return how(tick / grid) * grid;
}

/** @param {Roll} roll @param {{x: number, y: number, stretch: boolean, note: number | null}} press @param {number} x @param {number} y */
function dragged(roll, press, x, y) {
  const ticks = snapped(roll, (x - press.x) / roll.scale);
  if (press.stretch) return { ticks: 0, pitches: 0, stretch: ticks };
  const drum = press.note !== null && roll.score?.isDrum(press.note);
  const row = drum ? roll.drumRow() : roll.keyHeight;
  return { ticks, pitches: Math.round((press.y - y) / row), stretch: 0 };
}

/** @param {Roll} roll @param {number} from @param {number} to */
function dragBars(roll, from, to) {
  if (!roll.score) return;
  const { score } = roll;
  const last = score.bar(Math.max(0, score.end - 1));
  const [a, b] = [Math.min(from, to), Math.max(from, to)].map((x) => Math.min(last, score.bar(Math.max(0, roll.tick(x)))));
  roll.bars = { from: a, to: b };
  tell(roll, "bars");
  roll.draw();
}

/** @param {Roll} roll @param {{zone: string, note: number | null, add: boolean, touch: boolean, y: number}} press @param {number} x */
function click(roll, press, x) {
  if (!roll.score) return;
  if (press.zone === "ruler") {
    if (press.add && roll.bars) {
      const bar = roll.score.bar(roll.tick(x));
      roll.bars = { from: Math.min(roll.bars.from, bar), to: Math.max(roll.bars.to, bar) };
    } else {
      roll.bars = null;
      tell(roll, "seek", { tick: Math.max(0, roll.tick(x)) });
    }
    tell(roll, "bars");
    roll.draw();
  } else if (press.zone === "keys") {
    tell(roll, "key", { pitch: roll.pitch(press.y) });
  } else if (press.note === null && (press.zone === "notes" || press.zone === "drums")) {
    if (!roll.selected.size) tell(roll, "seek", { tick: Math.max(0, roll.tick(Math.max(KEYBOARD, x))) });
    roll.selected.clear();
    tell(roll, "selection");
  }
}

/** Selects the notes in the marquee. @param {Roll} roll @param {boolean} add */
function choose(roll, add) {
  const { score, marquee } = roll;
  if (!score || !marquee) return;
  if (!add) roll.selected.clear();
  const [from, to] = [roll.tick(marquee.x), roll.tick(marquee.x + marquee.w)];
  for (const i of score.between(from, to)) {
    const y = score.isDrum(i) ? roll.drumY(score.pitch[i]) : roll.y(score.pitch[i]);
    const high = score.isDrum(i) ? roll.drumRow() : roll.keyHeight;
    if (score.start[i] <= to && y + high > marquee.y && y < marquee.y + marquee.h) roll.selected.add(i);
  }
  tell(roll, "selection");
}

/** @param {Roll} roll @param {HTMLCanvasElement} canvas @param {number} x @param {number} y */
function hovered(roll, canvas, x, y) {
  const note = roll.at(x, y);
  canvas.style.cursor = note === null ? (roll.zone(x, y) === "ruler" ? "text" : "default") : roll.editing && onEdge(roll, note, x) ? "ew-resize" : "pointer";
  if (note === roll.hover) return;
  roll.hover = note;
  tell(roll, "hover", note);
  roll.drawOver();
}
