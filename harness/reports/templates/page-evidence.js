// What evidence looks like: from the values of a pack (harness/reports/cell_evidence.py) to elements.

const CODE = new Set(["Asked", "Errno"]);

const section = (title, ...children) => [make("h3", {}, title), ...children];

function facts(pairs) {
  const rows = pairs.map(([label, text]) =>
    make("div", {}, make("dt", {}, label), make("dd", CODE.has(label) ? { class: "code" } : {}, text))
  );
  return make("dl", {}, ...rows);
}

// A block of text, its deciding line marked and in sight.
function block(text, decides) {
  const pre = make("pre", { tabindex: "0" });
  if (decides === "") {
    pre.append(text);
    return pre;
  }
  const lines = text.split("\n");
  const number = Number(decides);
  const before = lines.slice(0, number).join("\n");
  const after = lines.slice(number + 1).join("\n");
  const mark = make("mark", {}, lines[number]);
  pre.append(before && `${before}\n`, mark, after && `\n${after}`);
  pre.showMark = () => (pre.scrollTop = mark.offsetTop - pre.offsetTop - pre.clientHeight / 2);
  return pre;
}

function stages(list, verdict) {
  const items = list.map(([name, seconds, state]) =>
    make("li", { class: `${state} ${verdict}` }, name, make("small", {}, state === "stopped" ? `${seconds} ended here` : seconds))
  );
  return make("ol", { class: "stages" }, ...items);
}

function command(text) {
  const shown = make("pre", { tabindex: "0" }, text);
  return make("div", { class: "again" }, shown, make("button", { type: "button", click: () => copy(text, shown) }, "Copy"));
}

// What an outcome left: of a cell, or of a part of it.
function outcome(of, verdict) {
  const found = [];
  if (of.differences) {
    const items = of.differences.map((text) => make("li", {}, text));
    found.push(...section("Otherwise than it must be", make("ul", { class: "differences" }, ...items)));
  }
  for (const [label, text, decides] of of.blocks ?? []) found.push(...section(label, block(text, decides)));
  if (of.stages) found.push(...section("Stages", stages(of.stages, verdict)));
  if (of.events) found.push(...section("What was seen", make("pre", { tabindex: "0" }, of.events.join("\n"))));
  return found;
}

function partsTable(columns, rows) {
  const head = make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column)));
  const body = rows.map(([name, ...values]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...values.map((value) => make("td", {}, value)))
  );
  const found = make("table", { class: "plain" }, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The parts side by side" }, found);
}

function tag(verdict) {
  const sign = document.querySelector(`.legend .tag.${verdict} > span`)?.textContent ?? "";
  return make("span", { class: `tag ${verdict}` }, make("span", { "aria-hidden": "true" }, sign), ` ${verdict}`);
}

// A part of a cell; one that is not plain is open.
function part(of) {
  const summary = make("summary", {}, tag(of.verdict), ` ${of.name} `, make("small", {}, of.about ?? ""));
  const again = of.again ? section("See it again", command(of.again)) : [];
  const isOpen = of.verdict !== "pass";
  return make("details", { class: `part ${of.verdict}`, open: isOpen }, summary, facts(of.facts ?? []), ...outcome(of, of.verdict), ...again);
}

// All that is known of one cell.
function evidence({ kernel, cell }, verdict) {
  const found = [facts(cell.facts ?? [])];
  if (cell.again) found.push(...section("See it again", command(cell.again)));
  found.push(...section("What was expected", facts(cell.expected ?? [])), ...outcome(cell, verdict));
  if (cell.rows) found.push(...section("Parts", partsTable(cell.columns, cell.rows)));
  if (cell.parts) found.push(...(cell.rows ? [] : section("Parts")), ...cell.parts.map(part));
  const about = [facts(kernel.facts ?? [])];
  for (const [label, text, decides] of kernel.blocks ?? []) about.push(...section(label, block(text, decides)));
  found.push(make("details", { class: "kernel" }, make("summary", {}, "The kernel and its guests"), ...about));
  return found;
}
