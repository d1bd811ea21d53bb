/** The music as a list of bars in words, for screen readers. */

import { el } from "./dom.js";
import { DRUM_NAMES } from "./kit.js";
import { pitchName } from "./roll_paint.js";
import { texts } from "./texts.js";

const MOST_NOTES = 24; // of a bar are read
const MOST_BARS = 400;

/** @param {import("./score.js").Score} score @param {number} i */
export const noteName = (score, i) => (score.isDrum(i) ? (DRUM_NAMES[score.pitch[i]] ?? texts.drums) : pitchName(score.pitch[i]));

/**
 * @param {import("./session.js").Session} session @param {(track: number) => string} called
 * @param {HTMLElement} place
 */
export function outline(session, called, place) {
  let due = 0;
  const draw = () => {
    const { score } = session;
    if (!score) return place.replaceChildren();
    const bars = Math.min(MOST_BARS, score.bar(Math.max(0, score.end - 1)));
    const rows = [];
    for (let bar = 1; bar <= bars; bar++) {
      const from = score.barStart(bar);
      const to = score.barStart(bar + 1);
      /** @type {Map<number, string[]>} */
      const parts = new Map();
      for (let i = score.firstFrom(from), n = 0; i < score.count && score.start[i] < to && n < MOST_NOTES; i++, n++) {
        const names = parts.get(score.track[i]) ?? [];
        parts.set(score.track[i], [...names, noteName(score, i)]);
      }
      const words = [...parts].map(([track, names]) => `${called(track)} ${names.join(" ")}`).join("; ");
      const chord = score.chords.find(([tick]) => tick >= from && tick < to)?.[1];
      rows.push(el("li", {}, texts.outlineBar(bar, [chord, words || texts.rest].filter(Boolean).join(", "))));
    }
    place.replaceChildren(...rows);
    return undefined;
  };
  const soon = () => {
    clearTimeout(due);
    due = window.setTimeout(draw, 600);
  };
  for (const kind of ["score", "draft", "job"]) session.addEventListener(kind, soon);
}
