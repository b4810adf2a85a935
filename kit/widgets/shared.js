// What all widgets share: elements whose text is text, markup made harmless, and the foot with code and pin.
const NS = "http://www.w3.org/2000/svg";

function element(name, attributes, parent, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}

function node(name, className, parent, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}

// The kernel escapes every text; a second lock all the same: nothing active is let into the page.
function harmless(markup) {
  const page = new DOMParser().parseFromString(markup, "text/html");
  page.querySelectorAll("script,iframe,object,embed,link,style,img,form,meta,base,foreignObject").forEach((n) => n.remove());
  page.querySelectorAll("*").forEach((n) => {
    for (const { name, value } of [...n.attributes]) {
      if (/^on/i.test(name) || name === "href" || name === "src" || /^\s*javascript:/i.test(value)) n.removeAttribute(name);
    }
  });
  return [...page.body.childNodes];
}

// JupyterLab's own shortcuts must not hear what is meant for the widget.
function ownKeys(el) {
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  el.addEventListener("keydown", (event) => event.stopPropagation());
}

function frameOf(model, el, kind) {
  el.classList.add("ik-alive", `ik-${kind}`);
  ownKeys(el);
  const title = node("div", "ik-title", el);
  const said = node("div", "ik-said", el);
  said.setAttribute("role", "status");
  const body = node("div", "ik-body", el);
  const foot = node("div", "ik-foot", el);
  const tell = () => {
    title.textContent = model.get("title");
    said.textContent = model.get("said");
    said.classList.toggle("ik-bad", model.get("wrong"));
    if (model.get("wrong")) said.setAttribute("role", "alert");
    else said.setAttribute("role", "status");
  };
  for (const name of ["title", "said", "wrong"]) model.on(`change:${name}`, tell);
  tell();
  foots(model, foot);
  return body;
}

function foots(model, foot) {
  const show = node("button", "ik-button", foot, "Show code");
  show.setAttribute("aria-expanded", "false");
  const pin = node("button", "ik-button", foot, "Pin this …");
  pin.setAttribute("aria-expanded", "false");
  const form = node("span", "ik-pin", foot);
  const sentence = node("input", "ik-input", form);
  sentence.setAttribute("aria-label", "What does this show? One sentence");
  sentence.placeholder = "What does this show? One sentence, then Enter";
  sentence.maxLength = 500;
  const keep = node("button", "ik-button", form, "Pin");
  const code = node("pre", "ik-code", foot);
  const open = (button, part, wanted) => {
    part.hidden = !wanted;
    button.setAttribute("aria-expanded", String(wanted));
  };
  open(show, code, false);
  open(pin, form, false);
  show.addEventListener("click", () => open(show, code, code.hidden));
  pin.addEventListener("click", () => { open(pin, form, form.hidden); if (!form.hidden) sentence.focus(); });
  const send = () => {
    model.send({ pin: sentence.value });
    if (!sentence.value.trim()) return;
    sentence.value = "";
    open(pin, form, false);
    pin.focus();
  };
  keep.addEventListener("click", send);
  sentence.addEventListener("keydown", (event) => {
    if (event.key === "Enter") send();
    if (event.key === "Escape") { open(pin, form, false); pin.focus(); }
  });
  const tell = () => { code.textContent = model.get("code_text"); pin.hidden = !model.get("pinnable"); };
  model.on("change:code_text", tell);
  model.on("change:pinnable", tell);
  tell();
}
