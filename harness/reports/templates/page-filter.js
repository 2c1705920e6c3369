// Which cells are wanted, and so which kernels and cases are shown. Pure: from values to values.

const noFilter = () => ({ text: "", notPlain: false, refusal: "", verdicts: new Set(), arches: new Set() });

const isActive = (filter) =>
  Boolean(filter.text.trim() || filter.notPlain || filter.refusal || filter.verdicts.size || filter.arches.size);

// Say for each cell whether it is wanted, and for each kernel and case whether one of its cells is.
function wanted(filter) {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const kernels = model.kernels.map(() => false);
  const cases = model.cases.map(() => false);
  let count = 0;
  // A word that a kernel's text has must not be in the case's, and the other way round.
  const missing = model.kernels.map((kernel) => words.filter((word) => !kernel.text.includes(word)));
  const cells = model.kernels.map((kernel, k) => {
    const inArch = !filter.arches.size || filter.arches.has(model.groups[kernel.group].arch);
    return model.cases.map((each, c) => {
      const is =
        inArch &&
        (!filter.verdicts.size || filter.verdicts.has(verdictAt(k, c))) &&
        (!filter.refusal || refusalAt(k, c) === filter.refusal) &&
        !(filter.notPlain && isPlain(k, c)) &&
        missing[k].every((word) => each.text.includes(word));
      if (is) {
        kernels[k] = true;
        cases[c] = true;
        count += 1;
      }
      return is;
    });
  });
  return { cells, kernels, cases, count };
}
