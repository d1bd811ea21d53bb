/** Edits of notes that are not a node yet, with their own undo. */

/** @typedef {import("./score.js").Score} Score */
/** @typedef {import("./score.js").Note} Note */
/** @typedef {{origin: number, note: Note}} Entry origin: the note's index on the server, or -1 for a new one */

export class Draft {
  /** @param {number} node that is edited @param {Score} base its music */
  constructor(node, base) {
    this.node = node;
    this.base = base;
    /** @type {Entry[]} */
    this.entries = base.notes().map((note, i) => ({ origin: base.order[i], note }));
    /** @type {Entry[][]} */
    this.before = [];
    /** @type {Entry[][]} */
    this.after = [];
  }

  get changed() {
    return this.before.length > 0;
  }

  /** The music with the edits; its `order` holds indices of `entries`. @returns {Score} */
  score() {
    return this.base.with(this.entries.map((entry) => entry.note));
  }

  /** @param {Entry[]} entries */
  become(entries) {
    this.before.push(this.entries);
    this.after = [];
    this.entries = entries;
  }

  /** @param {Set<number>} some indices of entries */
  remove(some) {
    this.become(this.entries.filter((_, i) => !some.has(i)));
  }

  /** @param {Set<number>} some indices of entries @param {(note: Note) => Note} how */
  change(some, how) {
    this.become(this.entries.map((entry, i) => (some.has(i) ? { ...entry, note: within(how(entry.note)) } : entry)));
  }

  /** @param {Note} note */
  add(note) {
    this.become([...this.entries, { origin: -1, note: within(note) }]);
  }

  undo() {
    const last = this.before.pop();
    if (!last) return false;
    this.after.push(this.entries);
    this.entries = last;
    return true;
  }

  redo() {
    const next = this.after.pop();
    if (!next) return false;
    this.before.push(this.entries);
    this.entries = next;
    return true;
  }

  /** As the server takes them. */
  edits() {
    const left = new Set(this.entries.map((entry) => entry.origin));
    /** @type {Map<number, Note>} */
    const old = new Map();
    this.base.order.forEach((origin, i) => old.set(origin, this.base.note(i)));
    const differs = (/** @type {Entry} */ { origin, note }) => JSON.stringify(old.get(origin)) !== JSON.stringify(note);
    return {
      add: this.entries.filter((entry) => entry.origin < 0).map((entry) => entry.note),
      remove: [...old.keys()].filter((origin) => !left.has(origin)),
      change: this.entries.filter((entry) => entry.origin >= 0 && differs(entry)).map((entry) => [entry.origin, entry.note]),
    };
  }
}

/** A note that MIDI can hold. @param {Note} note @returns {Note} */
function within(note) {
  return {
    ...note,
    start: Math.max(0, Math.round(note.start)),
    duration: Math.max(1, Math.round(note.duration)),
    pitch: Math.min(127, Math.max(0, note.pitch)),
  };
}
