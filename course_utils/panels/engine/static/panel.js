// The front end of every panel: native controls, a canvas, a line of words.
// It needs of its model only get, on, off and send, so an exported page can stand in for the kernel.

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

// Each kind of control: an element, how a value is shown in it, and how one is read from it.
const KINDS = {
  slider(spec, changed) {
    const input = make("input", { type: "range", min: 0, max: spec.values.length - 1, step: 1 });
    const output = make("output");
    // Room for the longest value: if a label broke into lines with one value only, its slider would jump away.
    output.style.minWidth = `${Math.min(16, Math.max(...spec.texts.map((text) => text.length)))}ch`;
    const label = () => {
      output.textContent = spec.texts[input.value];
      input.setAttribute("aria-valuetext", output.textContent);
      input.style.setProperty("--filled", `${(100 * input.value) / Math.max(1, input.max)}%`);
    };
    input.addEventListener("input", () => { label(); changed(spec.values[input.value]); });
    const nearest = (value) => spec.values.reduce(
      (best, v, i) => (Math.abs(v - value) < Math.abs(spec.values[best] - value) ? i : best), 0);
    return { input, output, show: (value) => { input.value = nearest(value); label(); } };
  },
  choice(spec, changed) {
    const input = make("select", {}, ...spec.options.map((text) => make("option", { value: text }, text)));
    input.addEventListener("change", () => changed(input.value));
    const long = spec.options.some((text) => text.length > 45); // far more than a column has room for
    return { input, long, show: (value) => { input.value = value; } };
  },
  toggle(spec, changed) {
    const input = make("input", { type: "checkbox" });
    input.addEventListener("change", () => changed(input.checked));
    return { input, show: (value) => { input.checked = value; } };
  },
  text(spec, changed) {
    const input = make("input", { type: "text", spellcheck: false, autocomplete: "off" });
    input.addEventListener("change", () => changed(input.value));
    return { input, show: (value) => { input.value = value; } };
  },
  train(spec, changed, model, tell) {
    const train = make("button", { type: "button" }, "Train");
    const stop = make("button", { type: "button", className: "course-stop", disabled: true }, "Stop");
    const status = make("span", { className: "course-status" });
    status.setAttribute("role", "status");
    train.addEventListener("click", () => (model.get(spec.name) ? tell({ kind: "again" }) : changed(true)));
    stop.addEventListener("click", () => tell({ kind: "stop" }));
    return {
      input: train,
      bare: true,
      beside: [stop, status],
      show: (value) => {
        train.textContent = value ? "Again" : "Train";
        status.textContent = model.get("status");
        stop.disabled = !status.textContent.endsWith("…");
        if (stop.disabled && stop === document.activeElement) train.focus();
      },
    };
  },
  button(spec, changed) {
    let presses = 0;
    const input = make("button", { type: "button" }, spec.label);
    input.addEventListener("click", () => changed(++presses));
    return { input, bare: true, show: (value) => { presses = value; } };
  },
};

