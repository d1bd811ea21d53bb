/** The drum kit of General MIDI, each drum computed once from sines and noise. */

import { buffer, noise, partial } from "./samples.js";

/** Names of the keys, as General MIDI has them. @type {Record<number, string>} */
export const DRUM_NAMES = {
  27: "High Q", 28: "Slap", 31: "Sticks", 33: "Click", 34: "Bell", 35: "Kick 2", 36: "Kick", 37: "Side stick",
  38: "Snare", 39: "Clap", 40: "Snare 2", 41: "Floor tom 2", 42: "Closed hat", 43: "Floor tom", 44: "Pedal hat",
  45: "Low tom", 46: "Open hat", 47: "Mid tom 2", 48: "Mid tom", 49: "Crash", 50: "High tom", 51: "Ride",
  52: "China", 53: "Ride bell", 54: "Tambourine", 55: "Splash", 56: "Cowbell", 57: "Crash 2", 58: "Vibraslap",
  59: "Ride 2", 60: "High bongo", 61: "Low bongo", 62: "Conga mute", 63: "High conga", 64: "Low conga",
  65: "High timbale", 66: "Low timbale", 67: "High agogo", 68: "Low agogo", 69: "Cabasa", 70: "Maracas",
  71: "Whistle", 72: "Long whistle", 73: "Guiro", 74: "Long guiro", 75: "Claves", 76: "High block",
  77: "Low block", 78: "Cuica mute", 79: "Cuica", 80: "Triangle mute", 81: "Triangle", 82: "Shaker",
};

/** Keys that silence one another: the hats, and muted over open ones. @type {Record<number, string>} */
export const CHOKES = { 42: "hat", 44: "hat", 46: "hat", 80: "triangle", 81: "triangle", 78: "cuica", 79: "cuica" };

/** Where each drum stands, -1 left to 1 right, as the player sees his kit. @type {Record<number, number>} */
const PLACES = { 42: -0.3, 44: -0.3, 46: -0.3, 49: -0.45, 57: 0.5, 51: 0.4, 59: 0.4, 53: 0.4, 41: 0.4, 43: 0.3, 45: 0.15, 47: 0, 48: -0.12, 50: -0.25, 52: 0.5, 55: -0.2 };

/** @param {number} key */
export const drumPlace = (key) => PLACES[key] ?? ((key * 37) % 100) / 125 - 0.4;

const METAL = [2.0, 3.0, 4.16, 5.43, 6.79, 8.21]; // ratios of a hat's square waves (Roland's 808)

/** A skin: a sine that falls in pitch. */
function skin(/** @type {Float32Array} */ out, /** @type {number} */ rate, from = 160, to = 50, fall = 0.03, halving = 0.09, gain = 1) {
  let phase = 0;
  const shrink = 0.5 ** (1 / (halving * rate));
  for (let i = 0, g = gain; i < out.length; i++, g *= shrink) {
    const seconds = i / rate;
    phase += (2 * Math.PI * (to + (from - to) * Math.exp(-seconds / fall))) / rate;
    out[i] += Math.sin(phase) * g * Math.min(1, seconds / 0.0008);
  }
}

/** Noise between two frequencies, decaying; `hits` are its beginnings in seconds. */
function hiss(/** @type {Float32Array} */ out, /** @type {number} */ rate, low = 1000, high = 9000, halving = 0.05, gain = 1, hits = [0]) {
  const random = noise();
  const a = 1 - Math.exp((-2 * Math.PI * Math.min(high, rate * 0.45)) / rate);
  const b = 1 - Math.exp((-2 * Math.PI * low) / rate);
  let smooth = 0;
  let slow = 0;
  for (let i = 0; i < out.length; i++) {
    const seconds = i / rate;
    let envelope = 0;
    for (const hit of hits) if (seconds >= hit) envelope = 0.5 ** ((seconds - hit) / halving);
    smooth += a * (random() - smooth);
    slow += b * (smooth - slow);
    out[i] += (smooth - slow) * envelope * gain;
  }
}

