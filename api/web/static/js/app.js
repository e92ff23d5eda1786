// Comfort only: every page works without this file.
"use strict";

// One open picker at a time; a click elsewhere or Escape closes it.
const closing = () => document.querySelectorAll("details[data-closes][open]");
document.addEventListener("click", (event) => {
  for (const one of closing()) if (!one.contains(event.target)) one.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const one of closing()) {
    one.open = false;
    one.querySelector("summary").focus();
  }
  for (const one of document.querySelectorAll(".defined:hover, .defined:focus-within")) one.classList.add("dismissed");
});

// A definition dismissed by Escape shows again when it is asked for again; near the edge it opens to the left.
function place(event) {
  const defined = event.target.closest && event.target.closest(".defined");
  if (!defined) return;
  const room = document.documentElement.clientWidth - defined.getBoundingClientRect().left;
  defined.classList.toggle("flip", room < 360);
}
document.addEventListener("mouseover", place);
document.addEventListener("focusin", place);
for (const gone of ["mouseout", "focusout"]) {
  document.addEventListener(gone, (event) => {
    const defined = event.target.closest && event.target.closest(".defined");
    if (defined && !defined.contains(event.relatedTarget)) defined.classList.remove("dismissed");
  });
}

// On paper: light, and everything open that can be opened but the pickers. Style sheets do the same where a browser
// knows ::details-content; this is for the others, and for the charts' colours.
const root = document.documentElement;
let before = null;
window.addEventListener("beforeprint", () => {
  const closed = [...document.querySelectorAll("details:not([data-closes]):not([open])")];
  before = { theme: root.dataset.theme, closed };
  root.dataset.theme = "light";
  for (const one of closed) one.open = true;
});
window.addEventListener("afterprint", () => {
  if (!before) return;
  if (before.theme === undefined) delete root.dataset.theme; else root.dataset.theme = before.theme;
  for (const one of before.closed) one.open = false;
  before = null;
});

for (const button of document.querySelectorAll("[data-prints]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
