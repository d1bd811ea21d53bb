/** How each General MIDI program is played: sixteen families, and programs that differ from theirs. */

/**
 * @typedef {object} Patch
 * @property {"piano" | "modal" | "pluck" | "wave"} kind
 * @property {number} gain
 * @property {number} release seconds
 * @property {number} [brightness] of struck and plucked strings, 0–1
 * @property {number} [halving] seconds in which a plucked string loses half
 * @property {number} [place] where it is plucked
 * @property {number} [drive] of a distorting amplifier
 * @property {[number, number, number][]} [modes] ratio, gain, halving
 * @property {number} [knock]
 * @property {number[]} [harmonics] amplitudes from the first, for "wave"
 * @property {OscillatorType} [shape] instead of harmonics
 * @property {number} [attack] seconds
 * @property {number} [sustain] level after the attack, 0–1
 * @property {number} [decay] seconds to the sustain level
 * @property {number} [detune] cents between its oscillators
 * @property {number} [voices] oscillators a note
 * @property {number} [cutoff] of the low-pass filter, in multiples of the pitch
 * @property {number} [sweep] by how much velocity opens the filter at the attack
 * @property {number} [vibrato] cents
 * @property {number} [breath] gain of noise
 * @property {[number, number][]} [formants] frequency in Hz and Q
 */

const ODD = [1, 0.03, 0.75, 0.05, 0.5, 0.08, 0.22, 0.08, 0.14, 0.06, 0.08];
const DOUBLE_REED = [0.5, 0.8, 1, 0.9, 0.55, 0.5, 0.35, 0.3, 0.22, 0.15, 0.1, 0.07];
const DRAWBARS = [0.8, 1, 0.55, 0.6, 0, 0.28, 0, 0.35, 0, 0, 0, 0.1];
const PIPES = [0.9, 1, 0.25, 0.75, 0.06, 0.24, 0.05, 0.5, 0, 0.04, 0, 0.12, 0, 0, 0, 0.22];

/** @type {Patch} */
const PIANO = { kind: "piano", gain: 0.75, release: 0.12, brightness: 0.55 };
/** @type {Patch} */
const ORGAN = { kind: "wave", gain: 0.26, release: 0.05, harmonics: DRAWBARS, attack: 0.008, sustain: 1, vibrato: 5, cutoff: 16 };
/** @type {Patch} */
const GUITAR = { kind: "pluck", gain: 0.85, release: 0.12, brightness: 0.45, halving: 0.55, place: 0.19 };
/** @type {Patch} */
const BASS = { kind: "pluck", gain: 0.95, release: 0.08, brightness: 0.22, halving: 0.5, place: 0.23 };
/** @type {Patch} */
const BOWED = { kind: "wave", gain: 0.24, release: 0.16, shape: "sawtooth", attack: 0.07, sustain: 0.85, decay: 0.3, vibrato: 13, cutoff: 6, sweep: 3, formants: [[480, 1.2], [1150, 1.4]] };
/** @type {Patch} */
const ENSEMBLE = { kind: "wave", gain: 0.17, release: 0.32, shape: "sawtooth", attack: 0.12, sustain: 0.9, decay: 0.4, voices: 3, detune: 11, cutoff: 5, sweep: 2, vibrato: 5 };
/** @type {Patch} */
const CHOIR = { kind: "wave", gain: 0.34, release: 0.3, shape: "sawtooth", attack: 0.11, sustain: 1, voices: 2, detune: 9, cutoff: 9, vibrato: 9, formants: [[660, 5], [1120, 7], [2600, 8]] };
/** @type {Patch} */
const BRASS = { kind: "wave", gain: 0.27, release: 0.09, shape: "sawtooth", attack: 0.035, sustain: 0.8, decay: 0.25, cutoff: 2.2, sweep: 8, vibrato: 5 };
/** @type {Patch} */
const SAX = { kind: "wave", gain: 0.3, release: 0.1, harmonics: [1, 0.85, 0.7, 0.62, 0.42, 0.3, 0.24, 0.16, 0.12, 0.09, 0.06], attack: 0.03, sustain: 0.85, decay: 0.2, vibrato: 12, breath: 0.025, cutoff: 6, sweep: 4 };
/** @type {Patch} */
const FLUTE = { kind: "wave", gain: 0.36, release: 0.12, harmonics: [1, 0.32, 0.13, 0.05, 0.02], attack: 0.05, sustain: 0.9, decay: 0.2, vibrato: 14, breath: 0.07, cutoff: 8 };
/** @type {Patch} */
const LEAD = { kind: "wave", gain: 0.17, release: 0.07, shape: "square", attack: 0.005, sustain: 0.8, decay: 0.2, vibrato: 8, cutoff: 10, sweep: 4 };
/** @type {Patch} */
const PAD = { kind: "wave", gain: 0.15, release: 0.7, shape: "sawtooth", attack: 0.35, sustain: 1, voices: 3, detune: 16, cutoff: 3, sweep: 1.5, vibrato: 4 };
/** @type {Patch} */
const ETHNIC = { kind: "pluck", gain: 0.8, release: 0.15, brightness: 0.75, halving: 0.3, place: 0.09 };
/** @type {Patch} */
const STRUCK = { kind: "modal", gain: 0.6, release: 0.3, modes: [[1, 1, 0.16], [1.6, 0.4, 0.07], [2.3, 0.2, 0.04]], knock: 0.3 };
/** @type {Patch} */
const NOISE = { kind: "wave", gain: 0.2, release: 0.3, harmonics: [0.1], attack: 0.1, sustain: 1, breath: 0.8, cutoff: 12 };
/** @type {Patch} */
const MALLET = { kind: "modal", gain: 0.62, release: 0.5, modes: [[1, 1, 0.3], [3.93, 0.3, 0.06], [9.2, 0.1, 0.02]], knock: 0.12 };
/** @type {Patch} */
const BELL = { kind: "modal", gain: 0.5, release: 1, modes: [[1, 1, 0.7], [2.76, 0.55, 0.4], [5.4, 0.3, 0.2], [8.93, 0.12, 0.1]], knock: 0.03 };

