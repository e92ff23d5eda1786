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

for (const button of document.querySelectorAll("[data-prints]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
