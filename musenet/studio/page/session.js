/** What is open: the tree, the node that is seen and heard, and what is being written. */

import { api, listen, Refused } from "./api.js";
import { Draft } from "./draft.js";
import { difference, Score } from "./score.js";
import { texts } from "./texts.js";

/**
 * @typedef {object} TreeNode
 * @property {number} id
 * @property {number | null} parent
 * @property {"prompt" | "continuation" | "fill" | "accompaniment" | "edit"} kind
 * @property {string} title
 * @property {string} name
 * @property {boolean} mark
 * @property {string} note
 * @property {number} bars
 * @property {number} notes
 * @property {number} seconds
 * @property {any} growth
 */
/**
 * @typedef {object} Option
 * @property {string} name
 * @property {string} flag
 * @property {string} type
 * @property {any} default
 * @property {string} help
 * @property {string} [panel]
 * @property {string | null} [shown]
 * @property {number | null} [low]
 * @property {number | null} [high]
 * @property {string | null} [unit]
 * @property {string[]} [choices]
 */
/**
 * @typedef {object} Info
 * @property {string} version
 * @property {string} model
 * @property {{name: string, text: string}[]} composers
 * @property {string[]} styles
 * @property {{program: number, name: string, family: string}[]} instruments
 * @property {string[]} openings
 * @property {Option[]} options
 * @property {Option[]} [fill_options]
 * @property {Option[]} [accompany_options]
 * @property {{fill: boolean, accompany: boolean, chords: boolean, guidance: boolean, render: boolean, musicxml: boolean, bank: boolean}} can
 */
/**
 * @typedef {object} Job what is being written
 * @property {string} id
 * @property {string} action
 * @property {number} parent
 * @property {Score[]} takes
 * @property {number[]} written ticks
 * @property {number} place in the queue
 * @property {number} share done
 * @property {number} began performance.now()
 */
/** @typedef {number | string} Id a node's number, or "live:0" for a take that is being written */

const LIVE = "live:";
const MOST_TAKES = 4;

/** Events: `tree`, `score` (another is seen), `job`, `note` (one was written), `draft`. */
export class Session extends EventTarget {
  constructor() {
    super();
    /** @type {Info} */
    this.info = /** @type {any} */ (null);
    this.file = "";
    /** @type {TreeNode[]} */
    this.nodes = [];
    this.undoable = false;
    this.redoable = false;
    /** @type {Id | null} */
    this.current = null;
    /** @type {Score | null} */
    this.score = null;
    /** @type {Map<number, Score>} */
    this.scores = new Map();
    /** @type {Job | null} */
    this.job = null;
    /** @type {Draft | null} */
    this.draft = null;
    /** @type {number | null} the node that the current one is compared with */
    this.compared = null;
    /** @type {number | null} the prompt that the current node grew from */
    this.origin = null;
    this.stop = () => {};
  }

  async start() {
    [this.info] = await Promise.all([api.info(), this.refresh()]);
    const remembered = Number(sessionStorage.getItem("node"));
    const last = this.find(remembered) ?? this.nodes[this.nodes.length - 1];
    if (last) await this.select(last.id);
    else this.tell("score");
    const job = sessionStorage.getItem("job");
    if (job) this.resume(JSON.parse(job));
  }

  /** @param {string} kind @param {any} [detail] */
  tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  async refresh() {
    this.took(await api.tree());
  }

  /** @param {any} tree as the server tells it */
  took(tree) {
    const before = JSON.stringify([this.nodes, this.undoable, this.redoable]);
    this.file = tree.file;
    this.nodes = tree.nodes;
    this.undoable = tree.undo;
    this.redoable = tree.redo;
    if (before !== JSON.stringify([this.nodes, tree.undo, tree.redo])) this.tell("tree");
  }

  /** @param {Id | null} id @returns {TreeNode | undefined} */
  find(id) {
    return this.nodes.find((node) => node.id === id);
  }

  /** @param {number | null} parent */
  children(parent) {
    return this.nodes.filter((node) => node.parent === parent);
  }