/** Plates of metal: square waves that do not agree, with what is low taken away. */
function metal(/** @type {Float32Array} */ out, /** @type {number} */ rate, base = 200, low = 6000, halving = 0.04, gain = 1, washing = 0) {
  const b = 1 - Math.exp((-2 * Math.PI * low) / rate);
  const random = noise();
  let slow = 0;
  let slower = 0;
  for (let i = 0; i < out.length; i++) {
    const seconds = i / rate;
    let sum = washing * random() * 3;
    for (const ratio of METAL) sum += (seconds * base * ratio) % 1 < 0.5 ? 0.5 : -0.5;
    slow += b * (sum - slow);
    const bright = sum - slow;
    slower += b * (bright - slower);
    out[i] += (bright - slower) * gain * 0.5 ** (seconds / halving) * Math.min(1, seconds / 0.001);
  }
}

/** @typedef {[number, number, (out: Float32Array, rate: number) => void]} Drum seconds, gain, sound */

/** @param {number} f @param {number} halving @returns {Drum} */
const tom = (f, halving) => [0.9, 0.75, (o, r) => { skin(o, r, f * 1.7, f, 0.04, halving); hiss(o, r, 300, 3000, 0.02, 0.25); }];
/** @param {number} f @param {number} halving @returns {Drum} */
const hand = (f, halving) => [0.45, 0.55, (o, r) => { skin(o, r, f * 1.25, f, 0.012, halving); hiss(o, r, 800, 5000, 0.006, 0.5); }];
/** @param {number[]} modes @param {number} halving @param {number} gain @returns {Drum} */
const wood = (modes, halving, gain = 0.5) => [0.3, gain, (o, r) => modes.forEach((f, i) => partial(o, r, f, 1 / (i + 1), halving / (i + 1)))];
/** @param {number[]} modes @param {number} halving @param {number} gain @returns {Drum} */
const bell = (modes, halving, gain = 0.4) => [halving * 7, gain, (o, r) => modes.forEach((f, i) => partial(o, r, f, 1 / (i + 1), halving))];

