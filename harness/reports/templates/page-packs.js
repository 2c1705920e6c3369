// Evidence comes in packs (harness/reports/packing.py), one for each kernel. One is opened when it is wanted.

const opened = new Map();

// Return the text of a pack: base64 of raw DEFLATE of UTF-8.
async function unpack(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
}

function once(id) {
  if (!opened.has(id)) opened.set(id, unpack(id));
  return opened.get(id);
}

// Put the texts in the place of their numbers.
function withTexts(value, shared, own) {
  if (typeof value === "number") return value < shared.length ? shared[value] : own[value - shared.length];
  if (Array.isArray(value)) return value.map((each) => withTexts(each, shared, own));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withTexts(each, shared, own)]));
}

// Return what is known of a kernel, and the evidence of one of its cells.
async function evidenceOf(place) {
  const [shared, pack] = await Promise.all([once("pack-shared"), once(`pack-${place.kernel}`)]);
  const [kernel, cell] = [pack.documents[0], pack.documents[place.case + 1]];
  return { kernel: withTexts(kernel, shared, pack.texts), cell: withTexts(cell, shared, pack.texts) };
}
