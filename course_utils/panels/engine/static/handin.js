// The form that hands in an exercise: a name, a button, what was found, and the file as a download.

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

function list(title, entries) {
  if (entries.length === 0) return [];
  return [make("h5", {}, title), make("ul", {}, ...entries.map((entry) => make("li", {}, ...marked(entry))))];
}

// A text in which `names` stand as code.
const marked = (text) => text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part));

const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

function render({ model, el }) {
  const id = `handin-${Math.random().toString(36).slice(2)}`;
  const name = make("input", { type: "text", id, autocomplete: "off", spellcheck: false, maxLength: 80, required: true });
  name.value = model.get("_student");
  name.setAttribute("aria-describedby", `${id}-help`);
  const check = make("button", { type: "submit" }, "Check and write the file");
  const anyway = make("button", { type: "button", hidden: true }, "Take the saved file as it is");
  const again = make("button", { type: "button", hidden: true }, "Download the file again");
  const words = make("p", { className: "course-words" });
  words.setAttribute("role", "status");
  const error = make("div", { className: "course-error", hidden: true });
  error.setAttribute("role", "alert");
  const found = make("div", { className: "course-found" });
  const form = make("form", {},
    make("p", { className: "course-state", id: `${id}-help` },
      "Save the notebook first (Ctrl + S): the saved file is what is handed in. It stays as it is."),
    make("div", { className: "course-control" },
      make("label", { htmlFor: id }, "Your name or student number, as your lecturer knows you"), name),
    make("div", { className: "course-buttons" }, check, anyway, again));
  const title = model.get("_title");
  const root = make("section", { className: "course-panel course-handin" },
    make("header", {}, make("h4", {}, title)), form, words, error, found);
  root.setAttribute("aria-label", title);
  root.style.setProperty("--course-width", "900px");
  el.append(root);

  let file = null;
  const download = () => {
    const address = URL.createObjectURL(new Blob([file.bytes], { type: "application/x-ipynb+json" }));
    make("a", { href: address, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  };

  const say = (text) => { words.textContent = text; error.hidden = true; };
  const fail = (text) => { words.textContent = ""; error.replaceChildren(...marked(text)); error.hidden = false; };
  const send = (more) => {
    anyway.hidden = again.hidden = true;
    found.replaceChildren();
    say("Looking through the notebook …");
    model.send({ kind: "check", name: name.value, anyway: false, ...more });
  };

  const receive = (message, buffers) => {
    if (message.kind === "refused") fail(message.message);
    else if (message.kind === "unsaved") { fail(message.message); anyway.hidden = false; }
    else if (message.kind === "written") {
      const [buffer] = buffers;
      const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength).slice();
      file = { name: message.file, bytes };
      again.hidden = false;
      const open = message.warnings.length ? ` ${counted(message.warnings.length, "remark")} below.` : "";
      say(`${message.file} is written and downloaded: send this file to your lecturer.${open}`);
      found.replaceChildren(
        make("p", {}, "Receipt, to keep: ", make("code", { className: "course-receipt" }, message.receipt),
          ". The list of marks shows the same receipt for what was graded."),
        make("p", {}, `Made from the notebook as saved at ${message.saved}. ${message.place} ${message.earlier}`),
        ...list("You may want to mend this, save, and write the file once more", message.warnings),
        ...list("Put right in the file by itself", message.repaired));
      download();
    }
  };
  model.on("msg:custom", receive);

  form.addEventListener("submit", (event) => { event.preventDefault(); send({}); });
  anyway.addEventListener("click", () => send({ anyway: true }));
  again.addEventListener("click", download);
  // A letter typed here is no shortcut of JupyterLab; Ctrl + S still saves.
  name.addEventListener("keydown", (event) => { if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); });

  return () => model.off("msg:custom", receive);
}

export default { render };
