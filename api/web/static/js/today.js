// The board renews itself, but not under somebody's hands: while it holds the focus or shows a definition it waits.
"use strict";
document.addEventListener("htmx:beforeRequest", (event) => {
  const board = event.target;
  if (board.id !== "board") return;
  const held = board.contains(document.activeElement) || board.querySelector(".defined:hover, details[open]:not(.data)");
  if (held || document.hidden) event.preventDefault();
});
