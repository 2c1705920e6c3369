// The panel with the evidence of one cell. The fragment of the address says which: opening one is going there.

const panel = byId("panel");

const openPlace = (place) => (location.hash = fragmentOf(place.kernel, place.case));

// Show what the address names, or close the panel where it names no cell.
async function followAddress() {
  const place = placeOf(decodeURIComponent(location.hash.slice(1)));
  if (!place) return closePanel();
  const { kernel, case: number } = place;
  const verdict = verdictAt(kernel, number);
  const cell = grid.cells[kernel][number];
  markOpened(cell);
  panel.replaceChildren(bar(place), ...heading(place, verdict), make("p", { class: "title", id: "wait" }, "Opening its evidence ..."));
  panel.className = verdict;
  panel.hidden = false;
  document.body.classList.add("opened");
  panel.scrollTop = 0;
  panel.querySelector("h2").focus();
  let found;
  try {
    found = evidence(await evidenceOf(place), verdict);
  } catch (error) {
    found = [make("p", { class: "banner problem" }, `The evidence cannot be opened in this browser (${error}); report.md has it, too.`)];
  }
  if (grid.opened !== cell) return;
  byId("wait").replaceWith(...found, ...others(place));
  panel.querySelectorAll("pre").forEach((pre) => pre.showMark?.());
  panel.dataset.place = fragmentOf(kernel, number);
}

function markOpened(cell) {
  grid.opened?.classList.remove("open");
  grid.opened?.removeAttribute("aria-current");
  grid.opened = cell;
  if (!cell) return;
  cell.classList.add("open");
  cell.setAttribute("aria-current", "true");
  if (isShown(cell)) {
    goTo(cell, false);
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function bar(place) {
  const button = (text, label, click, more = {}) => make("button", { type: "button", "aria-label": label, title: label, click, ...more }, text);
  const link = make("a", { href: `#${fragmentOf(place.kernel, place.case)}`, class: "unseen", tabindex: "-1", "aria-hidden": "true" });
  const step = (by, text, label) => {
    const next = nextNotPlain(place, by);
    return button(text, label, () => openPlace(next), { disabled: !next });
  };
  return make(
    "div",
    { class: "bar" },
    step(-1, "‹", "The previous cell that is not plain"),
    step(1, "›", "The next cell that is not plain"),
    make("span", { class: "space" }),
    link,
    button("Copy link", "Copy the address of this cell", () => copy(link.href, panel.querySelector("h2"))),
    button("Close", "Close (Escape)", leavePanel)
  );
}

// The cell that is not plain before or behind a place, kernel by kernel; null where there is none.
function nextNotPlain(place, by) {
  const width = model.cases.length;
  const last = model.kernels.length * width;
  for (let at = place.kernel * width + place.case + by; at >= 0 && at < last; at += by) {
    const found = { kernel: Math.floor(at / width), case: at % width };
    if (!isPlain(found.kernel, found.case) && verdictAt(found.kernel, found.case) !== "not-applicable") return found;
  }
  return null;
}

function heading(place, verdict) {
  const [kernel, each] = [model.kernels[place.kernel], model.cases[place.case]];
  const noted = model.noted[place.kernel][place.case];
  return [
    make("h2", { id: "panel-title", tabindex: "-1" }, tag(verdict), ` ${each.name} on ${kernel.name}`),
    make("p", { class: "title" }, noted ? `${each.title} (${noted})` : each.title),
  ];
}

// The same case on the other kernels.
function others(place) {
  const items = model.kernels.map((kernel, k) => {
    const verdict = verdictAt(k, place.case);
    const now = k === place.kernel ? "true" : null;
    const sign = grid.cells[k][place.case].textContent;
    const said = `${kernel.name}: ${verdict}`;
    return make("li", {}, make("a", { href: `#${fragmentOf(k, place.case)}`, class: `tag ${verdict}`, title: said, "aria-current": now, "aria-label": said }, `${sign} ${kernel.name}`));
  });
  return [make("details", { class: "all", open: true }, make("summary", {}, "This case on all kernels"), make("ul", { class: "others" }, ...items))];
}

function closePanel() {
  panel.hidden = true;
  panel.replaceChildren();
  delete panel.dataset.place;
  document.body.classList.remove("opened");
  markOpened(null);
}

// Close the panel, and be at the cell again that it showed.
function leavePanel() {
  const cell = grid.opened;
  history.replaceState(null, "", location.pathname + location.search);
  closePanel();
  if (cell && isShown(cell)) goTo(cell, true);
  else byId("grid-title").focus();
}
