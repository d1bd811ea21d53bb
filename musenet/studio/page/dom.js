/** Making elements and small drawings, and telling what happened. */

/**
 * An element with properties, listeners (`onclick`), ARIA and data attributes, and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, any>} [properties] @param {(Node | string | null | false)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && !name.includes("-") && name !== "list") /** @type {any} */ (made)[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== false));
  return made;
}

/** The element of an id, which is there. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/** Paths of the icons in a box of 24, drawn as strokes unless `fill` is set. @type {Record<string, string>} */
const ICONS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  start: "M6 5v14M19 5.5v13L9 12z",
  loop: "M17 3l3 3-3 3M4 11V9a3 3 0 013-3h13M7 21l-3-3 3-3M20 13v2a3 3 0 01-3 3H4",
  undo: "M8 5L4 9l4 4M4 9h10a5.5 5.5 0 010 11h-3",
  redo: "M16 5l4 4-4 4M20 9H10a5.5 5.5 0 000 11h3",
  star: "M12 3.6l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.8l5.9-.8z",
  add: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11M7.5 11l4.5 4.5L16.5 11M5 20h14",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13",
  help: "M9 9a3 3 0 115 2.2c-1.2 1-2 1.5-2 3M12 18v.5",
  pen: "M4 20l1-4L16 5l3 3L8 19zM13.5 7.5l3 3",
  note: "M5 4h14v11l-5 5H5zM14 20v-5h5",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 017 0v3",
  branch: "M7 4v16M7 14c0-5 10-3 10-9M17 5v0",
  diff: "M8 4v16M16 4v16M5 8h6M8 5v6M13 16h6",
  sound: "M4 10v4h4l5 4V6L8 10zM16.5 9a4 4 0 010 6",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  sparkle: "M12 3c.6 4.8 2.2 6.4 7 7-4.8.6-6.4 2.2-7 7-.6-4.8-2.2-6.4-7-7 4.8-.6 6.4-2.2 7-7zM19 16v4M17 18h4",
  zoom: "M4 12h16M8 8l-4 4 4 4M16 8l4 4-4 4",
};

/** @param {string} name @param {boolean} [fill] */
export function icon(name, fill = false) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", fill ? "icon fill" : "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Says something to a screen reader. @param {string} text */
export function announce(text) {
  byId("live").textContent = text;
}

/** Shows a message for a while. @param {string} text @param {"info" | "error"} [kind] */
export function toast(text, kind = "info") {
  const shown = el("div", { className: `toast ${kind}`, role: kind === "error" ? "alert" : "status" }, text);
  byId("toasts").append(shown);
  setTimeout(() => shown.remove(), kind === "error" ? 9000 : 3500);
}

/** @param {number} seconds @returns {string} such as 3:05 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Writes the texts of the page's frame: contents, titles and names for screen readers. @param {Record<string, string>} words */
export function label(words) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-text], [data-label], [data-title]"))) {
    const { text, label: name, title } = element.dataset;
    if (text) element.textContent = words[text];
    if (name) element.setAttribute("aria-label", words[name]);
    if (title) element.title = words[title];
  }
}
