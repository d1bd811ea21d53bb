/** What leaves the page: files to download, and takes and stems to drag into a DAW. */

import { address } from "./api.js";
import { byId, el, toast } from "./dom.js";
import { texts } from "./texts.js";
import { encode, render, TAIL } from "./wav.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./player.js").Player} Player */

/** A file name without what systems refuse. @param {string} name */
const safe = (name) => name.replace(/[^\p{L}\p{N} ._-]+/gu, "_").trim() || "music";

/** The name of a take's file. @param {Session} session */
export function fileName(session) {
  const node = session.find(session.current);
  return safe([node?.title || "music", node?.id, node?.name].filter(Boolean).join(" "));
}

/** Saves a file that the server or the page made. @param {string} href @param {string} name */
export function save(href, name) {
  const link = el("a", { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

/** @param {Session} session @param {Player} player @param {string} what */
export async function download(session, player, what) {
  const id = session.current;
  if (typeof id !== "number" || !session.score) return;
  const name = fileName(session);
  if (what === "midi") save(address(id, "file.mid"), `${name}.mid`);
  else if (what === "musicxml") {
    if (!session.info.can.musicxml) throw new Error(texts.noMusicXml);
    save(address(id, "score.musicxml"), `${name}.musicxml`);
  } else if (what === "stems") save(address(id, "stems.zip"), `${name} stems.zip`);
  else if (what === "picture") save(address(id, "picture.png"), `${name}.png`);
  else if (what === "render") save(address(id, "render.wav"), `${name}.wav`);
  else if (what === "wav") {
    toast(texts.rendering);
    const href = URL.createObjectURL(await rendered(session, player));
    save(href, `${name}.wav`);
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }
}

/** The open take as it is heard, by the sounds that play it. @param {Session} session @param {Player} player */
async function rendered(session, player) {
  const score = /** @type {import("./score.js").Score} */ (session.score);
  const silent = score.tracks.filter((_, i) => !player.audible(player.keys[i])).map((track) => track.number);
  const apart = new Set(score.tracks.map((track) => track.number)).size === score.tracks.length;
  const kept = typeof session.current === "number" && !session.draft;
  if (!session.info.can.bank || !kept || (silent.length && !apart)) return render(score, (key) => player.audible(key));
  const file = await fetch(address(/** @type {number} */ (session.current), "file.mid"));
  const { renderFile } = await import("./bank_synth.js");
  return encode(await renderFile(await file.arrayBuffer(), score.tempo.seconds(score.end) + TAIL, new Set(silent)));
}

/** Makes the open take a thing to drag out. @param {Session} session @param {HTMLElement} handle */
export function dragTake(session, handle) {
  handle.addEventListener("dragstart", (event) => {
    if (typeof session.current !== "number") return event.preventDefault();
    carry(event, "audio/midi", `${fileName(session)}.mid`, address(session.current, "file.mid"));
  });
}

/** Chrome and Edge hand such a drag to other programs as a file. @param {DragEvent} event @param {string} kind @param {string} name @param {string} href */
function carry(event, kind, name, href) {
  event.dataTransfer?.setData("DownloadURL", `${kind}:${name}:${href}`);
  event.dataTransfer?.setData("text/uri-list", href);
  if (event.dataTransfer) event.dataTransfer.effectAllowed = "copy";
}

/** Carries a player's stem. @param {Session} session @param {DragEvent} event @param {number} track */
export function dragStem(session, event, track) {
  const player = session.score?.tracks[track];
  if (typeof session.current !== "number" || !player) return event.preventDefault();
  const name = safe([fileName(session), player.name].filter(Boolean).join(" "));
  return carry(event, "audio/midi", `${name}.mid`, address(session.current, `stems/${player.number}.mid`));
}

/** The sound's way: this computer, or a port of Web MIDI. @param {Player} player @param {typeof import("./midi_out.js").MidiOut} kind */
export function chooseOutput(player, kind) {
  const select = byId("output");
  select.replaceChildren(el("option", { value: "" }, texts.here), el("option", { value: "ask" }, texts.toMidi));
  /** @type {MIDIOutput[]} */
  let ports = [];
  select.addEventListener("change", async () => {
    if (select.value === "ask") {
      select.value = "";
      if (!kind.possible) return toast(texts.noMidi, "error");
      try {
        ports = await player.midi.ports();
      } catch (error) {
        return toast(String(error), "error");
      }
      select.replaceChildren(el("option", { value: "" }, texts.here), ...ports.map((port, i) => el("option", { value: String(i) }, port.name ?? `MIDI ${i + 1}`)), el("option", { value: "ask" }, texts.toMidi));
      return undefined;
    }
    player.quiet();
    player.midi.use(select.value === "" ? null : ports[Number(select.value)]);
    return undefined;
  });
}
