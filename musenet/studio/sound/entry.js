/** What the page uses of the synthesiser. */

export { WorkletSynthesizer } from "spessasynth_lib";
export { BasicMIDI } from "spessasynth_core";