  /** The takes beside a node: made by the same request. @param {Id | null} id @returns {Id[]} */
  takes(id) {
    if (typeof id === "string") return this.job ? this.job.takes.map((_, i) => `${LIVE}${i}`) : [];
    const node = this.find(id);
    if (!node) return [];
    if (node.kind === "prompt" || !node.growth) return [node.id];
    const asked = (/** @type {TreeNode} */ n) => JSON.stringify([n.kind, n.growth?.boundary, n.growth?.options?.seed]);
    const together = this.children(node.parent).filter((n) => n.growth && asked(n) === asked(node)).map((n) => n.id);
    const from = Math.floor(together.indexOf(node.id) / MOST_TAKES) * MOST_TAKES;
    return together.slice(from, from + MOST_TAKES);
  }

  /** What a node is called. @param {Id} id @returns {string} */
  called(id) {
    if (typeof id === "string") return texts.take(Number(id.slice(LIVE.length)) + 1);
    const node = this.find(id);
    if (!node) return "";
    if (node.name) return node.name;
    if (node.kind === "prompt") return node.title || texts.emptyPage;
    if (node.kind === "edit") return texts.edit;
    const takes = this.takes(id);
    return texts.take(takes.indexOf(id) + 1);
  }

  /** @param {Id} id @returns {Promise<Score>} */
  async scoreOf(id) {
    if (typeof id === "string") return /** @type {Job} */ (this.job).takes[Number(id.slice(LIVE.length))];
    const found = this.scores.get(id);
    if (found) return found;
    const score = new Score(await api.score(id));
    this.scores.set(id, score);
    return score;
  }

  /** Ticks up to which a node has been written: all of it unless it is being written. @param {Id | null} id */
  written(id) {
    return typeof id === "string" && this.job ? this.job.written[Number(id.slice(LIVE.length))] : Infinity;
  }

  /** Sees and hears another node; edits that were not kept become a node first. @param {Id} id */
  async select(id) {
    if (this.draft) await this.keep();
    this.current = id;
    const score = await this.scoreOf(id);
    if (this.current !== id) return; // another was selected meanwhile
    this.compared = null;
    const origin = this.root(id);
    const another = origin !== this.origin;
    this.origin = origin;
    this.score = score;
    if (typeof id === "number") sessionStorage.setItem("node", String(id));
    this.tell("score", { another });
  }

  /** The prompt that a node grew from. @param {Id | null} id */
  root(id) {
    let node = this.find(typeof id === "string" ? (this.job?.parent ?? null) : id);
    while (node && node.parent !== null) node = this.find(node.parent);
    return node?.id ?? null;
  }

  /** A new prompt. @param {Promise<TreeNode>} asked */
  async add(asked) {
    const node = await asked;
    await this.refresh();
    await this.select(node.id);
  }

  /**
   * Has music written.
   * @param {"continue" | "fill" | "accompany"} action @param {Record<string, any>} options
   * @param {{from: number, to: number, tracks: Set<number> | null} | null} hole ticks and players that are written anew
   */
  async write(action, options, hole) {
    if (this.job) return;
    if (this.draft) await this.keep();
    const parent = this.find(typeof this.current === "number" ? this.current : null);
    if (!parent) return;
    const began = performance.now();
    const { job, place } = await api.job(parent.id, action, options);
    const base = await this.scoreOf(parent.id);
    const asked = { id: String(job), action, parent: parent.id, count: options.variations ?? 1, stop: options.stop ?? null, hole: hole && { ...hole, tracks: hole.tracks && [...hole.tracks] } };
    sessionStorage.setItem("job", JSON.stringify(asked));
    this.follow(asked, base, place ?? 0, began);
    await this.select(`${LIVE}0`);
  }

  /** Goes on listening to a job after the page was loaded anew. @param {any} asked */
  async resume(asked) {
    if (!this.find(asked.parent)) return;
    this.follow(asked, await this.scoreOf(asked.parent), 0, performance.now());
  }

  /** @param {any} asked @param {Score} base @param {number} place @param {number} began */
  follow(asked, base, place, began) {
    const blank = asked.hole
      ? () => base.without(asked.hole.from, asked.hole.to, asked.hole.tracks && new Set(asked.hole.tracks))
      : () => base.until(asked.stop ? base.barStart(asked.stop + 1) : base.end);
    const takes = Array.from({ length: Math.min(MOST_TAKES, asked.count) }, blank);
    this.job = { id: asked.id, action: asked.action, parent: asked.parent, takes, written: takes.map((t) => t.boundary ?? 0), place, share: 0, began };
    this.stop = listen(asked.id, (kind, data) => void this.heard(kind, data));
    this.tell("job");
  }

