/** Plays a score: notes are handed to the synthesiser a moment before they sound. */

import { MidiOut } from "./midi_out.js";
import { DRUMS } from "./score.js";
import { Synth } from "./synth.js";

/** @typedef {import("./score.js").Score} Score */
/** @typedef {import("./bank_synth.js").BankSynth} BankSynth */
/** @typedef {{time: number, music: number}} Anchor a time of the audio clock and of the music, in seconds */

const EVERY = 25; // milliseconds between looks
const AHEAD = 0.13; // seconds that are handed over
const AHEAD_HIDDEN = 1.4; // in a hidden tab timers come once a second
const START = 0.06; // seconds from the key to the first sound
const BUFFERED = 1.2; // seconds of new music wanted before going on after a wait

/**
 * Names of the players of a score, the same in every take: program and its number among them.
 * @param {import("./score.js").Track[]} tracks @returns {string[]}
 */
export function playerKeys(tracks) {
  /** @type {Record<number, number>} */
  const seen = {};
  return tracks.map((track) => {
    const program = track.drums ? DRUMS : track.program;
    seen[program] = (seen[program] ?? 0) + 1;
    return `${program}.${seen[program]}`;
  });
}

/** Events: `state` (playing, waiting, paused), `end`. */
export class Player extends EventTarget {
  constructor() {
    super();
    /** @type {Score | null} */
    this.score = null;
    /** @type {string[]} */
    this.keys = [];
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {Synth | BankSynth | null} */
    this.synth = null;
    /** Whether there is a bank of sounds to load in the synthesiser's place. */
    this.banked = false;
    this.midi = new MidiOut();
    this.playing = false;
    this.waiting = false;
    /** @type {Anchor[]} the present one, and the next round of a loop */
    this.anchors = [];
    this.resting = 0; // seconds of music, while paused
    this.cursor = 0;
    /** Ticks up to which the music has been written; all of it if infinite. */
    this.written = Infinity;
    /** @type {{from: number, to: number} | null} ticks */
    this.loop = null;
    /** @type {Set<string>} */
    this.muted = new Set();
    /** @type {Set<string>} */
    this.soloed = new Set();
    this.volume = 0.8;
    this.timer = 0;
  }

  /** The audio clock; made at the first gesture, as browsers demand. */
  wake() {
    if (!this.context) {
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.synth = new Synth(this.context);
      this.synth.volume.gain.value = this.volume;
      if (this.banked) void this.loadBank(this.context);
    }
    if (this.context.state === "suspended") void this.context.resume();
    return this.context;
  }

  /** Puts the bank in the synthesiser's place; without it that goes on. @param {AudioContext} context */
  async loadBank(context) {
    try {
      const { BankSynth } = await import("./bank_synth.js");
      const loaded = await BankSynth.load(context);
      const at = this.seconds;
      this.synth?.silence();
      this.synth = loaded;
      loaded.volume.gain.value = this.volume;
      this.balance();
      if (this.playing && !this.waiting) this.restart(at);
    } catch (error) {
      console.warn("the bank of sounds cannot be used", error);
    }
  }

  /** @returns {number} seconds of music */
  get seconds() {
    if (!this.playing || !this.context) return this.resting;
    const now = this.context.currentTime;
    let anchor = this.anchors[0];
    for (const each of this.anchors) if (each.time <= now) anchor = each;
    const at = anchor.music + Math.max(0, now - anchor.time);
    return this.waiting ? anchor.music : at;
  }

  /** @returns {number} the tick that sounds */
  get tick() {
    return this.score ? this.score.tempo.tick(this.seconds) : 0;
  }

  /** Plays another score from the same place on. @param {Score | null} score @param {number} [written] */
  use(score, written = Infinity) {
    const tick = this.tick;
    this.score = score;
    this.keys = score ? playerKeys(score.tracks) : [];
    this.written = written;
    this.waiting = false;
    if (score && this.playing) this.restart(score.tempo.seconds(tick));
    else this.resting = score ? score.tempo.seconds(tick) : 0;
  }

  /** Music has been written up to here; a note went in before the cursor. @param {number} written @param {number} [index] */
  grown(written, index = Infinity) {
    this.written = written;
    if (index < this.cursor) this.cursor++;
    if (this.score && this.keys.length < this.score.tracks.length) this.keys = playerKeys(this.score.tracks);
  }

  play() {
    if (this.playing || !this.score) return;
    this.wake();
    const { tempo, end } = this.score;
    if (this.written === Infinity && this.resting >= tempo.seconds(end) - 0.02) this.resting = 0;
    this.playing = true;
    this.restart(this.resting);
    this.timer = window.setInterval(() => this.look(), EVERY);
    this.changed("state");
  }

