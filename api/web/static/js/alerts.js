// The list renews itself, but not under somebody's hands: while it holds the focus or a form is begun it waits.
"use strict";
const begun = (one) => one instanceof HTMLSelectElement
  ? [...one.options].some((option) => option.selected !== option.defaultSelected)
  : one.value !== one.defaultValue;
const held = (list) => list.contains(document.activeElement) || [...list.querySelectorAll("select, input")].some(begun);
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "alerts" && (held(event.target) || document.hidden)) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id === "alerts" && held(event.detail.target)) event.detail.shouldSwap = false;
});
