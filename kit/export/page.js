// Draws the charts from the data beside them, as they come near the screen; in the page's colours, light and dark.
(function () {
  "use strict";
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var holders = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  var root = document.documentElement;
  var printing = location.hash === "#print";
  if (printing) root.classList.add("print");

  function ink() {
    return printing ? "#1d2127" : getComputedStyle(root).getPropertyValue("--ink").trim();
  }
  function library() {
    if (window.Plotly) return;
    var script = document.createElement("script");
    script.textContent = document.getElementById("library").textContent;
    document.head.appendChild(script);
  }
  // A title is broken for a wide page; on a narrow one, and on paper, it is broken again and given the room.
  var NARROW = 860, LINE = 30, LETTER = 6;
  function fitTitle(layout, width) {
    if (!layout.title || !layout.title.text) return;
    var before = layout.title.text.split("<br>"), lines = broken(before.join(" "), (width - 20) / 7.9);
    var more = LINE * Math.max(0, lines.length - before.length);
    layout.title.text = lines.join("<br>");
    layout.margin = Object.assign({}, layout.margin, { t: ((layout.margin || {}).t || 64) + more });
    layout.height = (layout.height || 320) + more;
  }
  function broken(text, room) {
    var lines = [""];
    text.split(" ").forEach(function (word) {
      var last = lines[lines.length - 1];
      if (last && last.length + word.length + 1 > Math.max(24, room)) lines.push(word);
      else lines[lines.length - 1] = last ? last + " " + word : word;
    });
    return lines;
  }
  // Names on the left take two fifths of a narrow chart at most; cut ones stand whole under the pointer and in a table.
  function fitNames(figure, width) {
    var room = Math.max(14, Math.floor(0.4 * width / LETTER));
    Object.keys(figure.layout).forEach(function (key) {
      var axis = figure.layout[key], which = /^([xy])axis(\d*)$/.exec(key);
      if (!which) return;
      if (which[1] === "x") {
        if (axis.title && axis.title.text) axis.title.text = broken(axis.title.text, 0.55 * width / LETTER).join("<br>");
        return;
      }
      if (axis.type && axis.type !== "category") return;
      var names = axis.ticktext || [];
      if (!axis.ticktext) figure.data.forEach(function (trace) {
        if ((trace.yaxis || "y") !== "y" + which[2] || !Array.isArray(trace.y)) return;
        trace.y.forEach(function (y) { if (typeof y === "string" && names.indexOf(y) < 0) names.push(y); });
      });
      if (!names.some(function (name) { return cut(name, room) !== name; })) return;
      if (!axis.ticktext) { axis.tickmode = "array"; axis.tickvals = names; }
      axis.ticktext = names.map(function (name) { return cut(name, room); });
    });
  }
  function cut(name, room) {
    if (name.indexOf("<br>") >= 0) return name;
    var state = /\s*\[[^\]]*\]$/.exec(name), end = state ? state[0] : "";
    var letters = name.slice(0, name.length - end.length).match(/&[a-z]+;|[^]/g) || [];
    return letters.length + end.length <= room ? name : letters.slice(0, room - end.length - 1).join("") + "…" + end;
  }
  function draw(holder) {
    if (holder.dataset.drawn) return Promise.resolve();
    holder.dataset.drawn = "yes";
    library();
    var figure = JSON.parse(document.getElementById(holder.dataset.figure).textContent);
    figure.layout.font = Object.assign({}, figure.layout.font, { color: ink() });
    figure.layout.autosize = true;
    delete figure.layout.width;
    if (holder.clientWidth <= NARROW) {
      fitTitle(figure.layout, holder.clientWidth);
      fitNames(figure, holder.clientWidth);
    }
    if (printing) figure.layout.height = Math.min(0.9 * (figure.layout.height || 320), 900); // at most one sheet
    holder.style.height = (figure.layout.height || 320) + "px";
    var config = { displaylogo: false, responsive: true, displayModeBar: printing ? false : "hover" };
    return Plotly.newPlot(holder, figure.data, figure.layout, config);
  }
  function drawAll() {
    return holders.reduce(function (before, holder) {
      return before.then(function () { return draw(holder); });
    }, Promise.resolve());
  }
  function done() {
    root.dataset.charts = String(holders.length);
  }
  function whenIdle(then) {
    if (window.requestIdleCallback) window.requestIdleCallback(then, { timeout: 1500 });
    else setTimeout(then, 50);
  }
  function rest() {
    var next = holders.filter(function (holder) { return !holder.dataset.drawn; })[0];
    if (!next) return done();
    draw(next).then(function () { whenIdle(rest); });
  }

  dark.addEventListener("change", function () {
    holders.forEach(function (holder) {
      if (holder.dataset.drawn) Plotly.relayout(holder, { "font.color": ink() });
    });
  });
  window.addEventListener("beforeprint", function () {
    drawAll();
    holders.forEach(function (holder) { Plotly.relayout(holder, { width: 680 }); });
  });
  window.addEventListener("afterprint", function () {
    holders.forEach(function (holder) { Plotly.relayout(holder, { width: null, autosize: true }); });
  });
  if (printing) { drawAll().then(done); return; }
  var near = new IntersectionObserver(function (seen) {
    seen.forEach(function (entry) {
      if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
    });
  }, { rootMargin: "300px" });
  holders.forEach(function (holder) { near.observe(holder); });
  window.addEventListener("load", function () { setTimeout(function () { whenIdle(rest); }, 400); });
})();
