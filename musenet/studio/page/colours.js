/** Colours of instruments: a hue for each family, shades of it for its members. */

import { DRUMS } from "./score.js";

// Hues of General MIDI's families in their order, spread so that what plays together differs.
const HUES = [214, 176, 272, 32, 344, 152, 130, 16, 48, 190, 300, 240, 320, 84, 62, 0];
const SHADES = 4;

const dark = matchMedia("(prefers-color-scheme: dark)");

/**
 * The colour of each track: tracks of one family differ in hue and lightness.
 * @param {{program: number, drums: boolean}[]} tracks
 * @returns {{h: number, s: number, l: number}[]}
 */
export function trackColours(tracks) {
  /** @type {Map<number, number>} */
  const seen = new Map();
  return tracks.map(({ program, drums }) => {
    const family = drums || program === DRUMS ? -1 : program >> 3;
    const nth = seen.get(family) ?? 0;
    seen.set(family, nth + 1);
    if (family < 0) return { h: 36, s: 10, l: dark.matches ? 62 : 48 };
    const side = nth % 2 ? 1 : -1;
    return {
      h: (HUES[family] + side * Math.ceil(nth / 2) * 17 + 360) % 360,
      s: dark.matches ? 62 : 66,
      l: (dark.matches ? 62 : 50) + (nth % 3) * (dark.matches ? -7 : 5),
    };
  });
}

/** The shade of a velocity, 0 (soft) to SHADES - 1. @param {number} velocity */
export const shade = (velocity) => Math.min(SHADES - 1, Math.floor((velocity * SHADES) / 128));

/**
 * CSS colours of a track by shade, of the prompt (quiet) or of new music (full).
 * @param {{h: number, s: number, l: number}} colour @param {boolean} quiet
 */
export function shades({ h, s, l }, quiet) {
  return Array.from({ length: SHADES }, (_, i) => {
    const strength = (i + 1) / SHADES;
    const light = dark.matches ? l - 16 + 16 * strength : l + 22 - 22 * strength;
    const saturation = quiet ? s * 0.42 : s * (0.7 + 0.3 * strength);
    return `hsl(${h} ${saturation.toFixed(0)}% ${light.toFixed(0)}%)`;
  });
}

/** @param {{h: number, s: number, l: number}} colour */
export const css = ({ h, s, l }) => `hsl(${h} ${s}% ${l}%)`;

/** Calls when light becomes dark or dark light. @param {() => void} listener */
export const onTheme = (listener) => dark.addEventListener("change", listener);
