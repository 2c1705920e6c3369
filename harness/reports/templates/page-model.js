// The grid as values: what the index says, beside the cells of the table that show it.

const index = JSON.parse(byId("index").textContent);
const PASS = index.verdicts.indexOf("pass");

const model = {
  ...index,
  // The verdict of each cell as a number: verdictOf[kernel][case].
  verdictOf: index.cells.map((digits) => Array.from(digits, Number)),
  // The places by the two parts of a fragment.
  kernelBySlug: new Map(index.kernels.map((kernel, number) => [kernel.slug, number])),
  caseBySlug: new Map(index.cases.map((each, number) => [each.slug, number])),
};

const isPlain = (kernel, number) => model.verdictOf[kernel][number] === PASS && !model.noted[kernel][number];
const verdictAt = (kernel, number) => model.verdicts[model.verdictOf[kernel][number]];
const refusalAt = (kernel, number) => model.refusals[model.refused[kernel][number]] ?? "";
const fragmentOf = (kernel, number) => `${model.kernels[kernel].slug}/${model.cases[number].slug}`;

// The cases that passed on every kernel, with nothing else to say.
const plainCases = new Set(
  model.cases.map((_, number) => number).filter((number) => model.kernels.every((_, kernel) => isPlain(kernel, number)))
);

// The place that a fragment names, null where it names none.
function placeOf(fragment) {
  const [kernel, number] = fragment.split("/");
  if (!model.kernelBySlug.has(kernel) || !model.caseBySlug.has(number)) return null;
  return { kernel: model.kernelBySlug.get(kernel), case: model.caseBySlug.get(number) };
}