/** By family, in General MIDI's order. */
const FAMILIES = [PIANO, MALLET, ORGAN, GUITAR, BASS, BOWED, ENSEMBLE, BRASS, SAX, FLUTE, LEAD, PAD, PAD, ETHNIC, STRUCK, NOISE];

/** Programs that differ from their family. @type {Record<number, Patch>} */
const PROGRAMS = {
  1: { ...PIANO, brightness: 0.85 },
  3: { ...PIANO, brightness: 0.8, gain: 0.7 },
  4: { kind: "modal", gain: 0.7, release: 0.14, modes: [[1, 1, 0.9], [2, 0.16, 0.5], [14.1, 0.16, 0.05]], knock: 0.04 },
  5: { kind: "modal", gain: 0.65, release: 0.14, modes: [[1, 1, 0.8], [3, 0.22, 0.4], [14, 0.28, 0.12]], knock: 0.02 },
  6: { ...ETHNIC, brightness: 0.95, halving: 0.5, place: 0.07, release: 0.06, gain: 0.8 },
  7: { ...ETHNIC, brightness: 0.9, halving: 0.3, place: 0.12, release: 0.04, gain: 0.8 },
  8: { ...BELL, modes: [[1, 1, 0.4], [4, 0.25, 0.15], [7.1, 0.1, 0.06]] },
  9: BELL,
  10: { ...BELL, modes: [[1, 1, 0.5], [5.1, 0.3, 0.14], [2, 0.12, 0.3]] },
  11: { ...MALLET, modes: [[1, 1, 0.9], [4, 0.3, 0.3], [10, 0.08, 0.06]], knock: 0.05, release: 0.6 },
  13: { ...MALLET, modes: [[1, 1, 0.09], [3, 0.5, 0.05], [6.2, 0.2, 0.02]], knock: 0.25 },
  14: { ...BELL, modes: [[1, 0.6, 1.2], [2, 1, 0.9], [2.98, 0.7, 0.7], [4.03, 0.4, 0.5], [5.4, 0.3, 0.3]] },
  15: { ...ETHNIC, halving: 0.7, place: 0.12 },
  17: { ...ORGAN, harmonics: [0.8, 1, 0.9, 0.1, 0, 0.2], attack: 0.004 },
  18: { ...ORGAN, harmonics: [1, 1, 1, 0.8, 0.1, 0.6, 0, 0.6, 0, 0.2], vibrato: 12 },
  19: { ...ORGAN, harmonics: PIPES, attack: 0.04, release: 0.35, vibrato: 0, gain: 0.22 },
  20: { ...ORGAN, harmonics: DOUBLE_REED, attack: 0.04, vibrato: 0 },
  21: { ...ORGAN, harmonics: DOUBLE_REED, attack: 0.03, voices: 2, detune: 10, vibrato: 0, gain: 0.17 },
  22: { ...ORGAN, harmonics: DOUBLE_REED, attack: 0.03, vibrato: 14, gain: 0.22 },
  23: { ...ORGAN, harmonics: DOUBLE_REED, attack: 0.03, voices: 2, detune: 6, vibrato: 0, gain: 0.18 },
  25: { ...GUITAR, brightness: 0.75, halving: 0.75, place: 0.14 },
  26: { ...GUITAR, brightness: 0.3, halving: 0.7 },
  27: { ...GUITAR, brightness: 0.6, halving: 0.8, place: 0.11 },
  28: { ...GUITAR, brightness: 0.4, halving: 0.08, release: 0.04 },
  29: { ...GUITAR, brightness: 0.6, halving: 1.6, drive: 3, gain: 0.3, release: 0.07 },
  30: { ...GUITAR, brightness: 0.8, halving: 2.4, drive: 14, gain: 0.24, release: 0.07 },
  32: { ...BASS, brightness: 0.12, halving: 0.3 },
  34: { ...BASS, brightness: 0.42 },
  36: { ...BASS, brightness: 0.75, halving: 0.4, place: 0.08 },
  37: { ...BASS, brightness: 0.85, halving: 0.35, place: 0.06 },
  38: { ...LEAD, shape: "sawtooth", gain: 0.4, cutoff: 2, sweep: 9, vibrato: 0, decay: 0.18, sustain: 0.6 },
  39: { ...LEAD, shape: "square", gain: 0.32, cutoff: 2, sweep: 6, vibrato: 0, decay: 0.14, sustain: 0.6 },
  44: { ...ENSEMBLE, attack: 0.04, vibrato: 30 },
  45: { ...GUITAR, brightness: 0.32, halving: 0.1, place: 0.3, release: 0.2, gain: 1.1 },
  46: { ...GUITAR, brightness: 0.35, halving: 0.9, place: 0.4, release: 0.5 },
  47: { kind: "modal", gain: 0.95, release: 0.6, modes: [[1, 1, 0.5], [1.5, 0.5, 0.35], [1.98, 0.3, 0.25], [2.44, 0.15, 0.2]], knock: 0.6 },
  50: { ...ENSEMBLE, cutoff: 7, detune: 16 },
  52: CHOIR, 53: { ...CHOIR, formants: [[350, 5], [780, 7], [2500, 9]] }, 54: { ...CHOIR, voices: 3, detune: 16 },
  55: { ...ENSEMBLE, attack: 0.005, decay: 0.3, sustain: 0.05, cutoff: 10, gain: 0.3 },
  57: { ...BRASS, cutoff: 2.6, sweep: 7, attack: 0.045 },
  58: { ...BRASS, cutoff: 3, sweep: 4, attack: 0.05, gain: 0.4 },
  59: { ...BRASS, formants: [[1700, 4], [2900, 5]], gain: 0.45 },
  60: { ...BRASS, cutoff: 1.7, sweep: 4, attack: 0.06, release: 0.16, gain: 0.36 },
  61: { ...BRASS, voices: 3, detune: 9, gain: 0.15 },
  62: { ...BRASS, voices: 2, detune: 14, gain: 0.19, sweep: 10 },
  63: { ...BRASS, voices: 3, detune: 18, attack: 0.08, gain: 0.15 },
  68: { ...SAX, harmonics: DOUBLE_REED, breath: 0.01, vibrato: 10, cutoff: 10 },
  69: { ...SAX, harmonics: DOUBLE_REED, breath: 0.01, cutoff: 5 },
  70: { ...SAX, harmonics: [0.5, 1, 0.9, 0.5, 0.35, 0.25, 0.15, 0.1], breath: 0.01, cutoff: 7, vibrato: 6, gain: 0.36 },
  71: { ...SAX, harmonics: ODD, breath: 0.015, vibrato: 3, gain: 0.34 },
  72: { ...FLUTE, harmonics: [1, 0.2, 0.05], gain: 0.3 },
  74: { ...FLUTE, harmonics: [1, 0.08, 0.16, 0.02], vibrato: 4, breath: 0.04 },
  75: { ...FLUTE, breath: 0.22 }, 76: { ...FLUTE, breath: 0.3, harmonics: [1, 0.1] }, 77: { ...FLUTE, breath: 0.2, vibrato: 24 },
  78: { ...FLUTE, harmonics: [1], vibrato: 10, breath: 0.02 }, 79: { ...FLUTE, harmonics: [1, 0.06], vibrato: 5, breath: 0.03 },
  81: { ...LEAD, shape: "sawtooth", voices: 2, detune: 9, gain: 0.13 },
  82: { ...FLUTE, attack: 0.02, breath: 0.03 },
  85: { ...CHOIR, attack: 0.04 },
  87: { ...LEAD, shape: "sawtooth", voices: 2, detune: 7, cutoff: 4, sweep: 6 },
  89: { ...PAD, cutoff: 2 }, 90: { ...PAD, attack: 0.04, cutoff: 6 }, 91: { ...CHOIR, attack: 0.3, release: 0.7 },
  98: { ...BELL, release: 1.4 },
  105: { ...ETHNIC, halving: 0.16, brightness: 0.9 },
  107: { ...ETHNIC, halving: 0.5, place: 0.16 },
  108: { ...MALLET, modes: [[1, 1, 0.22], [5.8, 0.3, 0.04]], knock: 0.1 },
  109: { ...SAX, harmonics: DOUBLE_REED, attack: 0.03, vibrato: 0, sustain: 1 },
  110: BOWED, 111: { ...SAX, harmonics: DOUBLE_REED, vibrato: 16 },
  112: BELL, 114: { ...MALLET, modes: [[1, 1, 0.22], [2, 0.6, 0.18], [3.01, 0.3, 0.12], [4.02, 0.15, 0.08]], knock: 0.05 },
  113: { ...BELL, modes: [[1, 1, 0.1], [1.51, 0.6, 0.08], [2.8, 0.3, 0.05]], release: 0.2 },
  115: { ...STRUCK, modes: [[1, 1, 0.03], [1.9, 0.4, 0.02]], knock: 0.2 },
};

/** @param {number} program 0–127 @returns {Patch} */
export const patch = (program) => PROGRAMS[program] ?? FAMILIES[program >> 3] ?? PIANO;
