/** Web MIDI: notes to a synthesiser or a DAW's port instead of to the loudspeakers. */

const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15];
const DRUM_CHANNEL = 9;

export class MidiOut {
  constructor() {
    /** @type {MIDIOutput | null} */
    this.port = null;
    /** @type {Map<string, number>} */
    this.channels = new Map();
  }

  /** Whether this browser can do it at all. */
  static get possible() {
    return "requestMIDIAccess" in navigator;
  }

  /** Asks the user's leave and lists the ports. @returns {Promise<MIDIOutput[]>} */
  async ports() {
    const access = await navigator.requestMIDIAccess();
    return [...access.outputs.values()];
  }

  /** @param {MIDIOutput | null} port */
  use(port) {
    this.silence();
    this.port = port;
    this.channels.clear();
  }

  /**
   * @param {string} key of the player @param {{program: number, drums: boolean}} player
   * @param {number} pitch @param {number} velocity @param {number} later milliseconds @param {number} long milliseconds
   */
  play(key, player, pitch, velocity, later, long) {
    if (!this.port) return;
    const at = performance.now() + Math.max(0, later);
    const channel = this.channel(key, player);
    this.port.send([0x90 | channel, pitch, Math.max(1, Math.round(velocity))], at);
    this.port.send([0x80 | channel, pitch, 64], at + Math.max(10, long - 1));
  }

  /** The channel of a player, with its program told when it is new. @param {string} key @param {{program: number, drums: boolean}} player */
  channel(key, player) {
    if (player.drums) return DRUM_CHANNEL;
    const found = this.channels.get(key);
    if (found !== undefined) return found;
    const channel = CHANNELS[this.channels.size % CHANNELS.length];
    this.channels.set(key, channel);
    this.port?.send([0xc0 | channel, player.program]);
    return channel;
  }

  /** Takes back what was sent ahead and ends all notes. */
  silence() {
    if (!this.port) return;
    /** @type {any} */ (this.port).clear?.();
    for (let channel = 0; channel < 16; channel++) this.port.send([0xb0 | channel, 123, 0]);
  }
}
