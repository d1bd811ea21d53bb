/** A score as columns, as the server sends it, with its tempo map and an index of time. */

/**
 * @typedef {object} Track
 * @property {string} name
 * @property {number} number of the track in the file, from 1
 * @property {number} program 0–127 General MIDI, 128 drums
 * @property {boolean} drums
 */
/**
 * @typedef {object} Note
 * @property {number} start ticks
 * @property {number} duration ticks
 * @property {number} pitch
 * @property {number} velocity
 * @property {number} track
 */
/**
 * @typedef {object} Columns
 * @property {number[]} start
 * @property {number[]} duration
 * @property {number[]} pitch
 * @property {number[]} velocity
 * @property {number[]} track
 */
/**
 * @typedef {object} ScoreJson
 * @property {number} ticks_per_quarter
 * @property {number | null} boundary the tick at which new music begins
 * @property {number} end
 * @property {Track[]} tracks
 * @property {Columns} notes
 * @property {number[][]} tempos tick, microseconds per quarter
 * @property {number[]} bars ticks of the bar lines
 * @property {number[][]} meters tick, numerator, denominator
 * @property {[number, string][]} chords
 * @property {[number, string][]} [markers]
 */

export const DRUMS = 128;
const BLOCK = 128;
const DEFAULT_TEMPO = 500_000; // microseconds per quarter where a file has no tempo