function addControl(spec, changed, model, tell) {
  const control = KINDS[spec.kind](spec, changed, model, tell);
  // Random, because each panel of a page loads a copy of this module: a counter would start anew in each.
  const id = `course-${Math.random().toString(36).slice(2)}`;
  control.input.id = id;
  control.input.dataset.name = spec.name;
  // JupyterLab has its own use for arrow keys and letters; inside a control they belong to the control.
  // But Ctrl + S saves, wherever the hand is.
  control.input.addEventListener("keydown", (event) => {
    if (!((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s")) event.stopPropagation();
  });
  const label = make("label", { htmlFor: id }, spec.label);
  control.node = make("div", { className: `course-control course-${spec.kind}${control.long ? " course-long" : ""}` });
  if (!control.bare) control.node.append(label);
  if (control.output) { control.output.htmlFor = id; control.node.append(control.output); }
  control.node.append(control.input, ...(control.beside ?? []));
  return control;
}

// A patch as something to paint: a palette of 256 RGBA colours with deflated indices, or a picture file.
// None of them becomes a Blob: that would travel through the browser's main process, which costs 15 ms in JupyterLab.
async function decode({ mime, width }, buffer) {
  const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);
  if (mime !== "image/x-indexed") {
    const picture = new Image();
    picture.src = `data:${mime};base64,${base64(bytes)}`;
    await picture.decode();
    return picture;
  }
  const palette = new Uint32Array(bytes.slice(0, 1024).buffer);
  const indices = await inflate(bytes.subarray(1024));
  const pixels = new Uint32Array(indices.length);
  for (let i = 0; i < indices.length; i++) pixels[i] = palette[indices[i]];
  return new ImageData(new Uint8ClampedArray(pixels.buffer), width);
}

async function inflate(bytes) {
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  writer.write(bytes);
  writer.close();
  return new Uint8Array(await new Response(stream.readable).arrayBuffer());
}

function base64(bytes) {
  const parts = []; // a function takes only so many arguments
  for (let i = 0; i < bytes.length; i += 8192) parts.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return btoa(parts.join(""));
}

// A kernel that has ended or was restarted does not know the panel any more. Its first cells, with the imports, have to
// run again too, so the way out is to run the notebook from the top.
const FROM_THE_TOP = "run this notebook from the top (Run > Run All Cells).";
const ENDED = "The kernel has ended, perhaps because memory ran out: close other notebooks (Kernel > Shut Down Kernel), then "
  + FROM_THE_TOP;
const NO_ANSWER = "The kernel has not answered for 5 seconds. If it is busy, wait; if it was restarted, " + FROM_THE_TOP;

const RESTARTED = "The kernel was restarted: " + FROM_THE_TOP;
const hasEnded = (model) => ["restarting", "autorestarting", "dead"].includes(model.widget_manager?.kernel?.status);

function render({ model, el }) {
  const specs = model.get("_controls");
  const view = crypto.randomUUID?.() ?? String(Math.random());
  let waiting = false;  // for a picture of the values that the controls have
  let announce = 0;
  let patience = 0;     // the timer of an answer that does not come
  let told = "";        // what the kernel knows of this view

  const wait = () => {
    waiting = true;
    root.classList.add("course-waiting");
    clearTimeout(patience);
    patience = setTimeout(() => {
      if (!waiting) return;
      if (hasEnded(model)) return ended();
      showError({ message: NO_ANSWER });
      told = ""; // it may have taken this view for one that is gone
      hello();
    }, 5000);
  };
  const move = (values) => {
    const changes = Object.entries(values).filter(([name, value]) => model.get(name) !== value);
    if (changes.length === 0) return;
    changes.forEach(([name, value]) => model.set(name, value));
    wait();
    model.save_changes(); // one question is under way at a time; meanwhile the newest values gather
  };
  // The values of a picture are those of the controls, unless a hand has moved on.
  const answered = (values) => specs.every(({ name }) => values[name] === model.get(name));

  // A kernel that has ended cannot be told anything.
  const tell = (content) => {
    try {
      model.send(content);
    } catch {
      ended();
    }
  };
  const ended = () => {
    showError({ message: model.widget_manager?.kernel?.status === "restarting" ? RESTARTED : ENDED });
    root.classList.remove("course-working", "course-waiting");
    root.querySelectorAll(".course-status").forEach((status) => { if (status.textContent.endsWith("…")) status.textContent = "stopped"; });
    root.querySelectorAll(".course-stop").forEach((stop) => { stop.disabled = true; });
  };

  const controls = Object.fromEntries(specs.map((spec) => [
    spec.name, addControl(spec, (value) => move({ [spec.name]: value }), model, tell)]));
  const showValue = (name) => controls[name].show(model.get(name));

  const reset = make("button", { type: "button", className: "course-reset", title: "All controls back to their start" }, "Reset");
  reset.addEventListener("click", () => {
    // As the cell showed the panel: what it says now, if another cell has shown it since.
    move(Object.fromEntries(model.get("_controls").map(({ name, value }) => [name, value])));
  });

  const [width, height] = model.get("_size");
  const canvas = make("canvas", { width, height });
  canvas.style.width = `${width}px`;
  canvas.setAttribute("role", "img");
  const words = make("p", { className: "course-words" });
  const notice = make("p", { className: "course-notice", hidden: true });
  notice.setAttribute("role", "status");
  const spoken = make("div", { className: "course-spoken" });
  spoken.setAttribute("aria-live", "polite");
  const bar = make("div", { className: "course-bar" });
  const error = make("div", { className: "course-error", hidden: true });
  error.setAttribute("role", "alert");
  const title = model.get("_title");
  const picture = make("div", { className: "course-picture" }, canvas, bar);
  const root = make("section", { className: "course-panel" },
    make("header", {}, make("h4", {}, title), reset),
    make("div", { className: "course-controls" }, ...specs.map((spec) => controls[spec.name].node)),
    picture, words, notice, error, spoken);
  root.setAttribute("aria-label", title);
  specs.forEach(({ name }) => showValue(name));
  el.classList.add("course-view");
  el.append(root);

  const say = (text) => {
    words.textContent = text;
    canvas.setAttribute("aria-label", text);
    // Spoken once the hand rests: a voice cannot follow twenty changes a second.
    clearTimeout(announce);
    announce = setTimeout(() => { spoken.textContent = text; }, 600);
  };

  const showError = (problem) => {
    error.hidden = !problem;
    if (!problem) return;
    error.replaceChildren(make("strong", {}, problem.message));
    if (problem.traceback)
      error.append(make("details", {}, make("summary", {}, "Traceback"), make("pre", {}, problem.traceback)));
  };

  const showWords = (message) => {
    say(message.words);
    showError(message.error);
    notice.textContent = message.notice;
    notice.hidden = !notice.textContent;
  };

  // Frames are decoded side by side but painted in the order in which they came.
  let painted = Promise.resolve();
  const receive = (message, buffers) => {
    if (message.kind === "roll") tell({ kind: "here", view });
    if (message.kind !== "frame" && message.kind !== "accepted") return;
    const bitmaps = (message.patches ?? []).map((patch, i) => decode(patch, buffers[i]));
    painted = painted.then(async () => {
      const pictures = await Promise.all(bitmaps);
      if (message.kind === "frame") {
        const [width, height] = [message.width, message.height].map((side) => Math.round(side * message.scale));
        if (canvas.width !== width || canvas.height !== height) {
          canvas.width = width;
          canvas.height = height;
          canvas.style.width = `${message.width}px`;
        }
        // Where there is less room than any picture is made for, it keeps its size and is moved by hand. One that was
        // made for more room, before the page became narrower, is shown smaller until the next one comes.
        const room = Math.floor(picture.clientWidth);
        const scrolls = message.width > room && (message.room ?? room) === room;
        picture.classList.toggle("course-scrolls", scrolls);
        picture.tabIndex = scrolls ? 0 : -1;
        const context = canvas.getContext("2d");
        pictures.forEach((picture, i) => {
          const { x, y } = message.patches[i];
          if (picture instanceof ImageData) context.putImageData(picture, x, y);
          else context.drawImage(picture, x, y);
        });
        showWords(message);
        root.dataset.shown = Number(root.dataset.shown ?? 0) + 1;
        root.dispatchEvent(new CustomEvent("course-shown", { detail: message, bubbles: true }));
      }
      root.classList.toggle("course-working", message.settled === false || message.kind === "accepted");
    }).catch((problem) => showError({ message: `The picture could not be shown: ${problem}` }));
    if (answered(message.values)) {
      waiting = false;
      root.classList.remove("course-waiting");
    }
  };

  if (model.get("words")) say(model.get("words")); // the picture comes a little later

  const showStatus = () => specs.filter(({ kind }) => kind === "train").forEach(({ name }) => showValue(name));
  const listeners = [["msg:custom", receive], ["change:status", showStatus],
    ["comm_live_update", () => { if (hasEnded(model)) ended(); }],
    ...specs.map(({ name }) => [`change:${name}`, () => showValue(name)])];
  listeners.forEach(([event, listener]) => model.on(event, listener));

  // The picture is laid out for the width that there is; while that changes, as a hand drags, it is not.
  let resized = 0;
  const hello = () => {
    const room = Math.floor(picture.clientWidth);
    if (!root.isConnected || room === 0) return; // not on the page yet, or in a tab that is not shown
    const scale = Math.max(1, Math.min(2, Math.ceil((window.devicePixelRatio || 1) - 0.25)));
    const hidden = document.hidden; // another page may be in front of this one
    if (told === `${scale} ${room} ${hidden}`) return;
    told = `${scale} ${room} ${hidden}`;
    tell({ kind: "hello", view, scale, width: room, hidden });
  };
  const observer = new ResizeObserver(() => {
    clearTimeout(resized);
    if (told) resized = setTimeout(hello, 150);
    else hello();
  });
  observer.observe(picture);
  const leaving = () => { told = ""; tell({ kind: "leaving" }); }; // it may come back: a page that is loaded again does
  document.addEventListener("visibilitychange", hello);
  window.addEventListener("pagehide", leaving);
  window.addEventListener("pageshow", hello); // a page that comes back as it was
  return () => {
    observer.disconnect();
    document.removeEventListener("visibilitychange", hello);
    window.removeEventListener("pagehide", leaving);
    window.removeEventListener("pageshow", hello);
    clearTimeout(resized);
    listeners.forEach(([event, listener]) => model.off(event, listener));
    model.send({ kind: "bye", view });
  };
}

export default { render };
