// Bars over time with a window that is dragged by mouse or moved by keys. Everything shown is set as text.
const WIDTH = 960, HEIGHT = 120, LEFT = 56, BOTTOM = 22, TOP = 18;

function clock(ms, whole) {
  const text = new Date(ms).toISOString();
  return whole ? text.slice(0, 19).replace("T", " ") : text.slice(11, 19);
}

function render({ model, el }) {
  el.classList.add("ik-brush");
  ownKeys(el);
  const said = node("div", "ik-brush-said", el);
  said.setAttribute("role", "status");
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("tabindex", "0");
  svg.setAttribute("role", "slider");
  el.append(svg);

  const span = () => model.get("span");
  const x = (ms) => LEFT + ((ms - span()[0]) / (span()[1] - span()[0] || 1)) * (WIDTH - LEFT - 8);
  const time = (px) => span()[0] + ((px - LEFT) / (WIDTH - LEFT - 8)) * (span()[1] - span()[0]);
  const clamp = (ms) => Math.min(Math.max(ms, span()[0]), span()[1]);
  const pointer = (event) => {
    const box = svg.getBoundingClientRect();
    return clamp(time(((event.clientX - box.left) / box.width) * WIDTH));
  };

  function choose(start, end, done) {
    const low = clamp(Math.min(start, end)), high = clamp(Math.max(start, end));
    model.set("chosen", high > low ? [low, high] : []);
    if (done) model.save_changes();
  }

  let from = null;
  svg.addEventListener("pointerdown", (event) => {
    from = pointer(event);
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    svg.focus();
  });
  svg.addEventListener("pointermove", (event) => { if (from !== null) choose(from, pointer(event), false); });
  svg.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const to = pointer(event);
    const start = from;
    from = null;
    if (Math.abs(x(to) - x(start)) < 3) choose(0, 0, true);
    else choose(start, to, true);
  });
  svg.addEventListener("pointercancel", () => { from = null; });
  svg.addEventListener("keydown", (event) => {
    const step = model.get("step_ms") || (span()[1] - span()[0]) / 60;
    const now = model.get("chosen");
    const [start, end] = now.length ? now : [span()[0], span()[0] + 6 * step];
    const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") choose(0, 0, true);
    else if (event.key === "Enter" || event.key === " ") choose(start, end, true);
    else if (sign && event.shiftKey) choose(start, Math.max(end + sign * step, start + step), true);
    else if (sign && !now.length) choose(start, end, true);
    else if (sign) {
      const move = Math.min(Math.max(sign * step, span()[0] - start), span()[1] - end);
      choose(start + move, end + move, true);
    } else return;
    event.preventDefault();
  });

  function draw() {
    svg.replaceChildren();
    const bars = model.get("bars"), width = model.get("step_ms"), bottom = HEIGHT - BOTTOM;
    const top = Math.max(...bars.map((b) => b[1]), 0);
    svg.setAttribute("aria-label", `${model.get("label")}. Arrows move the window, Shift with arrows its end, Escape clears it.`);
    if (!bars.length || !top) {
      element("text", { x: LEFT, y: HEIGHT / 2, class: "ik-brush-empty" }, svg, model.get("empty"));
    }
    const scale = (n) => (top ? (n / top) * (bottom - TOP) : 0);
    for (const [at, n, bad] of bars) {
      const left = x(at), w = Math.max(x(at + width) - left - 0.5, 1);
      element("rect", { x: left, width: w, y: bottom - scale(n), height: scale(n), class: "ik-bar" }, svg);
      if (bad) element("rect", { x: left, width: w, y: bottom - scale(bad), height: scale(bad), class: "ik-bar-bad" }, svg);
    }
    if (top) element("text", { x: LEFT - 6, y: TOP + 4, "text-anchor": "end" }, svg, top.toLocaleString("en"));
    element("text", { x: LEFT - 6, y: bottom, "text-anchor": "end" }, svg, "0");
    element("line", { x1: LEFT, x2: WIDTH - 8, y1: bottom, y2: bottom, class: "ik-axis" }, svg);
    for (let i = 0; i <= 6; i++) {
      const at = span()[0] + (i / 6) * (span()[1] - span()[0]);
      element("text", { x: x(at), y: HEIGHT - 6, "text-anchor": i === 6 ? "end" : i ? "middle" : "start" }, svg, clock(at));
    }
    for (const [at, label] of model.get("marks")) {
      const mark = element("g", { class: "ik-mark" }, svg);
      element("line", { x1: x(at), x2: x(at), y1: TOP - 4, y2: bottom }, mark);
      element("path", { d: `M${x(at) - 4} ${TOP - 12}h8l-4 8z` }, mark);
      element("title", {}, mark, `${clock(at, true)} UTC  ${label}`);
    }
    const chosen = model.get("chosen");
    if (chosen.length) {
      element("rect", { x: x(chosen[0]), width: Math.max(x(chosen[1]) - x(chosen[0]), 1), y: TOP - 6, height: bottom - TOP + 6, class: "ik-chosen" }, svg);
      said.textContent = `${model.get("label")} · ${clock(chosen[0], true)} to ${clock(chosen[1], true)} UTC`;
      svg.setAttribute("aria-valuetext", said.textContent);
    } else {
      said.textContent = `${model.get("label")} · ${clock(span()[0], true)} to ${clock(span()[1], true)} UTC · drag, or use the arrow keys, to choose a window`;
      svg.setAttribute("aria-valuetext", "no window chosen");
    }
  }
  for (const name of ["bars", "span", "marks", "chosen", "step_ms", "label"]) model.on(`change:${name}`, draw);
  draw();
}
export default { render };
