// The keyboard: arrows, Home and End in the grid, Enter opens, Escape closes, / searches.

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function shownRows() {
  return grid.items.filter((row) => !row.hidden && !row.parentElement.hidden);
}

const shownCells = (row) => [...row.cells].filter((cell) => cell.place && !cell.hidden);

// The cell that a key leads to from another, the same at the edge.
function cellBy(key, cell, toEdge) {
  const rows = shownRows();
  const row = cell.parentElement;
  const cells = shownCells(row);
  const [at, number] = [rows.indexOf(row), cells.indexOf(cell)];
  if (key === "Home") return shownCells(toEdge ? rows[0] : row)[0];
  if (key === "End") return shownCells(toEdge ? rows[rows.length - 1] : row).pop();
  const [down, right] = STEPS[key];
  const target = rows[Math.min(Math.max(at + down, 0), rows.length - 1)];
  const own = shownCells(target);
  return own[Math.min(Math.max(number + right, 0), own.length - 1)];
}

function inGrid(event) {
  const cell = event.target.closest("td");
  if (!cell?.place) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    openPlace(cell.place);
  } else if ((event.key in STEPS || event.key === "Home" || event.key === "End") && !event.altKey && !event.metaKey) {
    event.preventDefault();
    goTo(cellBy(event.key, cell, event.ctrlKey), true);
  }
}

function anywhere(event) {
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && !panel.hidden) {
    event.preventDefault();
    leavePanel();
  } else if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("search").focus();
    byId("search").select();
  }
}

function listenToKeys() {
  table.addEventListener("keydown", inGrid);
  document.addEventListener("keydown", anywhere);
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("td");
    if (cell?.place) openPlace(cell.place);
  });
}
