// What HTML cannot do by itself: copy buttons, the choice of light or dark, long lists that are searched, lines that
// wrap, and links to headings of cards. Pages work without it.
"use strict";

function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // plain http has no clipboard API
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done ? Promise.resolve() : Promise.reject(new Error("copy was refused"));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom ? document.querySelector(button.dataset.copyFrom) : null;
  const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
  if (button.dataset.label !== undefined) return; // still says what became of the last click
  button.dataset.label = "";
  const shown = [...button.childNodes];
  copyText(text.trim()).then(() => button.replaceChildren("Copied"), () => button.replaceChildren("Press Ctrl+C"))
    .finally(() => setTimeout(() => { button.replaceChildren(...shown); delete button.dataset.label; }, 1600));
});

document.addEventListener("click", (event) => { // an open menu closes when something else is clicked
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
});

const themeButton = document.querySelector("[data-theme-switch]");
if (themeButton) {
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme.trim() === "dark"
      || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("hutch-theme", document.documentElement.dataset.theme); } catch { /* private window */ }
  });
}

for (const panel of document.querySelectorAll("[data-filter-list]")) { // a list of many links gets a field to search it
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Find";
  field.setAttribute("aria-label", "Find in this list");
  field.addEventListener("input", () => {
    const word = field.value.trim().toLowerCase();
    for (const link of panel.querySelectorAll("a")) link.hidden = !link.textContent.toLowerCase().includes(word);
  });
  panel.prepend(field);
  panel.closest("details")?.addEventListener("toggle", (event) => { if (event.target.open) field.focus(); });
}

for (const button of document.querySelectorAll("[data-wrap]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const isOn = document.querySelector(button.dataset.wrap).classList.toggle("wrapped");
    button.setAttribute("aria-pressed", String(isOn));
  });
}

// Names in cards carry a prefix, so that none meets one of the page's own; addresses from elsewhere do not know it.
function showNamed() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name && !document.getElementById(name)) document.getElementById(`c-${name}`)?.scrollIntoView();
}
addEventListener("hashchange", showNamed);
showNamed();
