/**
 * The General MIDI bank that `make studio` bundles, played by SpessaSynth in an audio worklet; with
 * the same methods as `Synth`, in whose place it comes when it is loaded.
 */

/** @typedef {{program: number, drums: boolean}} Player */

const FOLDER = "/page/bank/";
const BANK = "FluidR3Mono_GM.sf3";
const DRUM_CHANNEL = 9;
const [VOLUME, SOUND_OFF] = [7, 120]; // numbers of controllers
const LOUD = 100;
const AHEAD = 0.14; // seconds: notes that were handed over cannot be taken back, only silenced

/** @type {Promise<ArrayBuffer> | null} */
let bank = null;

/** The bank's bytes, fetched once. @returns {Promise<ArrayBuffer>} */
function bytes() {
  bank ??= fetch(FOLDER + BANK).then((answer) => answer.arrayBuffer());
  return bank;
}

/** The bundled module. @returns {Promise<any>} */
const bundled = () => import(/** @type {any} */ (`${FOLDER}synth.js`));

export class BankSynth {
  /** @param {AudioContext} context */
  static async load(context) {
    const [{ WorkletSynthesizer }, data] = await Promise.all([bundled(), bytes(), context.audioWorklet.addModule(`${FOLDER}processor.js`)]);
    const worklet = new WorkletSynthesizer(context);
    await worklet.soundBankManager.addSoundBank(data.slice(0), "main");
    await worklet.isReady;
    return new BankSynth(context, worklet);
  }

  /** @param {AudioContext} context @param {any} worklet */
  constructor(context, worklet) {
    this.context = context;
    this.worklet = worklet;
    /** Seconds before a note after a silence may sound. */
    this.latency = AHEAD - 0.04;
    this.volume = new GainNode(context, { gain: 0.8 });
    this.gate = new GainNode(context);
    worklet.connect(this.gate);
    this.gate.connect(this.volume).connect(context.destination);
    /** @type {Map<string, number>} */
    this.channels = new Map();
    /** @type {Set<number>} timers of the ends of notes */
    this.ends = new Set();
  }

  /** What sounds. @returns {{length: number}} */
  get voices() {
    return { length: this.worklet.voiceCount };
  }

  /** The channel of a player, made when first asked for. @param {string} key @param {Player} player */
  channel(key, player) {
    const found = this.channels.get(key);
    if (found !== undefined) return found;
    let channel = DRUM_CHANNEL;
    if (!player.drums) {
      const used = new Set(this.channels.values());
      for (channel = 0; used.has(channel) || channel % 16 === DRUM_CHANNEL; ) channel++;
      while (this.worklet.channelCount <= channel) this.worklet.addNewChannel();
      this.worklet.programChange(channel, player.program);
    }
    this.channels.set(key, channel);
    return channel;
  }

  /** @param {string} key @param {Player} player @param {number} gain */
  level(key, player, gain) {
    this.worklet.controllerChange(this.channel(key, player), VOLUME, Math.round(LOUD * gain));
  }

  /** @param {string} key @param {Player} player @param {number} pitch @param {number} velocity @param {number} when @param {number} seconds */
  play(key, player, pitch, velocity, when, seconds) {
    const channel = this.channel(key, player);
    this.worklet.noteOn(channel, pitch, Math.max(1, Math.round(velocity)), { time: when });
    const end = () => this.worklet.noteOff(channel, pitch, { time: when + seconds });
    if (document.hidden) return end(); // where timers are slow
    const timer = window.setTimeout(() => {
      this.ends.delete(timer);
      end();
    }, Math.max(0, (when + seconds - this.context.currentTime - AHEAD / 2) * 1000));
    this.ends.add(timer);
    return undefined;
  }

  /** Silences what sounds and what was handed over. */
  silence() {
    const now = this.context.currentTime;
    for (const timer of this.ends) clearTimeout(timer);
    this.ends.clear();
    this.worklet.stopAll(true);
    for (const channel of new Set(this.channels.values())) this.worklet.controllerChange(channel, SOUND_OFF, 0, { time: now + AHEAD });
    const { gain } = this.gate;
    gain.cancelScheduledValues(now);
    gain.setTargetAtTime(0, now, 0.004);
    gain.setValueAtTime(1, now + AHEAD + 0.005);
  }

  /** Sounds need no preparation. */
  prepare() {}
}

/**
 * A MIDI file as audio, faster than it would play.
 * @param {ArrayBuffer} file @param {number} seconds @param {Set<number>} silent numbers of tracks, from 1
 * @returns {Promise<AudioBuffer>}
 */
export async function renderFile(file, seconds, silent) {
  const rate = 44_100;
  const context = new OfflineAudioContext(2, Math.ceil(seconds * rate), rate);
  const [{ BasicMIDI, WorkletSynthesizer }, data] = await Promise.all([bundled(), bytes(), context.audioWorklet.addModule(`${FOLDER}processor.js`)]);
  const midi = BasicMIDI.fromArrayBuffer(file);
  for (const number of silent) {
    const track = midi.tracks[number - 1];
    for (let i = track.events.length - 1; i >= 0; i--) if ((track.events[i].statusByte & 0xf0) === 0x90) track.deleteEvent(i);
  }
  midi.flush();
  const worklet = new WorkletSynthesizer(context);
  worklet.connect(context.destination);
  await worklet.startOfflineRender({ midiSequence: midi, loopCount: 0, soundBankList: [{ bankOffset: 0, soundBankBuffer: data.slice(0) }] });
  return context.startRendering();
}
