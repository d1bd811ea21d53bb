/** The panel that asks for music: what, how long, in whose manner; every option in advanced mode. */

import { byId, el, icon } from "./dom.js";
import { texts } from "./texts.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").Option} Option */

const BARS = [4, 8, 16, 32];
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
    /** @type {Record<"styles" | "instruments", string[]>} */
    this.lists = { styles: [], instruments: [] };
    /** Values of the options of advanced mode, as typed. @type {Record<string, any>} */
    this.values = {};
  }

  /** Builds the panel once it is known what there is. */
  build() {
    const { info } = this.session;
    byId("composers").append(...info.composers.map((c) => el("option", { value: c.text || c.name })));
    byId("composer").placeholder = texts.anyComposer;
    this.chooser("styles", info.styles, texts.addStyle);
    this.chooser("instruments", info.instruments.map((i) => i.name), texts.addInstrument);
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
    for (const option of this.known()) {
      if (IN_FRONT.has(option.name)) continue;
      const panel = option.panel ?? texts.allOptions;
      panels.set(panel, [...(panels.get(panel) ?? []), option]);
    }
    byId("options").replaceChildren(
      ...[...panels].map(([panel, options]) => el("details", { className: "panel" }, el("summary", {}, panel), ...options.map((option) => this.option(option)))),
    );
  }

  /** @param {Option} option */
  option(option) {
    const id = `option-${option.name}`;
    const label = option.name.replaceAll("_", " ").replace(/^./, (c) => c.toUpperCase());
    const shown = option.shown ?? option.default;
    const placeholder = shown === null || shown === undefined ? texts.asDefault : String(shown);
    const common = { id, name: option.name, "aria-describedby": `${id}-help`, onchange: (/** @type {Event} */ e) => this.set(option, /** @type {HTMLInputElement} */ (e.target)) };
    const value = this.values[option.name] ?? "";
    /** @type {HTMLElement} */
    let input;
    if (option.type === "boolean") {
      input = el("select", common, ...[["", `${texts.asDefault} (${option.default ? texts.yes : texts.no})`], ["true", texts.yes], ["false", texts.no]].map(([v, t]) => el("option", { value: v, selected: v === String(value) }, t)));
    } else if (option.choices) {
      input = el("select", common, ...["", ...option.choices].map((choice) => el("option", { value: choice, selected: choice === value }, choice || placeholder)));
    } else {
      const number = option.type === "integer" || option.type === "number";
      input = el("input", { ...common, type: number ? "number" : "text", step: option.type === "integer" ? 1 : "any", min: number ? option.low : null, max: number ? option.high : null, placeholder, value: String(value) });
    }
    return el("div", { className: "option" }, el("label", { htmlFor: id }, label), input, el("small", { id: `${id}-help` }, option.help));
  }

  /** @param {Option} option @param {HTMLInputElement} input */
  set(option, input) {
    const text = input.value.trim();
    if (text === "") delete this.values[option.name];
    else if (option.type === "boolean") this.values[option.name] = text === "true";
    else if (option.type === "integer" || option.type === "number") this.values[option.name] = Number(text);
    else if (option.type === "list") this.values[option.name] = text.split(",").map((word) => word.trim()).filter(Boolean);
    else this.values[option.name] = text;
  }

  /** A list of words with a field to add one. @param {"styles" | "instruments"} name @param {string[]} choices @param {string} hint */
  chooser(name, choices, hint) {
    const place = byId(name);
    const list = `${name}-list`;
    const field = el("input", { type: "text", placeholder: hint, "aria-label": hint, autocomplete: "off" });
    field.setAttribute("list", list);
    const add = () => {
      const found = choices.find((choice) => choice.toLowerCase() === field.value.trim().toLowerCase());
      if (!found) return;
      if (!this.lists[name].includes(found)) this.lists[name].push(found);
      field.value = "";
      draw();
      field.focus();
    };
    field.addEventListener("input", add);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && field.value) event.preventDefault();
      if (event.key === "Backspace" && !field.value) {
        this.lists[name].pop();
        draw();
      }
    });
    const draw = () => {
      place.querySelectorAll(".chip").forEach((/** @type {Element} */ chip) => chip.remove());
      field.before(
        ...this.lists[name].map((word) =>
          el("span", { className: "chip" }, word, el("button", { type: "button", className: "quiet", "aria-label": texts.remove(word), onclick: () => {
            this.lists[name] = this.lists[name].filter((other) => other !== word);
            draw();
          } }, icon("close"))),
        ),
      );
    };
    place.append(field, el("datalist", { id: list }, ...choices.map((choice) => el("option", { value: choice }))));
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
    const { info } = this.session;
    const advanced = document.body.classList.contains("is-advanced");
    /** @type {Record<string, any>} */
    const options = { variations: this.takes };
    const names = new Set(this.known().map((option) => option.name));
    if (advanced) for (const [name, value] of Object.entries(this.values)) if (names.has(name)) options[name] = value;
    const typed = byId("composer").value.trim();
    const composer = info.composers.find((c) => [c.name, c.text].some((name) => name?.toLowerCase() === typed.toLowerCase()));
    if (typed) options.composer = composer?.name ?? typed;
    if (this.lists.styles.length) options.styles = this.lists.styles;
    if (this.lists.instruments.length && this.action !== "fill") options.instruments = this.lists.instruments;
    if (this.action === "continue") {
      if (options.length === undefined) options.bars = this.bars;
      if (this.after) options.stop = this.after;
      if (this.lists.instruments.length && !advanced) options.new_instruments = true;
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
