// Two minutes before the session ends the page says so and offers to stay; when it has ended, the page goes away.
// The server is asked first (another tab may have been used), in a way that does not lengthen the session.
"use strict";

(() => {
  const box = document.getElementById("session-expiry");
  if (!box) return;
  const WARN = 120;
  const count = box.querySelector("[data-count]");
  const stays = box.querySelector("[data-stays]");
  let ends = Date.now() + Number(box.dataset.seconds) * 1000;
  let mayStay = true;
  let asking = false;
  let leaving = false;

  function gone() {
    leaving = true; // once: a second leave would stop the first, whose answer may be on its way
    const here = location.pathname + location.search;
    location.replace(`${box.dataset.gone}?ended=1&next=${encodeURIComponent(here)}`);
  }

  async function ask(stay) {
    if (asking || leaving) return;
    asking = true;
    const headers = { Accept: "application/json" };
    if (stay) headers["X-CSRFToken"] = box.dataset.token;
    else headers["X-Anodyne-Background"] = "1";
    try {
      const address = stay ? box.dataset.stay : box.dataset.left;
      const answer = await fetch(address, { method: stay ? "POST" : "GET", headers, redirect: "manual" });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) return gone();
      if (!answer.ok) return; // the server is away for a moment: nothing is known, so nothing changes
      const said = await answer.json();
      ends = Date.now() + said.seconds * 1000;
      mayStay = said.may_stay;
      show();
    } catch (error) {
      // no network: asked again with the next tick
    } finally {
      asking = false;
    }
  }

  function show() {
    const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
    const soon = left <= WARN;
    if (soon && box.hidden) {
      box.hidden = false;
      stays.hidden = !mayStay;
      if (mayStay) stays.focus({ preventScroll: true });
    }
    if (!soon) box.hidden = true;
    count.textContent = left >= 60 ? `${Math.floor(left / 60)} min ${String(left % 60).padStart(2, "0")} s` : `${left} s`;
  }

  function tick() {
    const left = (ends - Date.now()) / 1000;
    if (left > WARN) return;
    if (box.hidden || left <= 0) ask(false);
    else show();
  }

  stays.addEventListener("click", () => ask(true));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  setInterval(tick, 1000);
})();
