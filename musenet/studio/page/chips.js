/** Names that are chosen from a list; where several can be blended, each with a share. */

import { el, icon } from "./dom.js";
import { texts } from "./texts.js";

/** @typedef {{name: string, text: string}} Choice as the server takes it, and as it is shown */

export class Chips {
  /** @param {HTMLElement} place @param {Choice[]} choices @param {string} hint @param {boolean} blends */
  constructor(place, choices, hint, blends) {
    this.place = place;
    this.choices = choices;
    this.blends = blends;
    /** @type {{choice: Choice, share: number}[]} */
    this.chosen = [];
    this.field = el("input", { type: "text", placeholder: hint, "aria-label": hint, autocomplete: "off" });
    this.shares = el("div", { className: "shares" });
    const list = `${place.id}-list`;
    this.field.setAttribute("list", list);
    this.field.addEventListener("input", () => this.take());
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.field.value) event.preventDefault();
      if (event.key !== "Backspace" || this.field.value) return;
      this.chosen.pop();
      this.draw();
    });
    place.append(this.field, el("datalist", { id: list }, ...choices.map((c) => el("option", { value: c.text }))));
    place.after(this.shares);
  }

  /** Chooses what is typed, if it is in the list. */
  take() {
    const typed = this.field.value.trim().toLowerCase();
    const choice = this.choices.find((c) => [c.name, c.text].some((text) => text.toLowerCase() === typed));
    if (!choice) return;
    if (!this.chosen.some((one) => one.choice === choice)) this.chosen.push({ choice, share: 50 });
    this.field.value = "";
    this.draw();
    this.field.focus();
  }

  draw() {
    this.place.querySelectorAll(".chip").forEach((chip) => chip.remove());
    this.field.before(
      ...this.chosen.map((one) =>
        el("span", { className: "chip" }, one.choice.text, el("button", { type: "button", className: "quiet", "aria-label": texts.remove(one.choice.text), onclick: () => {
          this.chosen = this.chosen.filter((other) => other !== one);
          this.draw();
        } }, icon("close"))),
      ),
    );
    this.shares.replaceChildren(...(this.blends && this.chosen.length > 1 ? this.chosen.map((one) => this.slider(one)) : []));
    this.told();
  }

  /** @param {{choice: Choice, share: number}} one */
  slider(one) {
    const input = el("input", { type: "range", min: "1", max: "99", value: String(one.share), "aria-label": texts.share(one.choice.text), oninput: () => {
      one.share = Number(input.value);
      this.told();
    } });
    return el("label", {}, el("span", {}, one.choice.text), input, el("output", {}));
  }

  /** Each share of the whole, beside its slider. */
  told() {
    const parts = this.parts();
    this.shares.querySelectorAll("output").forEach((output, i) => (output.value = `${Math.round(100 * parts[i])} %`));
  }

  /** @returns {number[]} */
  parts() {
    const whole = this.chosen.reduce((sum, one) => sum + one.share, 0);
    return this.chosen.map((one) => one.share / whole);
  }

  /** What is chosen, as the server takes it: "bach", or "bach:0.6" and "chopin:0.4"; and what is typed but not known. @returns {string[]} */
  get names() {
    const parts = this.parts();
    const blend = this.blends && this.chosen.length > 1;
    const names = this.chosen.map(({ choice }, i) => (blend ? `${choice.name}:${parts[i].toFixed(2)}` : choice.name));
    const typed = this.field.value.trim();
    return typed ? [...names, typed] : names;
  }
}
