/** A score as a WAV file, rendered faster than it would play. */

import { playerKeys } from "./player.js";
import { Synth } from "./synth.js";

const RATE = 44_100;
export const TAIL = 2.5; // seconds for the last sounds to die away

/**
 * @param {import("./score.js").Score} score @param {(key: string) => boolean} audible
 * @returns {Promise<Blob>} 16-bit stereo
 */
export async function render(score, audible) {
  const seconds = score.tempo.seconds(score.end) + TAIL;
  const context = new OfflineAudioContext(2, Math.ceil(seconds * RATE), RATE);
  const synth = new Synth(context);
  const keys = playerKeys(score.tracks);
  const STEP = 4; // seconds that are handed over at once: fewer nodes live at a time
  let next = 0;
  const hand = (/** @type {number} */ until) => {
    for (; next < score.count && score.tempo.seconds(score.start[next]) < until; next++) {
      const track = score.track[next];
      if (!audible(keys[track])) continue;
      const from = score.tempo.seconds(score.start[next]);
      const to = score.tempo.seconds(score.start[next] + score.duration[next]);
      synth.play(keys[track], score.tracks[track], score.pitch[next], score.velocity[next], from + 0.05, to - from);
    }
  };
  hand(STEP * 2);
  for (let at = STEP; at < seconds; at += STEP) {
    void context.suspend(at).then(() => {
      hand(at + STEP * 2);
      void context.resume();
    });
  }
  return encode(await context.startRendering());
}

/** @param {AudioBuffer} audio @returns {Blob} */
export function encode(audio) {
  const { length, numberOfChannels: channels, sampleRate } = audio;
  const bytes = length * channels * 2;
  const view = new DataView(new ArrayBuffer(44 + bytes));
  const text = (/** @type {number} */ at, /** @type {string} */ word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  const columns = Array.from({ length: channels }, (_, channel) => audio.getChannelData(channel));
  for (let i = 0, at = 44; i < length; i++) {
    for (const samples of columns) {
      view.setInt16(at, Math.max(-1, Math.min(1, samples[i])) * 0x7fff, true);
      at += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}
