// Keeps copies of the reader's notebooks in the browser's storage (IndexedDB), and gives them back in another session.

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

const STORE = "notebooks";

// Resolves to the database, or to null where the browser allows none (a private window, for example).
function open() {
  return new Promise((done) => {
    try {
      const request = indexedDB.open("course-work", 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "name" });
      request.onsuccess = () => done(request.result);
      request.onerror = () => done(null);
    } catch { done(null); }
  });
}

function act(database, mode, action) {
  return new Promise((done, fail) => {
    const request = action(database.transaction(STORE, mode).objectStore(STORE));
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}

const clock = (time) => new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
const counted = (n) => `${n} notebook${n === 1 ? "" : "s"}`;

async function render({ model, el }) {
  const session = model.get("_session");
  const download = make("button", { type: "button" }, "Download my work");
  const choose = make("button", { type: "button" }, "Take up work from a file");
  const kept = make("button", { type: "button", hidden: true });
  const file = make("input", { type: "file", accept: ".zip,.ipynb", hidden: true });
  file.setAttribute("aria-label", "A file with work to take up");
  const words = make("p", { className: "course-words" });
  words.setAttribute("aria-live", "polite");
  const state = make("p", { className: "course-state" });  // of the copies in this browser
  const error = make("div", { className: "course-error", hidden: true });
  error.setAttribute("role", "alert");
  const root = make("section", { className: "course-panel course-keeper" },
    make("header", {}, make("h4", {}, "Keep your work")),
    make("div", { className: "course-buttons" }, download, choose, kept, file), words, error, state);
  root.setAttribute("aria-label", "Keep your work");
  root.style.setProperty("--course-width", "900px");
  el.append(root);

  const say = (text) => { words.textContent = text; error.hidden = true; };
  const fail = (text) => { error.textContent = text; error.hidden = false; };

  const database = await open();
  state.textContent = database
    ? "Whatever you save from now on is copied into this browser as well."
    : "This browser keeps nothing in a private window: download your work before you leave.";

  // What an earlier session has left here, and this one has not seen.
  let left = [];
  const offer = () => {
    kept.hidden = left.length === 0;
    if (left.length === 0) return;
    const last = Math.max(...left.map((entry) => entry.time));
    kept.textContent = `Take up what this browser kept (${counted(left.length)}, ${clock(last)})`;
    kept.title = left.map((entry) => entry.name).join("\n");
  };
  if (database) {
    left = (await act(database, "readonly", (store) => store.getAll())).filter((entry) => entry.session !== session);
    offer();
  }

  const keep = async (message, buffer) => {
    if (!database) return;
    const stored = await act(database, "readonly", (store) => store.get(message.name));
    if (left.some((entry) => entry.name === message.name)) {
      if (stored && stored.session !== session) return;  // older work stays until the reader has taken it up
      left = left.filter((entry) => entry.name !== message.name);  // he has, in another notebook
      offer();
    }
    const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength).slice();
    const entry = { name: message.name, time: 1000 * message.time, session, bytes };
    await act(database, "readwrite", (store) => store.put(entry));
    root.dataset.kept = message.name;
    state.textContent = `Kept in this browser: ${message.name}, as saved on ${clock(entry.time)}.`;
  };

  const receive = async (message, buffers) => {
    if (message.kind === "keep") await keep(message, buffers[0]);
    else if (message.kind === "failed") fail(message.message);
    else if (message.kind === "taken") {
      for (const [name] of message.files) left = left.filter((entry) => entry.name !== name);
      offer();
      const told = message.files.map(([name, path]) => (name === path ? name : `${name} as ${path}`)).join(", ");
      say(`Taken up: ${told}. Open it from the list of files on the left. Where it is open already, choose File > Reload ` +
        "Notebook from Disk there; if JupyterLab asks about a file that has changed, choose Revert.");
    } else if (message.kind === "packed") {
      if (message.names.length === 0) { say("Nothing has been changed and saved yet (Ctrl + S saves a notebook)."); return; }
      const address = URL.createObjectURL(new Blob([buffers[0]], { type: "application/zip" }));
      const stamp = new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-");
      make("a", { href: address, download: `my-work-${stamp}.zip` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      say(`Downloaded: ${message.names.join(", ")}.`);
    }
  };
  model.on("msg:custom", receive);

  download.addEventListener("click", () => model.send({ kind: "pack" }));
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    const [chosen] = file.files;
    model.send({ kind: "take", name: chosen.name }, undefined, [await chosen.arrayBuffer()]);
    file.value = "";  // the same file can be chosen again
  });
  kept.addEventListener("click", () => {
    model.send({ kind: "take", name: "kept.zip" }, undefined, left.map((entry) => entry.bytes.buffer));
  });

  model.send({ kind: "hello" });
  return () => model.off("msg:custom", receive);
}

export default { render };
