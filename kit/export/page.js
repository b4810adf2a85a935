// Draws every chart from the data beside it; takes the page's colours, in light and dark.
(function () {
  "use strict";
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function colours() {
    var style = getComputedStyle(document.documentElement);
    return style.getPropertyValue("--ink").trim();
  }
  function draw(holder) {
    var figure = JSON.parse(document.getElementById(holder.dataset.figure).textContent);
    figure.layout.font = Object.assign({}, figure.layout.font, { color: colours() });
    figure.layout.autosize = true;
    delete figure.layout.width;
    return Plotly.newPlot(holder, figure.data, figure.layout, { displaylogo: false, responsive: true, displayModeBar: "hover" });
  }
  var holders = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  holders.reduce(function (before, holder) {
    return before.then(function () { return draw(holder); });
  }, Promise.resolve()).then(function () {
    document.documentElement.dataset.charts = String(holders.length);
  });
  dark.addEventListener("change", function () {
    holders.forEach(function (holder) { Plotly.relayout(holder, { "font.color": colours() }); });
  });
})();
