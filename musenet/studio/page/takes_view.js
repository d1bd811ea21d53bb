/** Takes side by side: each a small picture of its notes; a click or a number hears another. */

import { css, onTheme, trackColours } from "./colours.js";
import { el, icon } from "./dom.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./score.js").Score} Score */

const HEIGHT = 44;

/** @param {Session} session @param {HTMLElement} place */
export function takesView(session, place) {
  /** @type {Map<string, HTMLCanvasElement>} */
  let canvases = new Map();
  let due = false;

  const draw = () => {
    const takes = session.takes(session.current);
    place.hidden = takes.length < 2;
    canvases = new Map();
    place.replaceChildren(
      ...takes.map((id, i) => {
        const canvas = el("canvas", { "aria-hidden": "true" });
        canvases.set(String(id), canvas);
        const node = session.find(id);
        const chosen = id === session.current;
        return el(
          "button",
          { className: `take ${chosen ? "on" : ""}`, role: "radio", "aria-checked": String(chosen), onclick: () => void session.select(id), title: texts.takeKey(i + 1), "data-take": i + 1 },
          el("span", { className: "take-head" }, el("kbd", {}, String(i + 1)), el("span", { className: "name" }, session.called(id)), node?.mark ? icon("star", true) : null, el("span", { className: "count", "data-count": String(id) }, node ? texts.notes(node.notes) : "")),
          canvas,
        );
      }),
    );
    paintAll();
  };

  const paintAll = () => {
    due = false;
    for (const [id, canvas] of canvases) {
      const key = id.startsWith("live") ? id : Number(id);
      void session.scoreOf(key).then((score) => {
        if (!score) return;
        paint(canvas, score);
        const count = place.querySelector(`[data-count="${id}"]`);
        if (count && typeof key === "string") count.textContent = texts.notes(score.count - score.firstFrom(score.boundary ?? 0));
      });
    }
  };

  const soon = () => {
    if (due) return;
    due = true;
    setTimeout(paintAll, 150);
  };

  for (const kind of ["score", "tree", "job"]) session.addEventListener(kind, draw);
  session.addEventListener("note", soon);
  onTheme(soon);
  new ResizeObserver(soon).observe(place);
}

/** The new music of a take, small; all of it if nothing is new. @param {HTMLCanvasElement} canvas @param {Score} score */
function paint(canvas, score) {
  const ratio = Math.min(2, devicePixelRatio || 1);
  const width = canvas.clientWidth || 160;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  const ink = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ink.scale(ratio, ratio);
  const from = score.boundary ?? 0;
  const some = score.between(from, score.end).filter((i) => score.start[i] >= from);
  const pitches = some.filter((i) => !score.isDrum(i)).map((i) => score.pitch[i]);
  const low = pitches.reduce((a, b) => Math.min(a, b), 127) - 1;
  const high = pitches.reduce((a, b) => Math.max(a, b), 0) + 1;
  const colours = trackColours(score.tracks).map(css);
  const along = (width - 2) / Math.max(1, score.end - from, score.ticksPerQuarter * 8);
  const up = (HEIGHT - 10) / Math.max(12, high - low);
  for (const i of some) {
    ink.fillStyle = colours[score.track[i]];
    const x = 1 + (score.start[i] - from) * along;
    if (score.isDrum(i)) ink.fillRect(x, HEIGHT - 4, 1.5, 3);
    else ink.fillRect(x, 3 + (high - score.pitch[i]) * up, Math.max(1.5, score.duration[i] * along - 0.5), Math.max(1.5, Math.min(4, up)));
  }
}