  /** @param {string} kind @param {any} data */
  async heard(kind, data) {
    const { job } = this;
    if (!job) return;
    if (kind === "note") {
      const take = job.takes[data.take] ? data.take : (data.take ?? 1) - 1;
      const score = job.takes[take];
      if (!score) return;
      const at = score.add(data);
      job.written[take] = Math.max(job.written[take], data.start);
      this.tell("note", { take, at, current: this.current === `${LIVE}${take}` });
    } else if (kind === "queued" || kind === "progress") {
      job.place = kind === "queued" ? data.place : 0;
      job.share = data.share ?? job.share;
      this.tell("progress");
    } else await this.finished(kind, data);
  }

  /** A job is over: its takes are nodes of the tree now. @param {string} kind @param {any} data */
  async finished(kind, data) {
    sessionStorage.removeItem("job");
    const ids = /** @type {number[]} */ (data.nodes ?? []);
    await this.refresh().catch(() => {});
    const { job, current } = this;
    const live = typeof current === "string" ? Number(current.slice(LIVE.length)) : -1;
    await Promise.all(ids.slice(0, MOST_TAKES).map((id) => this.scoreOf(id)));
    this.job = null;
    if (live >= 0) {
      const next = ids[Math.min(live, ids.length - 1)] ?? job?.parent ?? this.nodes[this.nodes.length - 1]?.id;
      if (next !== undefined) await this.select(next);
    }
    this.tell("tree");
    this.tell("job", { ended: kind, nodes: ids, error: data.error });
  }

  async cancel() {
    if (this.job) await api.cancel(this.job.id);
  }

  /** @param {number} id @param {{name?: string, mark?: boolean, note?: string}} changes */
  async change(id, changes) {
    await api.change(id, changes);
    await this.refresh();
  }

  /** Takes a node and what grew from it away; undo brings it back. @param {number} id */
  async prune(id) {
    this.draft = null;
    const node = this.find(id);
    const beside = this.takes(id).filter((other) => other !== id).pop();
    this.took(await api.prune(id));
    await this.settle(typeof beside === "number" ? beside : (node?.parent ?? null));
  }

  async undo() {
    if (this.draft?.undo()) this.edited();
    else if (this.undoable) {
      this.took(await api.undo());
      await this.settle(null);
    }
  }

  async redo() {
    if (this.draft?.redo()) this.edited();
    else if (this.redoable) {
      const before = new Set(this.nodes.map((node) => node.id));
      this.took(await api.redo());
      await this.settle(this.nodes.find((node) => !before.has(node.id))?.id ?? null);
    }
  }

  /** Sees a node that is there, if the current one is gone. @param {number | null} wanted */
  async settle(wanted) {
    if (typeof this.current === "string" || (this.find(this.current) && wanted === null)) return;
    const next = this.find(wanted) ?? this.find(this.current) ?? this.nodes[this.nodes.length - 1];
    if (next) await this.select(next.id);
    else {
      this.current = this.origin = null;
      this.score = null;
      this.tell("score", { another: true });
    }
  }

  /** The edits of the current node, begun if there are none. @returns {Draft | null} */
  editing() {
    if (typeof this.current !== "number" || !this.score) return null;
    this.draft ??= new Draft(this.current, this.score);
    return this.draft;
  }

  /** The draft has changed: it is seen and heard at once. */
  edited() {
    const { draft } = this;
    if (!draft) return;
    this.score = draft.score();
    if (!draft.changed) {
      this.score = draft.base;
      this.draft = null;
    }
    this.tell("draft");
  }

  /** Makes a node of the edits. */
  async keep() {
    const { draft } = this;
    if (!draft) return;
    const node = draft.changed ? await api.edit(draft.node, draft.edits()) : null;
    this.draft = null; // not before the server has it
    if (!node) return;
    await this.refresh();
    this.current = node.id;
    this.scores.delete(node.id);
    await this.select(node.id);
  }

  discard() {
    if (!this.draft) return;
    this.score = this.draft.base;
    this.draft = null;
    this.tell("draft");
  }

  /** What differs between the current node and another. @param {number} id */
  async compare(id) {
    const other = await this.scoreOf(id);
    if (!this.score) throw new Refused(texts.nothingOpen);
    this.compared = id;
    return { other, differs: difference(this.score, other), missing: difference(other, this.score) };
  }
}
