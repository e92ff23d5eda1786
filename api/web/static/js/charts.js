// Draws each figure's specification with Vega, interpreted (no eval), as SVG, in the colours of the tokens.
// The page is shown first: room is kept for the pictures, Vega comes after the first paint, and they are drawn one by
// one. Where this does not run, the open tables are the charts.
"use strict";
(() => {
  const libraries = document.currentScript.dataset.libraries.split(" ");
  // Read where the figure stands: in a doubtful one the colours are grey.
  const tokensOf = (figure) => {
    const style = getComputedStyle(figure);
    return (name) => style.getPropertyValue("--" + name).trim();
  };

  // "@series-1" is the token --series-1.
  const coloured = (value, token) => {
    if (typeof value === "string") return value.startsWith("@") ? token(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map((inner) => coloured(inner, token));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, coloured(inner, token)]));
    }
    return value;
  };

  const look = (token) => {
    const font = token("font");
    const series = [1, 2, 3, 4, 5, 6].map((at) => token("series-" + at));
    const small = { labelFont: font, titleFont: font, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 };
    return {
      background: "transparent", font, aria: false, padding: { left: 0, right: 4, top: 4, bottom: 6 },
      view: { stroke: null }, range: { category: series },
      axis: { ...small, labelColor: token("ink-3"), titleColor: token("ink-3"), gridColor: token("grid"),
              domainColor: token("rule-2"), tickColor: token("rule-2"), labelPadding: 6, tickSize: 4 },
      axisY: { domain: false, ticks: false, titleAngle: 0, titleAlign: "left", titleY: -8, titleX: -24 },
      axisX: { grid: false },
      legend: { ...small, labelColor: token("ink-2"), titleColor: token("ink-3"), offset: 4 },
      text: { font, fontSize: 12, fill: token("ink-2") }, rule: { color: token("rule-2") },
      bar: { color: series[0] }, line: { color: series[0] }, point: { color: series[0] }, area: { color: token("band") },
    };
  };

  // Our own tooltip: text only, styled by a class, no style sheet of Vega's.
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  const tell = (handler, event, item, value) => {
    if (value === null || value === undefined || value === "") {
      tip.hidden = true;
      return;
    }
    tip.textContent = typeof value === "object"
      ? Object.entries(value).map(([name, inner]) => `${name}: ${inner}`).join("\n") : String(value);
    tip.hidden = false;
    const width = tip.offsetWidth;
    tip.style.left = Math.min(event.clientX + 12, document.documentElement.clientWidth - width - 8) + "px";
    tip.style.top = event.clientY + 16 + "px";
  };

  const drawn = new Map();

  const ready = () => Boolean(window.vega && window.vegaLite && window.vega.expressionInterpreter);

  const keepRoom = (figure) => {
    const canvas = figure.querySelector(".canvas");
    canvas.hidden = false;
    canvas.style.minHeight = canvas.dataset.height + "px";
  };

  const leaveTable = (figure, error) => {
    figure.querySelector(".canvas").hidden = true;
    for (const data of figure.querySelectorAll(".data")) data.open = true;
    console.error("chart", figure.dataset.chart, error);
  };

  const draw = (figure) => {
    const canvas = figure.querySelector(".canvas");
    const given = JSON.parse(figure.querySelector(".spec").textContent);
    const width = canvas.clientWidth;
    figure.dataset.drawn = width ? "yes" : "later"; // later: it lies in something closed
    if (!width) return;
    const token = tokensOf(figure);
    const spec = coloured({
      $schema: "https://vega.github.io/schema/vega-lite/v6.json",
      width: Math.max(width, 240), height: Number(canvas.dataset.height), autosize: { type: "fit", contains: "padding" },
      ...given,
    }, token);
    const compiled = vegaLite.compile(spec, { config: look(token) }).spec;
    if (drawn.has(figure)) drawn.get(figure).view.finalize();
    const runtime = vega.parse(compiled, null, { ast: true });
    const inner = document.createElement("div"); // Vega gives its container a role; ours is the image, with its words
    inner.setAttribute("aria-hidden", "true");
    canvas.replaceChildren(inner);
    const view = new vega.View(runtime, {
      expr: vega.expressionInterpreter, renderer: "svg", container: inner, hover: true, tooltip: tell,
      logLevel: vega.Error, loader: { load: () => Promise.reject(new Error("nothing is loaded")), sanitize: () => Promise.reject(new Error("no links")) },
    });
    view.run();
    drawn.set(figure, { view, width });
  };

  const all = () => document.querySelectorAll("figure.chart:not([data-drawn=nothing])");
  const again = () => { for (const figure of all()) draw(figure); };

  const drawOneByOne = (waiting) => {
    const figure = waiting.shift();
    if (!figure) {
      watchWidth();
      return;
    }
    try {
      draw(figure);
    } catch (error) {
      leaveTable(figure, error);
    }
    setTimeout(drawOneByOne, 0, waiting);
  };

  const load = (address) => new Promise((loaded, failed) => {
    const script = document.createElement("script");
    script.src = address;
    script.async = false;
    script.onload = loaded;
    script.onerror = () => failed(new Error("could not load " + address));
    document.head.append(script);
  });

  for (const figure of all()) keepRoom(figure);
  for (const data of document.querySelectorAll("figure.chart .data")) data.open = false;
  requestAnimationFrame(() => setTimeout(() => {
    Promise.all(libraries.map(load)).then(
      () => drawOneByOne([...all()]),
      (error) => { for (const figure of all()) leaveTable(figure, error); },
    );
  }, 0));

  let waiting = 0;
  const resized = new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const figure of all()) {
        const known = drawn.get(figure);
        if (!known || Math.abs(known.width - figure.querySelector(".canvas").clientWidth) > 2) draw(figure);
      }
    }, 120);
  });
  const watchWidth = () => { for (const figure of all()) resized.observe(figure); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (ready()) again(); });

  // On paper in its colours and width (app.js has made the page light and opened what was closed).
  for (const moment of ["beforeprint", "afterprint"]) {
    window.addEventListener(moment, () => { if (ready()) again(); });
  }
})();
