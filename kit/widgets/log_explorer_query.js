// The query line: what is typed is completed with fields and their values; Enter asks. Everything is set as text.
function render({ model, el }) {
  el.classList.add("ik-query");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const list = document.createElement("ul");
  const id = `ik-query-${Math.random().toString(36).slice(2)}`;
  label.textContent = model.get("label");
  label.htmlFor = id;
  Object.assign(input, { id, type: "text", spellcheck: false, autocomplete: "off", value: model.get("value") });
  input.placeholder = model.get("placeholder");
  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-controls": `${id}-list`, "aria-expanded": "false" };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  list.id = `${id}-list`;
  list.setAttribute("role", "listbox");
  list.hidden = true;
  el.append(label, input, list);

  let at = -1, waiting = null;
  const close = () => { at = -1; list.hidden = true; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const ask = () => {
    clearTimeout(waiting);
    close();
    model.set("value", input.value);
    model.save_changes();
  };
  const type = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      model.set("typed", [input.value, input.selectionStart]);
      model.save_changes();
    }, 150);
  };
  const take = (text) => {
    input.value = text;
    input.focus();
    close();
    type();
  };
  function draw() {
    const found = document.activeElement === input ? model.get("suggestions") : [];
    list.replaceChildren();
    found.forEach((text, i) => {
      const item = document.createElement("li");
      item.id = `${id}-${i}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(i === at));
      item.textContent = text;
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(text); });
      list.append(item);
    });
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (at >= 0) input.setAttribute("aria-activedescendant", `${id}-${at}`);
  }
  input.addEventListener("input", type);
  input.addEventListener("blur", close);
  input.addEventListener("change", ask);
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const found = model.get("suggestions");
    const open = !list.hidden;
    if (event.key === "Enter" && open && at >= 0) take(found[at]);
    else if (event.key === "Enter") ask();
    else if (event.key === "Tab" && open && !event.shiftKey) take(found[Math.max(at, 0)]);
    else if (event.key === "ArrowDown" && open) { at = (at + 1) % found.length; draw(); }
    else if (event.key === "ArrowUp" && open) { at = (at + found.length - 1) % found.length; draw(); }
    else if (event.key === "Escape" && open) close();
    else return;
    event.preventDefault();
  });
  model.on("change:suggestions", () => { at = -1; draw(); });
  model.on("change:value", () => { input.value = model.get("value"); close(); });
}
export default { render };
