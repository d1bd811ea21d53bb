/** A small General MIDI synthesiser: oscillators, computed strings and drums, one room around them. */

import { CHOKES, drum, drumPlace } from "./kit.js";
import { patch } from "./patches.js";
import { buffer, modal, noise, piano, pluck } from "./samples.js";

/** @typedef {import("./patches.js").Patch} Patch */
/** @typedef {{program: number, drums: boolean}} Player */
/** @typedef {{gain: GainNode, sources: AudioScheduledSourceNode[], until: number, choke?: string}} Voice */
/** @typedef {{input: GainNode, amplifier: AudioNode | null}} Bus */

const MOST_VOICES = 72;
const SPACING = 3; // semitones between computed strings; those between are played faster or slower
const CLICKLESS = 0.012; // seconds in which a voice is silenced

/** @param {number} pitch */
const frequency = (pitch) => 440 * 2 ** ((pitch - 69) / 12);

export class Synth {
  /** @param {BaseAudioContext} context @param {AudioNode} [output] */
  constructor(context, output = context.destination) {
    this.context = context;
    /** Seconds before a note after a silence may sound: none. */
    this.latency = 0;
    /** @type {Voice[]} */
    this.voices = [];
    /** @type {Map<string, Bus>} */
    this.buses = new Map();
    /** @type {Map<string, PeriodicWave>} */
    this.waves = new Map();
    this.volume = new GainNode(context, { gain: 0.8 });
    this.mix = new GainNode(context, { gain: 0.55 });
    const limiter = new DynamicsCompressorNode(context, { threshold: -9, knee: 8, ratio: 8, attack: 0.004, release: 0.18 });
    this.mix.connect(limiter).connect(this.volume).connect(output);
    this.room = new ConvolverNode(context, { buffer: room(context.sampleRate) });
    this.room.connect(new GainNode(context, { gain: 0.5 })).connect(this.mix);
  }

  /** The way of a player into the mix, made when first asked for. @param {string} key @param {Player} player */
  bus(key, player) {
    const found = this.buses.get(key);
    if (found) return found;
    const { context } = this;
    const input = new GainNode(context);
    const family = player.program >> 3;
    const place = player.drums || family === 4 ? 0 : (((this.buses.size * 5) % 7) - 3) * 0.13;
    const pan = new StereoPannerNode(context, { pan: place });
    const drive = player.drums ? undefined : patch(player.program).drive;
    let out = /** @type {AudioNode} */ (input);
    /** @type {AudioNode | null} */
    let amplifier = null;
    if (drive) {
      // a guitar amplifier: what is loud is flattened, then a speaker that has no treble
      amplifier = new WaveShaperNode(context, { curve: flattened(drive), oversample: "2x" });
      amplifier.connect(new BiquadFilterNode(context, { type: "lowpass", frequency: 3600, Q: 0.9 })).connect(input);
    }
    out.connect(pan).connect(this.mix);
    const wet = player.drums ? 0.12 : family === 4 ? 0.04 : 0.28;
    pan.connect(new GainNode(context, { gain: wet })).connect(this.room);
    const bus = { input, amplifier };
    this.buses.set(key, bus);
    return bus;
  }

  /** How loud a player is, without a click. @param {string} key @param {Player} player @param {number} gain */
  level(key, player, gain) {
    const { input } = this.bus(key, player);
    input.gain.setTargetAtTime(gain, this.context.currentTime, 0.015);
  }

  /**
   * Plays a note.
   * @param {string} key of the player @param {Player} player
   * @param {number} pitch @param {number} velocity 1–127
   * @param {number} when time of the context @param {number} seconds it is held
   */
  play(key, player, pitch, velocity, when, seconds) {
    const bus = this.bus(key, player);
    this.makeRoom(when);
    const loud = (velocity / 127) ** 1.6;
    /** @type {Voice} */
    const voice = player.drums ? this.drum(pitch, loud, when) : this.tone(patch(player.program), pitch, loud, when, seconds);
    const panned = player.drums ? new StereoPannerNode(this.context, { pan: drumPlace(pitch) * 0.7 }) : null;
    if (panned) voice.gain.connect(panned).connect(bus.input);
    else voice.gain.connect(bus.amplifier ?? bus.input);
    this.voices.push(voice);
    const ending = voice.sources[0];
    ending.onended = () => {
      voice.gain.disconnect();
      panned?.disconnect();
      const at = this.voices.indexOf(voice);
      if (at >= 0) this.voices.splice(at, 1);
    };
  }

  /** Silences everything within a hundredth of a second. */
  silence() {
    for (const voice of this.voices) this.stop(voice, this.context.currentTime);
    this.voices = [];
  }

