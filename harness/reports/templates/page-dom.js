// Elements and texts. Text of a guest becomes an element's textContent, never markup.

const byId = (id) => document.getElementById(id);

// Make an element: its attributes (a function is a listener), then its children, elements or texts.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// Let a screen reader say a text.
function say(text) {
  byId("live").textContent = text;
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// Copy a text; where the browser does not let a page do that, select it, so that one key is left to press.
async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(shown);
    say("Selected: copy it with your keyboard.");
  }
}
