/** The panel that asks for music: what, how long, in whose manner; every option in advanced mode. */

import { Chips } from "./chips.js";
import { byId, el } from "./dom.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").Option} Option */

const MOST_GUIDANCE = 4; // of a slider; more is seldom music
const BARS = [4, 8, 16, 32];
/** Options of advanced mode that stand in front, by action; further ones lie in their panels. */
const CHIEF = {
  continue: ["guidance", "keep_chords", "form"],
  fill: ["keep_rhythm", "keep_pitches", "distance", "keep_chords"],
  accompany: ["keep_chords"],
};
const BY_SEMICOLON = new Set(["then"]); // lists whose entries have commas
const IN_FRONT = new Set(["composer", "styles", "instruments", "bars", "variations", "stop", "begin", "tracks", "engine"]);

/** Events: `write` {action, options}, `cancel`. */
export class WriteView extends EventTarget {
  /** @param {Session} session */
  constructor(session) {
    super();
    this.session = session;
    /** @type {"continue" | "fill" | "accompany"} */
    this.action = "continue";
    this.bars = 8;
    this.takes = 4;
    /** @type {number | null} the last bar that is kept */
    this.after = null;
    /** @type {Record<"composer" | "styles" | "instruments", Chips>} */
    this.chips = /** @type {any} */ ({});
    /** Values of the options of advanced mode, as typed. @type {Record<string, any>} */
    this.values = {};
  }

