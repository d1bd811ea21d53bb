/** Struck and plucked sounds, computed once a pitch: sums of decaying partials, and plucked strings. */

/** @type {Map<string, AudioBuffer>} */
const made = new Map();

/**
 * A buffer, computed when first asked for.
 * @param {string} name @param {number} rate @param {number} seconds
 * @param {(samples: Float32Array, rate: number) => void} fill
 */
export function buffer(name, rate, seconds, fill) {
  const key = `${name}@${rate}`;
  const found = made.get(key);
  if (found) return found;
  const length = Math.ceil(seconds * rate);
  const samples = new Float32Array(length);
  fill(samples, rate);
  level(samples, rate);
  const result = new AudioBuffer({ length, sampleRate: rate });
  result.copyToChannel(samples, 0);
  made.set(key, result);
  return result;
}

/** Brings the peak to 1 and fades the last 30 ms, so that no sound ends with a click. */
function level(/** @type {Float32Array} */ samples, /** @type {number} */ rate) {
  let peak = 1e-9;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  const fade = Math.min(samples.length, Math.floor(0.03 * rate));
  for (let i = 0; i < samples.length; i++) {
    samples[i] *= Math.min(1, (samples.length - i) / fade) / peak;
  }
}

/** The same noise every time, so that a rendered file is the same twice. */
export function noise() {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 0x80000000;
  };
}

/**
 * Adds a sine that decays: a phasor turned and shrunk once a sample.
 * @param {Float32Array} samples @param {number} rate @param {number} frequency
 * @param {number} gain @param {number} halving seconds in which it loses half
 */
export function partial(samples, rate, frequency, gain, halving) {
  if (frequency > rate * 0.45) return;
  const shrink = 0.5 ** (1 / (halving * rate));
  const turn = (2 * Math.PI * frequency) / rate;
  const c = Math.cos(turn) * shrink;
  const s = Math.sin(turn) * shrink;
  let x = 0;
  let y = gain;
  const attack = Math.floor(0.0015 * rate);
  for (let i = 0; i < samples.length; i++) {
    samples[i] += i < attack ? (x * i) / attack : x;
    const next = x * c + y * s;
    y = y * c - x * s;
    x = next;
  }
}

/**
 * A piano string: partials a little sharp of the harmonics (stiffness), two strings a little apart,
 * high ones dying first, and the knock of the hammer.
 * @param {number} pitch @param {number} brightness
 */
export function piano(pitch, brightness) {
  return (/** @type {Float32Array} */ samples, /** @type {number} */ rate) => {
    const f = 440 * 2 ** ((pitch - 69) / 12);
    const stiffness = 0.00028 * 2 ** ((pitch - 60) / 14);
    const lasting = 1.5 * 2 ** ((60 - pitch) / 19);
    const most = Math.min(24, Math.floor(9000 / f) + 1);
    for (let n = 1; n <= most; n++) {
      const at = f * n * Math.sqrt(1 + stiffness * n * n);
      const struck = Math.abs(Math.sin((n * Math.PI) / 7.6)) + 0.06; // the hammer hits at 1/7.6
      const gain = (struck / n ** (1.25 - 0.35 * brightness)) * (n === 1 && pitch < 45 ? 0.6 : 1);
      const halving = lasting / (1 + 0.22 * n * brightness ** -0.5);
      partial(samples, rate, at, gain * 0.6, halving);
      partial(samples, rate, at * 1.0006 + 0.12, gain * 0.4, halving * 1.6);
    }
    knock(samples, rate, 0.05, 0.012);
  };
}

/** A short knock of soft noise. */
function knock(/** @type {Float32Array} */ samples, /** @type {number} */ rate, gain = 0.1, halving = 0.01) {
  const random = noise();
  let low = 0;
  const shrink = 0.5 ** (1 / (halving * rate));
  for (let i = 0, g = gain * 4; i < Math.min(samples.length, rate * 0.1); i++, g *= shrink) {
    low += 0.12 * (random() - low);
    samples[i] += low * g;
  }
}

/**
 * Bars, bells and electric pianos: partials at given ratios.
 * @param {number} pitch @param {[number, number, number][]} modes ratio, gain, halving in seconds at middle C
 * @param {number} knocking gain of the mallet
 */
export function modal(pitch, modes, knocking) {
  return (/** @type {Float32Array} */ samples, /** @type {number} */ rate) => {
    const f = 440 * 2 ** ((pitch - 69) / 12);
    const shorter = 2 ** ((60 - pitch) / 30);
    for (const [ratio, gain, halving] of modes) partial(samples, rate, f * ratio, gain, halving * shorter);
    if (knocking) knock(samples, rate, knocking);
  };
}

/**
 * A plucked string (Karplus and Strong 1983, with Jaffe and Smith's tuning and decay).
 * @param {number} pitch @param {number} brightness 0–1 @param {number} halving seconds at middle C
 * @param {number} place where it is plucked, as a share of the string
 */
export function pluck(pitch, brightness, halving, place) {
  return (/** @type {Float32Array} */ samples, /** @type {number} */ rate) => {
    const f = 440 * 2 ** ((pitch - 69) / 12);
    const delay = rate / f - (0.5 - 0.48 * brightness); // less what the filter below delays
    const whole = Math.floor(delay);
    const rest = delay - whole;
    const allpass = (1 - rest) / (1 + rest);
    const excited = new Float32Array(whole);
    const random = noise();
    for (let i = 0; i < whole; i++) {
      // what a pick lets go: soft fingers leave a triangle, a hard one a step and some noise
      const at = i / whole;
      const triangle = at < place ? at / place : (1 - at) / (1 - place);
      const step = at < place ? 1 - place : -place;
      excited[i] = (1 - brightness) * (triangle - 0.5) + brightness * (step + 0.2 * random());
    }
    const lasting = halving * 2 ** ((60 - pitch) / 22);
    const loss = 0.5 ** (1 / (lasting * f));
    let before = 0;
    let kept = 0;
    let last = 0;
    for (let i = 0, at = 0; i < samples.length; i++, at = (at + 1) % whole) {
      const out = excited[at];
      const soft = (out * (0.5 + 0.48 * brightness) + before * (0.5 - 0.48 * brightness)) * loss;
      before = out;
      const tuned = allpass * soft + kept - allpass * last;
      kept = soft;
      last = tuned;
      excited[at] = tuned;
      samples[i] = out;
    }
  };
}
