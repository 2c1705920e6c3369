// The table: which of its rows and columns are shown, which cells are dimmed, which groups are folded.

const table = byId("grid");

const grid = {
  // The table's cells: cells[kernel][case], and sums[group][case], the cells that stand for a folded group.
  cells: model.kernels.map(() => []),
  sums: model.groups.map(() => []),
  items: [], // the rows, of kernels or of cases
  folded: new Set(), // groups of kernels
  restFolded: false, // the cases that passed everywhere
  current: null, // the cell that the keyboard is at
  opened: null, // the cell whose evidence is open
};

// Find the cells in the table as it was written.
function readTable() {
  grid.items = [...table.querySelectorAll("tr.item")];
  if (model.kernelsAreRows) {
    grid.items.forEach((row, kernel) => (grid.cells[kernel] = [...row.cells].slice(1)));
    [...table.querySelectorAll("tr.sum")].forEach((row, group) => (grid.sums[group] = [...row.cells].slice(1)));
    return;
  }
  grid.items.forEach((row, number) => {
    let at = 1;
    model.groups.forEach((group, g) => {
      for (const kernel of group.kernels) grid.cells[kernel][number] = row.cells[at++];
      grid.sums[g][number] = row.cells[at++];
    });
  });
}

// Give each cell its place and address, groups their buttons, and the table its role.
function prepareTable(changed) {
  table.setAttribute("role", "grid");
  table.setAttribute("aria-readonly", "true");
  grid.cells.forEach((row, kernel) =>
    row.forEach((cell, number) => {
      cell.place = { kernel, case: number };
      cell.id = fragmentOf(kernel, number);
    })
  );
  const heads = table.querySelectorAll(model.kernelsAreRows ? "tr.group > th" : "th.group");
  heads.forEach((head, group) => {
    const toggle = () => {
      if (!grid.folded.delete(group)) grid.folded.add(group);
      changed();
    };
    const button = make("button", { type: "button", "aria-expanded": "true", click: toggle }, head.textContent);
    head.replaceChildren(button);
  });
  if (!model.kernelsAreRows && plainCases.size > 4 && plainCases.size < model.cases.length) {
    const toggle = () => {
      grid.restFolded = !grid.restFolded;
      changed();
    };
    const text = `${plainCases.size} cases passed on every kernel`;
    grid.rest = make("button", { type: "button", "aria-expanded": "false", click: toggle }, text);
    const columns = 1 + model.kernels.length + model.groups.length;
    table.append(make("tfoot", {}, make("tr", { class: "rest" }, make("th", { colspan: columns, scope: "row" }, grid.rest))));
    grid.restFolded = true;
  }
  if (!model.groups.every((group) => group.plain))
    model.groups.forEach((group, number) => group.plain && group.kernels.length > 1 && grid.folded.add(number));
}

// Show what a filter wants; while there is one, nothing is folded.
function show(found, active) {
  const kernelShown = (k) => found.kernels[k] && (active || !grid.folded.has(model.kernels[k].group));
  const caseShown = (c) => found.cases[c] && (active || !grid.restFolded || !plainCases.has(c));
  const sumShown = model.groups.map((_, g) => !active && grid.folded.has(g));
  const kernels = model.kernels.map((_, k) => kernelShown(k));
  const cases = model.cases.map((_, c) => caseShown(c));
  const rows = model.kernelsAreRows ? kernels : cases;
  grid.items.forEach((row, number) => (row.hidden = !rows[number]));
  model.kernels.forEach((_, k) => {
    model.cases.forEach((_, c) => {
      const cell = grid.cells[k][c];
      setHidden(cell, model.kernelsAreRows ? !cases[c] : !kernels[k]);
      if (cell.isOff !== !found.cells[k][c]) cell.classList.toggle("off", (cell.isOff = !found.cells[k][c]));
    });
  });
  if (model.kernelsAreRows) showGroupsOfRows(kernels, cases, sumShown);
  else showGroupsOfColumns(kernels, sumShown);
  if (grid.rest) {
    grid.rest.closest("tr").hidden = active;
    grid.rest.setAttribute("aria-expanded", String(!grid.restFolded));
  }
  const columns = model.kernelsAreRows ? cases : [...kernels, ...sumShown];
  byId("columns").span = Math.max(1, columns.filter(Boolean).length);
  keepCurrent();
}

function setHidden(cell, hidden) {
  if (cell.isHidden !== hidden) cell.hidden = cell.isHidden = hidden;
}

function showGroupsOfRows(kernels, cases, sumShown) {
  [...table.tHead.rows[0].cells].slice(1).forEach((head, c) => (head.hidden = !cases[c]));
  model.groups.forEach((group, g) => {
    const body = table.tBodies[g];
    body.hidden = !sumShown[g] && !group.kernels.some((k) => kernels[k]);
    body.rows[1].hidden = !sumShown[g];
    grid.sums[g].forEach((cell, c) => setHidden(cell, !cases[c]));
    body.rows[0].cells[0].firstChild.setAttribute("aria-expanded", String(!sumShown[g]));
  });
}

function showGroupsOfColumns(kernels, sumShown) {
  const [groups, heads] = table.tHead.rows;
  let at = 0;
  model.groups.forEach((group, g) => {
    for (const kernel of group.kernels) heads.cells[at++].hidden = !kernels[kernel];
    heads.cells[at++].hidden = !sumShown[g];
    const span = sumShown[g] ? 1 : group.kernels.filter((k) => kernels[k]).length;
    const head = groups.cells[g + 1];
    head.hidden = !span;
    if (span) head.colSpan = span;
    head.firstChild.setAttribute("aria-expanded", String(!sumShown[g]));
    head.title = head.textContent;
    grid.sums[g].forEach((cell) => setHidden(cell, !sumShown[g]));
  });
}

const isShown = (cell) => !cell.hidden && !cell.closest("tr").hidden && !cell.closest("tbody").hidden;

// Let the keyboard be at a cell; with `focus` it goes there.
function goTo(cell, focus) {
  if (grid.current) grid.current.removeAttribute("tabindex");
  grid.current = cell;
  if (!cell) return;
  cell.tabIndex = 0;
  if (focus) cell.focus();
}

// Where the current cell is not shown any more, be at the first that is.
function keepCurrent() {
  if (grid.current && isShown(grid.current)) return;
  goTo([...table.querySelectorAll("tbody td:not(.sum)")].find(isShown) ?? null, false);
}
