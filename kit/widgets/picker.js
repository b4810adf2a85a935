// The symptom over time with every change drawn on it; a window is dragged by mouse or moved by keys.
const WIDTH = 1000, LEFT = 64, RIGHT = 12, ROW = 84, GAP = 20, TOP = 22, AXIS = 24;

function clock(ms, zone, whole) {
  const options = { timeZone: zone, hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit" };
  if (whole) Object.assign(options, { year: "numeric", month: "2-digit", day: "2-digit" });
  return new Intl.DateTimeFormat("sv-SE", options).format(new Date(ms));
}
function number(value) {
  if (value === null) return "no data";
  return Math.abs(value) >= 1000 ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : String(Number(value.toPrecision(6)));
}

function render({ model, el }) {
  const body = frameOf(model, el, "picker");
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("tabindex", "0");
  svg.setAttribute("role", "slider");
  svg.style.touchAction = "none";
  svg.style.cursor = "crosshair";
  const read = node("div", "ik-soft ik-read", null, "");
  body.append(svg, read);

  const span = () => model.get("span"), zone = () => model.get("zone");
  const x = (ms) => LEFT + ((ms - span()[0]) / (span()[1] - span()[0] || 1)) * (WIDTH - LEFT - RIGHT);
  const clamp = (ms) => Math.min(Math.max(ms, span()[0]), span()[1]);
  const timeAt = (event) => {
    const box = svg.getBoundingClientRect();
    const px = ((event.clientX - box.left) / box.width) * WIDTH;
    return clamp(span()[0] + ((px - LEFT) / (WIDTH - LEFT - RIGHT)) * (span()[1] - span()[0]));
  };
  const height = () => TOP + Math.max(model.get("rows").length, 1) * (ROW + GAP) + AXIS;
  let held = null, live = null;

  function choose(start, end) {
    const step = model.get("step_ms"), low = clamp(Math.min(start, end)), high = clamp(Math.max(start, end));
    const snap = (ms) => clamp(Math.round(ms / step) * step);
    const [a, b] = [snap(low), Math.max(snap(high), snap(low) + step)];
    live = null;
    model.send({ window: end === start ? [] : [a, Math.min(b, span()[1])] });
  }
  svg.addEventListener("pointerdown", (event) => {
    held = timeAt(event);
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    svg.focus({ preventScroll: true });
  });
  svg.addEventListener("pointermove", (event) => {
    if (held !== null) { live = [Math.min(held, timeAt(event)), Math.max(held, timeAt(event))]; window_(); }
    hover(timeAt(event));
  });
  svg.addEventListener("pointerup", (event) => {
    if (held === null) return;
    const [from, to] = [held, timeAt(event)];
    held = null;
    if (Math.abs(x(to) - x(from)) < 4) choose(0, 0);
    else choose(from, to);
  });
  svg.addEventListener("pointercancel", () => { held = null; live = null; window_(); });
  svg.addEventListener("pointerleave", () => { if (held === null) hover(null); });
  svg.addEventListener("keydown", (event) => {
    const step = model.get("step_ms"), now = model.get("chosen");
    const [start, end] = now.length ? now : [span()[0], span()[0] + 6 * step];
    const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") { if (held !== null) { held = null; live = null; window_(); } else choose(0, 0); }
    else if (!sign) return;
    else if (!now.length) choose(start, end);
    else if (event.shiftKey) choose(start, Math.max(end + sign * step, start + step));
    else {
      const move = Math.min(Math.max(sign * step, span()[0] - start), span()[1] - end);
      choose(start + move, end + move);
    }
    event.preventDefault();
  });

  let cursor = null, brushed = null;
  function hover(ms) {
    if (cursor) cursor.remove();
    cursor = null;
    if (ms === null) { read.textContent = ""; return; }
    cursor = element("line", { class: "cursor", x1: x(ms), x2: x(ms), y1: TOP, y2: height() - AXIS }, svg);
    const parts = [`${clock(ms, zone(), true)} ${zone()}`], people = model.get("people");
    if (people && people !== zone()) parts.push(`${clock(ms, people)} ${people}`);
    for (const row of model.get("rows")) {
      let best = null;
      for (let i = 0; i < row.times.length; i++) {
        if (row.times[i] <= ms && (best === null || row.times[i] >= row.times[best])) best = i;
      }
      if (best !== null) parts.push(`${row.name} ${number(row.values[best])}`);
    }
    const width = (span()[1] - span()[0]) / 120;
    for (const [at, label] of model.get("marks")) if (Math.abs(at - ms) < width) parts.push(`◆ ${clock(at, zone())} ${label}`);
    const cited = model.get("cited");
    read.textContent = parts.join("  ·  ") + (cited ? `  ·  ${cited}` : "");
  }
  function window_() {
    if (brushed) brushed.remove();
    brushed = null;
    const chosen = live || model.get("chosen");
    if (!chosen.length) { svg.setAttribute("aria-valuetext", "no window chosen"); return; }
    const left = x(chosen[0]);
    brushed = element("rect", { class: "chosen", x: left, width: Math.max(x(chosen[1]) - left, 1), y: TOP, height: height() - AXIS - TOP }, svg);
    svg.setAttribute("aria-valuetext", `${clock(chosen[0], zone(), true)} to ${clock(chosen[1], zone(), true)}`);
  }
  function draw() {
    const rows = model.get("rows"), bottom = height() - AXIS;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${height()}`);
    svg.setAttribute("aria-label", "Window on the symptom. Arrows move it, Shift with arrows moves its end, Escape clears it.");
    for (const [from, to, label] of model.get("shades")) {
      element("rect", { class: "harm", x: x(from), width: Math.max(x(to) - x(from), 1), y: TOP, height: bottom - TOP }, svg);
      element("text", { x: x(from) + 3, y: TOP + 11 }, svg, label);
    }
    if (!rows.length) element("text", { x: LEFT, y: TOP + 40 }, svg, model.get("empty"));
    rows.forEach((row, n) => {
      const top = TOP + n * (ROW + GAP), base = top + ROW, known = row.values.filter((v) => v !== null);
      const most = Math.max(...known, 0) || 1;
      element("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: base, y2: base }, svg);
      element("text", { x: LEFT - 6, y: top + 9, "text-anchor": "end" }, svg, number(Number(most.toPrecision(3))));
      element("text", { x: LEFT - 6, y: base, "text-anchor": "end" }, svg, "0");
      element("text", { x: LEFT + 4, y: top - 2 }, svg, row.name);
      let path = "", pen = "M";
      row.values.forEach((value, i) => {
        if (value === null) { pen = "M"; return; }
        path += `${pen}${x(row.times[i]).toFixed(1)} ${(base - (value / most) * (ROW - 12)).toFixed(1)}`;
        pen = "L";
      });
      element("path", { class: row.bad ? "line bad" : "line", d: path }, svg);
    });
    for (const [at, label] of model.get("marks")) {
      const mark = element("g", {}, svg);
      element("line", { class: "change", x1: x(at), x2: x(at), y1: TOP - 4, y2: bottom }, mark);
      element("path", { class: "flag", d: `M${x(at)} ${TOP - 16}l6 6l-6 6l-6 -6z` }, mark);
      element("title", {}, mark, `${clock(at, zone())} ${label}`);
    }
    element("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: bottom, y2: bottom }, svg);
    element("text", { x: LEFT - 6, y: bottom + 16, "text-anchor": "end" }, svg, zone().split("/").pop().slice(0, 10));
    for (const at of model.get("ticks")) {
      element("line", { class: "axis", x1: x(at), x2: x(at), y1: bottom, y2: bottom + 4 }, svg);
      element("text", { x: x(at), y: bottom + 16, "text-anchor": "middle" }, svg, clock(at, zone()).slice(0, model.get("tick_chars")));
    }
    window_();
  }
  for (const name of ["rows", "span", "marks", "shades", "ticks"]) model.on(`change:${name}`, draw);
  model.on("change:chosen", window_);
  draw();
}
export default { render };
