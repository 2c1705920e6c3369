// Search, filters and the theme.

const filter = noFilter();

// Show what the filter wants, and say how much that is.
function refresh() {
  const found = wanted(filter);
  const active = isActive(filter);
  show(found, active);
  byId("show-all").disabled = !active;
  const count = (list) => list.filter(Boolean).length;
  byId("shown").textContent = !active
    ? ""
    : found.count
      ? `${plural(found.count, "cell")}: ${plural(count(found.cases), "case")} on ${plural(count(found.kernels), "kernel")}`
      : "No cell is like that.";
}

// A button that is pressed or not: with it a value is one of those that are wanted.
function choosing(buttons, key, values) {
  for (const button of buttons)
    button.addEventListener("click", () => {
      const value = button.dataset[key];
      if (!values.delete(value)) values.add(value);
      button.setAttribute("aria-pressed", String(values.has(value)));
      refresh();
    });
}

function prepareToolbar() {
  const tools = byId("tools");
  const pressed = tools.querySelectorAll("[aria-pressed]");
  choosing(tools.querySelectorAll("[data-verdict]"), "verdict", filter.verdicts);
  choosing(tools.querySelectorAll("[data-arch]"), "arch", filter.arches);
  const set = (id, event, change) =>
    byId(id)?.addEventListener(event, (each) => {
      change(each.target);
      refresh();
    });
  set("search", "input", (input) => (filter.text = input.value));
  set("not-plain", "change", (input) => (filter.notPlain = input.checked));
  set("refusal", "change", (input) => (filter.refusal = input.value));
  tools.addEventListener("submit", (event) => event.preventDefault());
  byId("show-all").addEventListener("click", () => {
    tools.reset();
    filter.verdicts.clear();
    filter.arches.clear();
    pressed.forEach((button) => button.setAttribute("aria-pressed", "false"));
    Object.assign(filter, { text: "", notPlain: false, refusal: "" });
    refresh();
  });
  tools.hidden = false;
}

// A button beside each command that shows a failure again.
function prepareCommands() {
  for (const shown of document.querySelectorAll("dd[data-copy]")) {
    const text = shown.textContent;
    shown.append(make("button", { type: "button", class: "copy", "aria-label": "Copy the command", click: () => copy(text, shown) }, "Copy"));
  }
}

const THEMES = ["system", "light", "dark"];

// The theme is the system's until somebody chooses another; browsers that keep nothing for files forget it.
function prepareTheme() {
  const button = byId("theme");
  let theme = "system";
  const apply = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  try {
    const kept = localStorage.getItem("bpfmatrix-theme");
    if (THEMES.includes(kept)) theme = kept;
  } catch {}
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    apply();
    try {
      localStorage.setItem("bpfmatrix-theme", theme);
    } catch {}
  });
  apply();
  button.hidden = false;
}