/** The last index of a sorted list whose value is at most `value`, or -1. */
export function lastAtMost(/** @type {ArrayLike<number>} */ sorted, /** @type {number} */ value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Ticks to seconds and back, exactly as the file's tempo events say. */
export class TempoMap {
  /** @param {number[][]} tempos @param {number} ticksPerQuarter */
  constructor(tempos, ticksPerQuarter) {
    const first = tempos.length && tempos[0][0] === 0 ? tempos : [[0, DEFAULT_TEMPO], ...tempos];
    this.ticks = first.map(([tick]) => tick);
    this.perQuarter = first.map(([, tempo]) => tempo);
    this.rates = this.perQuarter.map((tempo) => tempo / 1e6 / ticksPerQuarter);
    this.starts = [0];
    for (let i = 1; i < first.length; i++) {
      const span = (this.ticks[i] - this.ticks[i - 1]) * this.rates[i - 1];
      this.starts.push(this.starts[i - 1] + span);
    }
  }

  /** @param {number} tick @returns {number} seconds */
  seconds(tick) {
    const i = Math.max(0, lastAtMost(this.ticks, tick));
    return this.starts[i] + (tick - this.ticks[i]) * this.rates[i];
  }

  /** @param {number} seconds @returns {number} a tick, not rounded */
  tick(seconds) {
    const i = Math.max(0, lastAtMost(this.starts, seconds));
    return this.ticks[i] + (seconds - this.starts[i]) / this.rates[i];
  }

  /** @param {number} tick @returns {number} quarter notes per minute */
  bpm(tick) {
    return 6e7 / this.perQuarter[Math.max(0, lastAtMost(this.ticks, tick))];
  }
}

/** What a score looks and sounds like; notes are sorted by start. */
export class Score {
  /** @param {ScoreJson} json */
  constructor(json) {
    this.ticksPerQuarter = json.ticks_per_quarter;
    this.boundary = json.boundary;
    this.end = json.end;
    this.tracks = json.tracks;
    this.tempo = new TempoMap(json.tempos, json.ticks_per_quarter);
    this.bars = json.bars.length ? [...json.bars] : [0];
    this.meters = json.meters;
    this.chords = json.chords ?? [];
    const { start, duration, pitch, velocity, track } = json.notes;
    /** Index of each note in the server's order; edits name notes by it. @type {number[]} */
    this.order = start.map((_, i) => i);
    if (start.some((tick, i) => i > 0 && tick < start[i - 1])) {
      this.order.sort((a, b) => start[a] - start[b] || a - b);
    }
    const sorted = (/** @type {number[]} */ column) => this.order.map((i) => column[i]);
    this.start = sorted(start);
    this.duration = sorted(duration);
    this.pitch = sorted(pitch);
    this.velocity = sorted(velocity);
    this.track = sorted(track);
    this.json = json;
    /** @type {number[]} the latest end of each block of notes */
    this.blocks = [];
    this.index();
  }

  /** @returns {number} how many notes there are */
  get count() {
    return this.start.length;
  }

  /** Finds where blocks of notes end, so that what is visible is found without looking at all. */
  index() {
    this.blocks = [];
    for (let from = 0; from < this.count; from += BLOCK) {
      let end = 0;
      for (let i = from; i < Math.min(from + BLOCK, this.count); i++) {
        end = Math.max(end, this.start[i] + this.duration[i]);
      }
      this.blocks.push(end);
    }
  }

  /**
   * Indices of the notes that sound between two ticks, in order of their start.
   * @param {number} from @param {number} to @param {number[]} [found] filled and returned
   */
  between(from, to, found = []) {
    found.length = 0;
    const last = lastAtMost(this.start, to);
    for (let block = 0; block * BLOCK <= last; block++) {
      if (this.blocks[block] < from) continue;
      const stop = Math.min(block * BLOCK + BLOCK - 1, last);
      for (let i = block * BLOCK; i <= stop; i++) {
        if (this.start[i] + this.duration[i] >= from) found.push(i);
      }
    }
    return found;
  }

  /** The index of the first note that starts at or after a tick. @param {number} tick */
  firstFrom(tick) {
    return lastAtMost(this.start, tick - 1e-6) + 1;
  }

  /** @param {number} i @returns {Note} */
  note(i) {
    return {
      start: this.start[i],
      duration: this.duration[i],
      pitch: this.pitch[i],
      velocity: this.velocity[i],
      track: this.track[i],
    };
  }

  /** @returns {Note[]} all notes, sorted */
  notes() {
    return this.start.map((_, i) => this.note(i));
  }

  /** @param {number} i */
  isDrum(i) {
    return this.tracks[this.track[i]]?.drums ?? false;
  }

  /** @param {number} tick @returns {number} the bar, counted from 1; beyond the file, bars go on */
  bar(tick) {
    const last = this.bars.length - 1;
    const beyond = tick > this.bars[last] ? Math.floor((tick - this.bars[last]) / Math.max(1, this.barLength(last))) : 0;
    return Math.max(0, lastAtMost(this.bars, tick)) + beyond + 1;
  }

  /** Where a bar begins; beyond the file, bars go on as long as the last one. @param {number} bar */
  barStart(bar) {
    const last = this.bars.length - 1;
    return bar - 1 <= last ? this.bars[Math.max(0, bar - 1)] : this.bars[last] + (bar - 1 - last) * this.barLength(last);
  }

  /** The first beat of those that lie at most so many seconds before a tick. @param {number} tick @param {number} seconds */
  before(tick, seconds) {
    const beat = (4 * this.ticksPerQuarter) / this.meter(tick)[2];
    const earliest = this.tempo.seconds(tick) - seconds;
    let found = tick;
    while (found - beat >= 0 && this.tempo.seconds(found - beat) >= earliest) found -= beat;
    return found;
  }

  /** @param {number} index of a bar line @returns {number} ticks */
  barLength(index) {
    if (index + 1 < this.bars.length) return this.bars[index + 1] - this.bars[index];
    const [, numerator, denominator] = this.meter(this.bars[index]);
    return (numerator * 4 * this.ticksPerQuarter) / denominator;
  }

  /** @param {number} tick @returns {number[]} tick, numerator, denominator in force */
  meter(tick) {
    let found = [0, 4, 4];
    for (const meter of this.meters) if (meter[0] <= tick) found = meter;
    return found;
  }

  /** The place in the music as "bar.beat". @param {number} tick */
  place(tick) {
    const bar = this.bar(tick);
    const beat = (4 * this.ticksPerQuarter) / this.meter(tick)[2];
    return `${bar}.${Math.floor(Math.max(0, tick - this.barStart(bar)) / beat) + 1}`;
  }

  /** The same piece with other notes. @param {Note[]} notes @returns {Score} */
  with(notes) {
    const ends = notes.map((note) => note.start + note.duration);
    const made = new Score({
      ...this.json,
      tracks: this.tracks,
      notes: columns(notes),
      end: ends.reduce((a, b) => Math.max(a, b), 0),
    });
    made.reach();
    return made;
  }

  /** A copy of what sounds before a tick, to be written on. @param {number} tick */
  until(tick) {
    const kept = this.notes().filter((note) => note.start < tick);
    const copy = this.with(kept.map((n) => ({ ...n, duration: Math.min(n.duration, tick - n.start) })));
    copy.boundary = tick;
    copy.end = tick;
    copy.tracks = this.tracks.map((track) => ({ ...track }));
    return copy;
  }

  /**
   * A copy without what some players begin between two ticks, to be written anew.
   * @param {number} from @param {number} to @param {Set<number> | null} tracks all if null
   */
  without(from, to, tracks) {
    const stays = (/** @type {Note} */ n) => n.start < from || n.start >= to || (tracks !== null && !tracks.has(n.track));
    const copy = this.with(this.notes().filter(stays));
    copy.boundary = from;
    copy.end = this.end;
    copy.tracks = this.tracks.map((track) => ({ ...track }));
    return copy;
  }

  /** Adds a note that has just been written; returns its index. @param {Note & {program?: number}} note */
  add(note) {
    const track = note.track ?? this.trackOf(note.program ?? 0);
    const at = lastAtMost(this.start, note.start) + 1;
    this.start.splice(at, 0, note.start);
    this.duration.splice(at, 0, note.duration);
    this.pitch.splice(at, 0, note.pitch);
    this.velocity.splice(at, 0, note.velocity);
    this.track.splice(at, 0, track);
    this.order.splice(at, 0, -1);
    this.end = Math.max(this.end, note.start + note.duration);
    const block = Math.floor(at / BLOCK);
    if (at === this.count - 1 && at % BLOCK) {
      this.blocks[block] = Math.max(this.blocks[block], note.start + note.duration);
    } else this.index();
    this.reach();
    return at;
  }

  /** The track of a program; a new one if no track has it. @param {number} program */
  trackOf(program) {
    const found = this.tracks.findIndex((t) => (t.drums ? DRUMS : t.program) === program);
    if (found >= 0) return found;
    this.tracks.push({ number: this.tracks.length + 1, name: "", program, drums: program === DRUMS });
    return this.tracks.length - 1;
  }

  /** Bar lines as far as the music goes. */
  reach() {
    while (this.bars[this.bars.length - 1] < this.end) {
      const last = this.bars.length - 1;
      this.bars.push(this.bars[last] + Math.max(1, this.barLength(last)));
    }
  }
}

/** @param {Note[]} notes @returns {Columns} */
export function columns(notes) {
  return {
    start: notes.map((n) => n.start),
    duration: notes.map((n) => n.duration),
    pitch: notes.map((n) => n.pitch),
    velocity: notes.map((n) => n.velocity),
    track: notes.map((n) => n.track),
  };
}

/** Which notes of `a` are not in `b`, as a flag each. @param {Score} a @param {Score} b */
export function difference(a, b) {
  const key = (/** @type {Score} */ s, /** @type {number} */ i) =>
    `${s.start[i]},${s.pitch[i]},${s.duration[i]},${s.isDrum(i) ? DRUMS : s.tracks[s.track[i]]?.program}`;
  const there = new Set(b.start.map((_, i) => key(b, i)));
  return a.start.map((_, i) => !there.has(key(a, i)));
}