/** @type {Record<number, Drum>} */
const KIT = {
  35: [0.5, 1, (o, r) => { skin(o, r, 120, 46, 0.03, 0.11); hiss(o, r, 500, 3000, 0.004, 0.4); }],
  36: [0.45, 1, (o, r) => { skin(o, r, 210, 52, 0.022, 0.085); hiss(o, r, 1500, 6000, 0.003, 0.7); }],
  37: wood([1750, 2650, 480], 0.012, 0.6),
  38: [0.4, 0.85, (o, r) => { skin(o, r, 260, 185, 0.02, 0.045, 0.8); skin(o, r, 400, 330, 0.02, 0.03, 0.35); hiss(o, r, 900, 6500, 0.06, 1.1); }],
  39: [0.35, 0.6, (o, r) => hiss(o, r, 700, 3200, 0.05, 1.3, [0, 0.011, 0.022, 0.031])],
  40: [0.35, 0.85, (o, r) => { skin(o, r, 330, 230, 0.015, 0.035, 0.8); hiss(o, r, 1500, 9000, 0.045, 1.3); }],
  41: tom(78, 0.19), 43: tom(92, 0.17), 45: tom(112, 0.15), 47: tom(136, 0.13), 48: tom(162, 0.12), 50: tom(196, 0.1),
  42: [0.14, 0.42, (o, r) => metal(o, r, 213, 7000, 0.019, 1, 0.5)],
  44: [0.12, 0.34, (o, r) => metal(o, r, 205, 6000, 0.016, 1, 0.5)],
  46: [0.9, 0.42, (o, r) => metal(o, r, 213, 6800, 0.15, 1, 0.5)],
  49: [2.4, 0.5, (o, r) => { metal(o, r, 173, 3800, 0.38, 0.8, 1); hiss(o, r, 3000, 12000, 0.06, 0.8); }],
  57: [2.2, 0.48, (o, r) => { metal(o, r, 197, 4400, 0.33, 0.8, 1); hiss(o, r, 3400, 12000, 0.05, 0.8); }],
  51: [1.8, 0.5, (o, r) => { metal(o, r, 251, 5200, 0.33, 0.8, 0.25); partial(o, r, 3150, 0.4, 0.06); partial(o, r, 4720, 0.25, 0.05); }],
  59: [1.6, 0.5, (o, r) => { metal(o, r, 267, 5600, 0.3, 0.8, 0.25); partial(o, r, 3490, 0.4, 0.06); }],
  53: [1.6, 0.4, (o, r) => { metal(o, r, 251, 5200, 0.2, 0.4, 0.1); for (const f of [1570, 2210, 3190, 4410]) partial(o, r, f, 0.5, 0.16); }],
  52: [1.5, 0.45, (o, r) => metal(o, r, 141, 2600, 0.19, 1, 1.2)],
  55: [1, 0.42, (o, r) => metal(o, r, 233, 5000, 0.12, 1, 1)],
  54: [0.4, 0.34, (o, r) => { metal(o, r, 371, 7500, 0.05, 1, 0.5); hiss(o, r, 6000, 14000, 0.05, 0.5, [0, 0.024]); }],
  56: [0.5, 0.42, (o, r) => { partial(o, r, 545, 1, 0.06); partial(o, r, 812, 0.9, 0.05); partial(o, r, 1630, 0.35, 0.02); }],
  58: [0.9, 0.3, (o, r) => hiss(o, r, 2000, 5000, 0.03, 1, Array.from({ length: 18 }, (_, i) => i * 0.042))],
  60: hand(420, 0.035), 61: hand(300, 0.045), 62: hand(340, 0.018), 63: hand(330, 0.07), 64: hand(215, 0.09),
  65: hand(520, 0.09), 66: hand(370, 0.11),
  67: bell([920, 1390, 2100], 0.07), 68: bell([680, 1030, 1540], 0.08),
  69: [0.14, 0.3, (o, r) => hiss(o, r, 5000, 13000, 0.022, 1)],
  70: [0.1, 0.3, (o, r) => hiss(o, r, 6000, 14000, 0.014, 1)],
  82: [0.16, 0.3, (o, r) => hiss(o, r, 5500, 13000, 0.024, 1, [0, 0.03])],
  71: bell([2350, 2410], 0.04, 0.3), 72: bell([2350, 2410], 0.12, 0.3),
  73: [0.14, 0.35, (o, r) => hiss(o, r, 2500, 6000, 0.008, 1, [0, 0.014, 0.028, 0.042, 0.056])],
  74: [0.4, 0.35, (o, r) => hiss(o, r, 2500, 6000, 0.01, 1, Array.from({ length: 16 }, (_, i) => i * 0.019))],
  75: wood([2500, 2560], 0.02), 76: wood([1040, 1910], 0.025), 77: wood([760, 1420], 0.03),
  78: hand(620, 0.03), 79: hand(480, 0.09),
  80: bell([4060, 6550, 9100], 0.02, 0.26), 81: bell([4060, 6550, 9100, 5230], 0.3, 0.26),
  33: wood([1900, 3100], 0.008), 31: wood([1400, 2300], 0.008), 34: bell([2600, 3900], 0.05),
};

/**
 * The sound of a drum and its gain; keys without one of their own get a short tick of their pitch.
 * @param {number} key @param {number} rate @returns {{sound: AudioBuffer, gain: number}}
 */
export function drum(key, rate) {
  const [seconds, gain, fill] = KIT[key] ?? wood([200 + key * 11], 0.03, 0.4);
  return { sound: buffer(`drum ${key}`, rate, seconds, fill), gain };
}