  /** Builds the panel once it is known what there is. */
  build() {
    const { info } = this.session;
    const plain = (/** @type {string[]} */ names) => names.map((name) => ({ name, text: name }));
    this.chips = {
      composer: new Chips(byId("composer"), info.composers.map((c) => ({ name: c.name, text: c.text || c.name })), texts.anyComposer, true),
      styles: new Chips(byId("styles"), plain(info.styles), texts.addStyle, true),
      instruments: new Chips(byId("instruments"), plain(info.instruments.map((i) => i.name)), texts.addInstrument, false),
    };
    this.radio("bars", BARS, this.bars, (value) => (this.bars = value));
    this.radio("takes-count", [1, 2, 3, 4], this.takes, (value) => (this.takes = value));
    const actions = /** @type {("continue" | "fill" | "accompany")[]} */ (["continue", "fill", "accompany"]).filter((a) => a === "continue" || info.can[a]);
    byId("actions").hidden = actions.length < 2;
    this.radio("actions", actions, this.action, (value) => this.use(value), texts.actions);
    byId("after").addEventListener("change", () => (this.after = Number(byId("after").value) || null));
    byId("write-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.ask();
    });
    byId("cancel").addEventListener("click", () => this.dispatchEvent(new Event("cancel")));
    this.use("continue");
    this.job();
    for (const kind of ["job", "progress", "note", "score"]) this.session.addEventListener(kind, () => this.job());
  }

  /** @param {"continue" | "fill" | "accompany"} action */
  use(action) {
    this.action = action;
    byId("action-help").textContent = texts.actionHelp[action];
    byId("length-row").hidden = byId("after-row").hidden = action !== "continue";
    byId("instruments-row").hidden = action === "fill";
    this.options();
    this.label();
  }

  /** The options that the action takes. @returns {Option[]} */
  known() {
    const { info } = this.session;
    return (this.action === "fill" ? info.fill_options : this.action === "accompany" ? info.accompany_options : null) ?? info.options;
  }

  /** Rows of all further options, by panel. */
  options() {
    /** @type {Map<string, Option[]>} */
    const panels = new Map();
    const chief = CHIEF[this.action].flatMap((name) => this.known().filter((option) => option.name === name));
    byId("chief").replaceChildren(...chief.map((option) => this.option(option, true)));
    for (const option of this.known()) {
      if (IN_FRONT.has(option.name) || chief.includes(option)) continue;
      const panel = option.panel ?? texts.allOptions;
      panels.set(panel, [...(panels.get(panel) ?? []), option]);
    }
    byId("options").replaceChildren(
      ...[...panels].map(([panel, options]) => el("details", { className: "panel" }, el("summary", {}, panel), ...options.map((option) => this.option(option)))),
    );
  }

  /** A row for an option; a switch or a slider where it is one of the chief ones. @param {Option} option @param {boolean} [chief] */
  option(option, chief = false) {
    const id = `option-${option.name}`;
    const label = option.name.replaceAll("_", " ").replace(/^./, (c) => c.toUpperCase());
    const shown = option.shown ?? option.default;
    const placeholder = shown === null || shown === undefined ? texts.asDefault : String(shown);
    const common = { id, name: option.name, "aria-describedby": `${id}-help`, onchange: (/** @type {Event} */ e) => this.set(option, /** @type {HTMLInputElement} */ (e.target)) };
    const value = this.values[option.name] ?? "";
    /** @type {HTMLElement} */
    let input;
    if (chief && option.type === "boolean" && option.default === false) {
      const box = el("input", { ...common, type: "checkbox", checked: value === true, onchange: () => this.set(option, { value: box.checked ? "true" : "" }) });
      return el("div", { className: "option switch" }, el("label", {}, box, label), el("small", { id: `${id}-help` }, option.help));
    }
    if (chief && option.type === "number" && typeof option.low === "number" && typeof option.high === "number") {
      return this.slider(option, common, label);
    }
    if (option.type === "boolean") {
      input = el("select", common, ...[["", `${texts.asDefault} (${option.shown ?? (option.default ? texts.yes : texts.no)})`], ["true", texts.yes], ["false", texts.no]].map(([v, t]) => el("option", { value: v, selected: v === String(value) }, t)));
    } else if (option.choices) {
      input = el("select", common, ...["", ...option.choices].map((choice) => el("option", { value: choice, selected: choice === value }, choice || placeholder)));
    } else {
      const number = option.type === "integer" || option.type === "number";
      input = el("input", { ...common, type: number ? "number" : "text", step: option.type === "integer" ? 1 : "any", min: number ? option.low : null, max: number ? option.high : null, placeholder, value: String(value) });
    }
    return el("div", { className: "option" }, el("label", { htmlFor: id }, label), input, el("small", { id: `${id}-help` }, option.help));
  }

  /** A slider; at its default, nothing is asked for. @param {Option} option @param {Record<string, any>} common @param {string} label */
  slider(option, common, label) {
    const [low, high] = [option.low ?? 0, Math.min(option.high ?? 1, MOST_GUIDANCE)];
    const usual = option.default ?? high;
    const told = el("output", { className: "soft" });
    const tell = () => (told.value = high === 1 ? `${Math.round(100 * Number(input.value))} %` : input.value);
    const input = el("input", { ...common, type: "range", min: String(low), max: String(high), step: String((high - low) / 20), oninput: tell, onchange: () => this.set(option, { value: Number(input.value) === usual ? "" : input.value }) });
    input.value = String(this.values[option.name] ?? usual);
    tell();
    return el("div", { className: "option slider" }, el("label", { htmlFor: common.id }, label), input, told, el("small", { id: `${common.id}-help` }, option.help));
  }

  /** @param {Option} option @param {{value: string}} input */
  set(option, input) {
    const text = input.value.trim();
    if (text === "") delete this.values[option.name];
    else if (option.type === "boolean") this.values[option.name] = text === "true";
    else if (option.type === "integer" || option.type === "number") this.values[option.name] = Number(text);
    else if (option.type === "list") this.values[option.name] = text.split(BY_SEMICOLON.has(option.name) ? ";" : ",").map((word) => word.trim()).filter(Boolean);
    else this.values[option.name] = text;
  }

  /** A row of choices of which one holds. @template T @param {string} id @param {T[]} choices @param {T} chosen @param {(value: any) => void} use @param {Record<string, string>} [names] */
  radio(id, choices, chosen, use, names) {
    byId(id).replaceChildren(
      ...choices.map((choice) =>
        el("label", {}, el("input", { type: "radio", name: id, value: String(choice), checked: choice === chosen, onchange: () => {
          use(choice);
          this.label();
        } }), el("span", {}, names?.[String(choice)] ?? String(choice)))),
    );
  }

  /** The action for a range of bars, from the roll. @param {"continue" | "fill"} action @param {number | null} after */
  at(action, after) {
    /** @type {HTMLInputElement | null} */ (document.querySelector(`#actions input[value=${action}]`))?.click();
    this.after = after;
    byId("after").value = after ?? "";
  }

  label() {
    byId("write").lastChild.textContent = texts.write(this.takes);
  }

  /** What is asked for, as the server takes it. @returns {Record<string, any>} */
  asked() {
    const { composer, styles, instruments } = this.chips;
    const advanced = document.body.classList.contains("is-advanced");
    /** @type {Record<string, any>} */
    const options = { variations: this.takes };
    const names = new Set(this.known().map((option) => option.name));
    if (advanced) for (const [name, value] of Object.entries(this.values)) if (names.has(name)) options[name] = value;
    if (composer.names.length) options.composer = composer.names.join(",");
    if (styles.names.length) options.styles = styles.names;
    if (instruments.names.length && this.action !== "fill") options.instruments = instruments.names;
    if (this.action === "continue") {
      if (options.length === undefined && options.form === undefined) options.bars = this.bars;
      if (this.after) options.stop = this.after;
      if (instruments.names.length && !advanced) options.new_instruments = true;
    }
    return options;
  }

  ask() {
    this.dispatchEvent(new CustomEvent("write", { detail: { action: this.action, options: this.asked() } }));
  }

  /** How far the writing is. */
  job() {
    const { job, current } = this.session;
    byId("write").hidden = job !== null;
    byId("writing").hidden = job === null;
    byId("write").disabled = current === null;
    byId("after").placeholder = texts.fromEnd;
    if (!job) return;
    const heard = job.takes.some((take, i) => job.written[i] > (take.boundary ?? 0));
    byId("writing-text").textContent = job.place > 0 ? texts.queued(job.place) : heard || job.share ? texts.writingShare(job.share) : texts.starting;
    byId("share").value = job.share;
  }
}
