// A static twin made alive: what carries data-pick is chosen by click, Enter or Space; arrows go from one to the next.
function render({ model, el }) {
  const body = frameOf(model, el, model.get("kind"));
  const all = () => [...body.querySelectorAll("[data-pick]")];
  const seen = () => all().filter((item) => item.getClientRects().length); // not what is folded

  function near(from, key) {
    const items = seen(), here = from.getBoundingClientRect();
    if (key === "Home") return items[0];
    if (key === "End") return items[items.length - 1];
    const [x, y] = [here.left + here.width / 2, here.top + here.height / 2];
    let best = null, least = Infinity;
    for (const item of items) {
      if (item === from) continue;
      const box = item.getBoundingClientRect();
      const [dx, dy] = [box.left + box.width / 2 - x, box.top + box.height / 2 - y];
      const ahead = { ArrowRight: dx, ArrowLeft: -dx, ArrowDown: dy, ArrowUp: -dy }[key];
      const aside = key === "ArrowLeft" || key === "ArrowRight" ? Math.abs(dy) : Math.abs(dx);
      if (ahead > 2 && ahead + 3 * aside < least) { least = ahead + 3 * aside; best = item; }
    }
    return best;
  }
  function stop(item) {
    for (const other of all()) other.setAttribute("tabindex", other === item ? "0" : "-1");
  }
  function pick(item) { model.send({ pick: item.getAttribute("data-pick") }); }

  body.addEventListener("click", (event) => {
    const item = event.target.closest("[data-pick]");
    if (!item || !body.contains(item)) return;
    stop(item);
    item.focus({ preventScroll: true });
    pick(item);
  });
  body.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { model.send({ clear: true }); event.preventDefault(); return; }
    const item = event.target.closest("[data-pick]");
    if (!item) return;
    if (event.key === "Enter" || event.key === " ") { pick(item); event.preventDefault(); return; }
    if (!/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) return;
    event.preventDefault();
    const next = near(item, event.key);
    if (next) { stop(next); next.focus(); }
  });

  function draw() {
    const held = body.contains(document.activeElement) ? document.activeElement.getAttribute("data-pick") : null;
    const unfolded = [...body.querySelectorAll("details")].map((d) => d.open);
    body.replaceChildren(...harmless(model.get("body")).map((n) => document.adoptNode(n)));
    body.querySelectorAll("details").forEach((d, n) => { d.open = unfolded[n] || d.open; });
    const items = all();
    const first = items.find((i) => held !== null && i.getAttribute("data-pick") === held)
      || items.find((i) => i.getAttribute("aria-pressed") === "true") || items[0];
    for (const item of items) {
      if (!item.hasAttribute("role") && item.tagName !== "BUTTON") item.setAttribute("role", "button");
    }
    if (first) stop(first);
    if (held !== null && first) first.focus({ preventScroll: true });
  }
  model.on("change:body", draw);
  draw();
}
export default { render };
