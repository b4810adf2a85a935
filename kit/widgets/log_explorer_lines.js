// The lines: one is chosen by mouse or by the arrow keys; its fields are shown, and what can be done with it.
function render({ model, el }) {
  el.classList.add("ik-lines");
  ownKeys(el);
  const table = document.createElement("div");
  const more = document.createElement("div");
  table.className = "ik-lines-rows";
  table.tabIndex = 0;
  table.setAttribute("role", "listbox");
  table.setAttribute("aria-label", "Lines. Up and down choose one, Enter shows the lines around it.");
  more.className = "ik-lines-more";
  el.append(table, more);
  const act = (name) => { if (model.get("chosen") >= 0) model.send({ act: name, row: model.get("chosen") }); };

  function cell(row, name, text) {
    const made = document.createElement("span");
    made.className = `ik-line-${name}`;
    made.textContent = text;
    row.append(made);
  }
  function draw() {
    table.replaceChildren();
    const rows = model.get("rows");
    if (!rows.length) table.textContent = model.get("empty");
    rows.forEach((line, i) => {
      const row = document.createElement("div");
      row.className = "ik-line";
      row.setAttribute("role", "option");
      row.id = `${model.get("key")}-${i}`;
      for (const [name, text] of [["time", line.time], ["service", line.service], ["level", line.level], ["message", line.message]]) cell(row, name, text);
      row.dataset.level = line.level;
      row.addEventListener("click", () => choose(i));
      table.append(row);
    });
    mark();
  }
  function choose(i) {
    const n = model.get("rows").length;
    if (!n) return;
    model.set("chosen", Math.min(Math.max(i, 0), n - 1));
    model.save_changes();
  }
  function mark() {
    const at = model.get("chosen");
    [...table.children].forEach((row, i) => row.setAttribute?.("aria-selected", String(i === at)));
    more.replaceChildren();
    const line = model.get("rows")[at], shown = table.children[at];
    if (!line || !shown) return; // a choice that comes with its rows is marked once they are drawn
    table.setAttribute("aria-activedescendant", `${model.get("key")}-${at}`);
    shown.scrollIntoView({ block: "nearest" });
    const bar = document.createElement("div");
    for (const [name, label] of model.get("acts")) {
      if (name === "follow" && !line.follows) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "jupyter-button";
      button.textContent = label;
      button.addEventListener("click", () => act(name));
      bar.append(button);
    }
    const list = document.createElement("dl");
    for (const [name, text] of line.fields) {
      const term = document.createElement("dt"), value = document.createElement("dd");
      term.textContent = name;
      value.textContent = text;
      list.append(term, value);
    }
    more.append(bar, list);
  }
  table.addEventListener("keydown", (event) => {
    const at = model.get("chosen");
    if (event.key === "ArrowDown") choose(at + 1);
    else if (event.key === "ArrowUp") choose(Math.max(at - 1, 0));
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(model.get("rows").length - 1);
    else if (event.key === "Enter") act("around");
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  model.on("change:rows", draw);
  model.on("change:chosen", mark);
  draw();
}
export default { render };
