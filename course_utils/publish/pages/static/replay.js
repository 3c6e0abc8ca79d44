// Stands in for the kernel of a panel: answers its model's moves from pictures that were computed beforehand.
// It follows panel.js in one script, and uses its `make`, `inflate` and `render`.

const FILM_SECONDS = 3; // a training is shown in about so long, whatever it took to compute
const bytesOf = (id) => {
  const text = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
};

// What a page holds of one panel: `films` says for each setting what is seen, by numbers of pictures, words and errors.
async function open(id) {
  const store = JSON.parse(new TextDecoder().decode(await inflate(bytesOf(`${id}-index`))));
  const bytes = bytesOf(`${id}-files`);
  let end = 0;
  store.files = store.lengths.map((length) => bytes.subarray(end, (end += length)));
  store.found = new Map(store.settings.map((setting, i) => [setting.join(), i]));
  return store;
}

// The levels nearest to what is asked for. A button counts on for ever; the page starts over when its draws are used up.
function wanted(head, state) {
  return head.levels.map(({ name, values: offered }) => {
    const value = state[name];
    const at = offered.indexOf(value);
    if (at >= 0) return at;
    const kind = head.controls.find((control) => control.name === name).kind;
    if (kind === "button") return (((value - offered[0]) % offered.length) + offered.length) % offered.length;
    if (typeof value !== "number") return 0;
    return offered.reduce((best, v, i) => (Math.abs(v - value) < Math.abs(offered[best] - value) ? i : best), 0);
  });
}

// A setting that is held: that one, or one where what the hand has just moved stays and as little as possible else moves.
function snap(store, asked, shown) {
  if (store.found.has(asked.join())) return asked;
  const moved = asked.map((level, i) => level !== shown[i]);
  const distance = (setting) => setting.reduce((sum, level, i) => sum + (level === asked[i] ? 0
    : (moved[i] ? 1e6 : 1e3) + Math.abs(level - asked[i])), 0);
  return store.settings.reduce((best, one) => (distance(one) < distance(best) ? one : best));
}

class Replay {
  constructor(head, load, tell) {
    this.head = head;
    this.load = load;
    this.tell = tell;
    this.listeners = new Set();
    this.shown = head.levels.map(({ at }) => at);
    this.state = { _title: head.title, _controls: head.controls, _size: head.size, words: "", _notice: "", status: "", _error: null };
    head.levels.forEach(({ name, values, at }) => { this.state[name] = values[at]; });
    this.turn = 0; // of the question that is being answered; an older one is dropped
  }

  get(key) { return this.state[key]; }

  set(key, value) {
    if (this.state[key] === value) return;
    this.state[key] = value;
    this.tellAll(`change:${key}`);
  }

  on(event, listener) { this.listeners.add([event, listener]); }
  off(event, listener) { this.listeners.forEach((entry) => { if (entry[1] === listener) this.listeners.delete(entry); }); }
  tellAll(event, ...details) { this.listeners.forEach(([name, listener]) => { if (name === event) listener(...details); }); }
  values() { return Object.fromEntries(this.head.levels.map(({ name }) => [name, this.state[name]])); }

  send({ kind }) {
    if (kind === "hello") this.answer(true);
    else if (kind === "again") this.answer(false);
    else if (kind === "stop") {
      this.turn += 1;
      this.set("status", "stopped");
      this.frame([], [], true);
    }
  }
  save_changes() { this.answer(false); }

  async answer(greeting) {
    const turn = ++this.turn;
    const store = await (this.store ??= this.load());
    if (turn !== this.turn) return;
    this.pixels = store.size[0];
    const asked = greeting ? this.shown : wanted(this.head, this.state);
    const setting = snap(store, asked, this.shown);
    const gave = asked.map((level, i) => (level === setting[i] ? null : this.head.controls[i].label)).filter(Boolean);
    this.tell(gave);
    this.shown = setting;
    this.head.levels.forEach(({ name, values }, i) => this.set(name, values[setting[i]]));
    const film = store.films[store.found.get(setting.join())];
    await this.play(store, greeting ? film.slice(-1) : film, turn);
  }

  async play(store, film, turn) {
    const training = this.head.controls.some(({ kind, name }) => kind === "train" && this.state[name]);
    this.set("status", training ? "training …" : "");
    if (film.length > 1) this.tellAll("msg:custom", { kind: "accepted", values: this.values() }, []);
    for (const [i, still] of film.entries()) {
      if (turn !== this.turn) return; // the hand has moved on
      this.still(store, still, i === film.length - 1);
      if (i < film.length - 1) await new Promise((done) => setTimeout(done, Math.min(300, (1000 * FILM_SECONDS) / film.length)));
    }
    if (training) this.set("status", "finished");
  }

  still(store, [picture, words, error], settled) {
    const patches = [];
    const buffers = [];
    const paint = (file, x, y) => { patches.push({ x, y, mime: "image/webp" }); buffers.push(store.files[file]); };
    if (error < 0 || !this.painted) { // a setting that is refused leaves the picture as it is
      paint(0, 0, 0); // what all pictures have in common
      store.pictures[picture].forEach((file, i) => { if (file >= 0) paint(file + 1, ...store.places[i]); });
      this.painted = true;
    }
    this.set("words", store.words[words] || this.state.words);
    this.set("_error", store.errors[error] ?? null);
    this.frame(patches, buffers, settled);
  }

  frame(patches, buffers, settled) {
    const [width, height] = this.head.size;
    const scale = this.pixels / width;
    const { words, _notice: notice, _error: error } = this.state;
    const said = { values: this.values(), words, notice, error };
    this.tellAll("msg:custom", { kind: "frame", settled, ...said, width, height, scale, patches }, buffers);
  }
}

const list = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0]);

// Bring a panel of the page to life, and give its resting controls their reasons.
function enliven(box) {
  const id = box.id;
  const head = JSON.parse(document.getElementById(`${id}-head`).textContent);
  const note = document.getElementById(`${id}-note`);
  const moved = make("span", {});
  moved.setAttribute("role", "status");
  note?.prepend(moved);
  const tell = (names) => {
    moved.textContent = names.length ? `Not held with this value, so moved too: ${list(names)}. ` : "";
  };
  box.replaceChildren();
  render({ model: new Replay(head, () => open(id), tell), el: box });
  for (const [name, why] of Object.entries(head.resting)) {
    const input = box.querySelector(`[data-name="${name}"]`);
    const reason = make("small", { id: `${id}-${name}-why`, className: "course-why" }, why);
    input.disabled = true;
    input.setAttribute("aria-describedby", reason.id);
    input.after(reason);
  }
}

document.querySelectorAll(".replay").forEach(enliven);
