/** The files of a ZIP archive, by the browser's own decompression. */

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const SHORTEST_END = 22;

/** @param {ArrayBuffer} archive @returns {Promise<{name: string, data: ArrayBuffer}[]>} in the archive's order */
export async function entries(archive) {
  const view = new DataView(archive);
  let end = archive.byteLength - SHORTEST_END;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) return [];
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const found = [];
  for (let i = 0; i < count && view.getUint32(at, true) === ENTRY; i++) {
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const [named, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const local = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(new Uint8Array(archive, at + 46, named));
    const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const packed = archive.slice(from, from + size);
    found.push({ name, data: method === 0 ? packed : await inflated(packed) });
    at += 46 + named + extra + comment;
  }
  return found;
}

/** @param {ArrayBuffer} packed */
function inflated(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}