  /** @param {Voice} voice @param {number} when */
  stop(voice, when) {
    const at = Math.max(when, this.context.currentTime);
    voice.until = at;
    voice.gain.gain.cancelScheduledValues(at);
    voice.gain.gain.setTargetAtTime(0, at, CLICKLESS / 3);
    for (const source of voice.sources) source.stop(at + CLICKLESS * 2);
  }

  /** Stops the oldest voice if there are too many, and hats that another hat closes. @param {number} when */
  makeRoom(when) {
    if (this.voices.length > MOST_VOICES * 4) this.voices = this.voices.filter((voice) => voice.until > when - 1);
    let sounding = 0;
    for (const voice of this.voices) if (voice.until > when) sounding++;
    if (sounding < MOST_VOICES) return;
    const oldest = this.voices.find((voice) => voice.until > when);
    if (oldest) this.stop(oldest, when);
  }

  /** @param {number} key @param {number} loud @param {number} when @returns {Voice} */
  drum(key, loud, when) {
    const { sound, gain } = drum(key, this.context.sampleRate);
    const choke = CHOKES[key];
    for (const voice of this.voices) {
      if (choke && voice.choke === choke && voice.until > when) this.stop(voice, when);
    }
    const source = new AudioBufferSourceNode(this.context, { buffer: sound });
    const out = new GainNode(this.context, { gain: 1.2 * gain * (0.08 + 0.92 * loud) });
    source.connect(out);
    source.start(when);
    return { gain: out, sources: [source], until: when + sound.duration, choke };
  }

  /** @param {Patch} p @param {number} pitch @param {number} loud @param {number} when @param {number} seconds @returns {Voice} */
  tone(p, pitch, loud, when, seconds) {
    return p.kind === "wave" ? this.wave(p, pitch, loud, when, seconds) : this.struck(p, pitch, loud, when, seconds);
  }

  /** The computed sound nearest to a pitch. @param {Patch} p @param {number} pitch */
  sample(p, pitch) {
    const at = Math.min(108, Math.max(21, Math.round(pitch / SPACING) * SPACING));
    const rate = this.context.sampleRate;
    const long = Math.min(6, Math.max(0.5, (p.kind === "piano" ? 5 : (p.halving ?? 0.6) * 6) * 2 ** ((60 - at) / 26)));
    const name = JSON.stringify([p.kind, p.brightness, p.halving, p.place, p.modes, p.knock, at]);
    const sound = buffer(
      name, rate, long,
      p.kind === "piano" ? piano(at, p.brightness ?? 0.5)
        : p.kind === "modal" ? modal(at, p.modes ?? [[1, 1, 0.5]], p.knock ?? 0)
          : pluck(at, p.brightness ?? 0.5, p.halving ?? 0.5, p.place ?? 0.2),
    );
    return { sound, speed: 2 ** ((pitch - at) / 12) };
  }

  /** @param {Patch} p @param {number} pitch @param {number} loud @param {number} when @param {number} seconds @returns {Voice} */
  struck(p, pitch, loud, when, seconds) {
    const { sound, speed } = this.sample(p, pitch);
    const source = new AudioBufferSourceNode(this.context, { buffer: sound, playbackRate: speed });
    const out = new GainNode(this.context, { gain: p.drive ? 0.35 + 0.65 * loud : p.gain * loud });
    const bright = new BiquadFilterNode(this.context, {
      type: "lowpass", Q: 0.3,
      frequency: Math.min(16000, (p.kind === "piano" ? 700 : 1200) + frequency(pitch) * (1.5 + 9 * loud)),
    });
    source.connect(bright).connect(out);
    const held = when + Math.max(0.03, seconds);
    out.gain.setTargetAtTime(0, held, p.release / 2);
    source.start(when);
    const until = Math.min(when + sound.duration / speed, held + p.release * 3.5);
    source.stop(until);
    return { gain: out, sources: [source], until };
  }