  pause() {
    if (!this.playing) return;
    this.resting = this.seconds;
    this.playing = false;
    this.waiting = false;
    clearInterval(this.timer);
    this.quiet();
    this.changed("state");
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** @param {number} tick */
  seek(tick) {
    if (!this.score) return;
    const seconds = this.score.tempo.seconds(Math.max(0, tick));
    if (this.playing) this.restart(seconds);
    else this.resting = seconds;
    this.changed("state");
  }

  /** Sounds a note at once. @param {number} track @param {number} pitch @param {number} velocity @param {number} seconds */
  hear(track, pitch, velocity, seconds = 0.6) {
    if (!this.score?.tracks[track]) return;
    const now = this.wake().currentTime;
    this.sound(track, pitch, velocity, now + 0.005, Math.min(2, seconds));
  }

  /** Applies mute and solo to what sounds. */
  balance() {
    this.score?.tracks.forEach((track, i) => {
      this.synth?.level(this.keys[i], track, this.audible(this.keys[i]) ? 1 : 0);
    });
  }

  /** @param {string} key */
  audible(key) {
    return this.soloed.size ? this.soloed.has(key) : !this.muted.has(key);
  }

  /** @param {number} volume 0–1 */
  loudness(volume) {
    this.volume = volume;
    this.synth?.volume.gain.setTargetAtTime(volume, this.synth.context.currentTime, 0.02);
  }

  /** Begins again at a place: silence, then the notes that sound there and those that follow. */
  restart(/** @type {number} */ music) {
    const { context, score } = this;
    if (!context || !score) return;
    this.quiet();
    this.balance();
    const start = context.currentTime + START + (this.synth?.latency ?? 0);
    this.anchors = [{ time: start, music }];
    const tick = score.tempo.tick(music);
    this.cursor = score.firstFrom(tick);
    for (const i of score.between(tick, tick)) {
      if (score.start[i] >= tick || score.isDrum(i)) continue;
      const rest = score.tempo.seconds(score.start[i] + score.duration[i]) - music;
      if (rest > 0.08) this.sound(score.track[i], score.pitch[i], score.velocity[i] * 0.8, start, rest);
    }
    this.look();
  }

  /** Hands over what will sound soon. */
  look() {
    const { context, score } = this;
    if (!context || !score) return;
    const now = context.currentTime;
    const horizon = now + (document.hidden ? AHEAD_HIDDEN : AHEAD);
    if (this.anchors.length > 1 && this.anchors[1].time <= now) this.anchors.shift();
    if (this.starved(now)) return;
    let anchor = this.anchors[this.anchors.length - 1];
    const turn = this.loop ? score.tempo.seconds(this.loop.to) : Infinity;
    for (;;) {
      const next = this.cursor < score.count ? score.tempo.seconds(score.start[this.cursor]) : Infinity;
      if (this.loop && next >= turn && anchor.music < turn) {
        const when = anchor.time + turn - anchor.music;
        if (when > horizon || this.loop.to <= this.loop.from) break;
        anchor = { time: when, music: score.tempo.seconds(this.loop.from) };
        this.anchors.push(anchor);
        this.cursor = score.firstFrom(this.loop.from);
        continue;
      }
      const when = anchor.time + next - anchor.music;
      if (when > horizon || score.start[this.cursor] > this.written) break;
      this.hand(this.cursor++, Math.max(now, when), turn);
    }
    const ended = this.written === Infinity && this.seconds > score.tempo.seconds(score.end) + 0.4;
    if (ended && !(this.loop && anchor.music < turn)) {
      this.pause();
      this.changed("end");
    }
  }

  /** Hands over one note. @param {number} i @param {number} when @param {number} turn */
  hand(i, when, turn) {
    const score = /** @type {Score} */ (this.score);
    const from = score.tempo.seconds(score.start[i]);
    const to = Math.min(turn > from ? turn : Infinity, score.tempo.seconds(score.start[i] + score.duration[i]));
    this.sound(score.track[i], score.pitch[i], score.velocity[i], when, to - from);
  }

  /** Whether the playhead has come to where the music is still being written. @param {number} now */
  starved(now) {
    const score = /** @type {Score} */ (this.score);
    const written = this.written === Infinity ? Infinity : score.tempo.seconds(this.written);
    const at = this.seconds;
    const wanted = this.waiting ? BUFFERED : 0.05;
    if (at + wanted < written) {
      if (this.waiting) {
        this.waiting = false;
        this.anchors = [{ time: now + START, music: at }];
        this.changed("state");
      }
      return false;
    }
    if (!this.waiting) {
      this.anchors = [{ time: now, music: at }];
      this.waiting = true;
      this.changed("state");
    }
    return true;
  }

  /** To the synthesiser, or to a MIDI port instead. */
  sound(/** @type {number} */ track, /** @type {number} */ pitch, /** @type {number} */ velocity, /** @type {number} */ when, /** @type {number} */ seconds) {
    const player = this.score?.tracks[track];
    const key = this.keys[track];
    if (!player || !this.context) return;
    if (!this.midi.port) this.synth?.play(key, player, pitch, velocity, when, seconds);
    else if (this.audible(key)) this.midi.play(key, player, pitch, velocity, (when - this.context.currentTime) * 1000, seconds * 1000);
  }

  quiet() {
    this.synth?.silence();
    this.midi.silence();
  }

  /** @param {string} kind */
  changed(kind) {
    this.dispatchEvent(new Event(kind));
  }
}