  /** @param {Patch} p @param {number} pitch @param {number} loud @param {number} when @param {number} seconds @returns {Voice} */
  wave(p, pitch, loud, when, seconds) {
    const { context } = this;
    const f = frequency(pitch);
    const attack = p.attack ?? 0.01;
    const held = when + Math.max(attack, seconds);
    const until = held + p.release * 4;
    const out = new GainNode(context, { gain: 0 });
    const peak = p.gain * (0.12 + 0.88 * loud);
    out.gain.setTargetAtTime(peak, when, attack / 3);
    if ((p.sustain ?? 1) < 1) out.gain.setTargetAtTime(peak * (p.sustain ?? 1), when + attack, (p.decay ?? 0.2) / 2);
    out.gain.setTargetAtTime(0, held, p.release / 3);
    const filter = new BiquadFilterNode(context, { type: "lowpass", Q: 0.6 });
    const resting = Math.min(15000, f * (p.cutoff ?? 8) + 150);
    const open = Math.min(16000, resting + f * (p.sweep ?? 0) * loud);
    filter.frequency.setValueAtTime(resting, when);
    filter.frequency.linearRampToValueAtTime(open, when + attack);
    filter.frequency.setTargetAtTime((resting + open) / 2, when + attack, (p.decay ?? 0.3) / 2);
    const voices = p.voices ?? 1;
    /** @type {AudioScheduledSourceNode[]} */
    const sources = [];
    for (let i = 0; i < voices; i++) {
      const spread = voices > 1 ? (i / (voices - 1) - 0.5) * 2 * (p.detune ?? 0) : 0;
      const oscillator = new OscillatorNode(context, { frequency: f, detune: spread });
      if (p.harmonics) oscillator.setPeriodicWave(this.periodic(p.harmonics));
      else oscillator.type = p.shape ?? "sawtooth";
      oscillator.connect(filter);
      sources.push(oscillator);
    }
    if (p.vibrato && seconds > 0.25) sources.push(this.vibrato(sources, p.vibrato, when));
    if (p.breath) sources.push(this.breath(p.breath, f, filter));
    for (const source of sources) {
      source.start(when);
      source.stop(until);
    }
    this.through(filter, p.formants, out);
    return { gain: out, sources, until };
  }

  /** A slow oscillator that bends the others, coming in after a moment. */
  vibrato(/** @type {AudioScheduledSourceNode[]} */ bent, /** @type {number} */ cents, /** @type {number} */ when) {
    const slow = new OscillatorNode(this.context, { frequency: 5.2 });
    const depth = new GainNode(this.context, { gain: 0 });
    depth.gain.setTargetAtTime(cents, when + 0.18, 0.15);
    slow.connect(depth);
    for (const source of bent) if (source instanceof OscillatorNode) depth.connect(source.detune);
    return slow;
  }

  /** Noise around the pitch, for breath. */
  breath(/** @type {number} */ gain, /** @type {number} */ f, /** @type {AudioNode} */ into) {
    const source = new AudioBufferSourceNode(this.context, { buffer: hiss(this.context.sampleRate), loop: true });
    const band = new BiquadFilterNode(this.context, { type: "bandpass", frequency: Math.min(9000, f * 2), Q: 0.8 });
    source.connect(band).connect(new GainNode(this.context, { gain })).connect(into);
    return source;
  }

  /** A voice's resonances beside each other, with a little of what comes in. */
  through(/** @type {AudioNode} */ from, /** @type {[number, number][] | undefined} */ formants, /** @type {AudioNode} */ to) {
    if (!formants) {
      from.connect(to);
      return;
    }
    from.connect(new GainNode(this.context, { gain: 0.3 })).connect(to);
    for (const [at, q] of formants) {
      from.connect(new BiquadFilterNode(this.context, { type: "bandpass", frequency: at, Q: q })).connect(to);
    }
  }

  /** @param {number[]} harmonics */
  periodic(harmonics) {
    const key = harmonics.join();
    const found = this.waves.get(key);
    if (found) return found;
    const wave = new PeriodicWave(this.context, { real: [0, ...harmonics.map(() => 0)], imag: [0, ...harmonics] });
    this.waves.set(key, wave);
    return wave;
  }

  /** Computes what some notes will need, before they are played. @param {Player} player @param {Iterable<number>} pitches */
  prepare(player, pitches) {
    const p = patch(player.program);
    for (const pitch of pitches) {
      if (player.drums) drum(pitch, this.context.sampleRate);
      else if (p.kind !== "wave") this.sample(p, pitch);
    }
  }
}

/** Two seconds of noise. @param {number} rate */
const hiss = (rate) =>
  buffer("breath", rate, 2, (samples) => {
    const random = noise();
    for (let i = 0; i < samples.length; i++) samples[i] = random();
  });

/** The echo of a small hall: noise that dies away and loses its treble. @param {number} rate */
function room(rate) {
  const seconds = 1.5;
  const result = new AudioBuffer({ length: Math.ceil(seconds * rate), sampleRate: rate, numberOfChannels: 2 });
  const random = noise();
  for (let channel = 0; channel < 2; channel++) {
    const samples = result.getChannelData(channel);
    let low = 0;
    for (let i = 0; i < samples.length; i++) {
      const at = i / samples.length;
      low += (0.75 - 0.65 * at) * (random() - low);
      samples[i] = low * (1 - at) ** 2.2 * Math.min(1, i / (0.012 * rate));
    }
  }
  return result;
}

/** @param {number} drive */
function flattened(drive) {
  const curve = new Float32Array(1025);
  for (let i = 0; i < curve.length; i++) curve[i] = Math.tanh(((i / 512) - 1) * drive) * (drive > 8 ? 0.2 : 0.3);
  return curve;
}
