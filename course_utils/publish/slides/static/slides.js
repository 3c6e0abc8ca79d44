// Turns the pages. Inside a control the keys belong to the control; Escape gives them back.

const slides = [...document.querySelectorAll(".slide")];
const stage = document.querySelector(".deck");
const numberLine = document.getElementById("number");
const doneLine = document.querySelector(".done");
const SIZE = [1280, 720];
const BAR = 36; // below the slide: its number and the keys
let current = 0;

// The stage is scaled as a whole, so a slide looks the same on a laptop and on a wall.
function fitStage() {
  const scale = Math.min(innerWidth / SIZE[0], (innerHeight - BAR) / SIZE[1]);
  stage.style.transformOrigin = "0 0";
  stage.style.transform = `translate(${Math.max(0, (innerWidth - SIZE[0] * scale) / 2)}px, ${
    Math.max(0, (innerHeight - BAR - SIZE[1] * scale) / 2)}px) scale(${scale})`;
}

// A panel as large as its slide allows; text a little smaller where there is much of it.
function fitSlide(slide) {
  const body = slide.querySelector(".body");
  const panel = body.querySelector(".replay");
  if (panel) {
    panel.style.zoom = 1;
    const note = body.querySelector(".held").offsetHeight + 8;
    const factor = Math.min(1230 / panel.firstElementChild.offsetWidth, (body.clientHeight - note) / panel.offsetHeight);
    panel.style.zoom = Math.max(0.5, Math.min(1.6, factor));
    return;
  }
  for (let fit = 1; fit > 0.48; fit -= 0.05) {
    body.style.setProperty("--fit", fit);
    if (body.scrollHeight <= body.clientHeight && body.scrollWidth <= body.clientWidth) break;
  }
}

function turn(to, { focus = true } = {}) {
  current = Math.max(0, Math.min(slides.length - 1, to));
  slides.forEach((slide, i) => { slide.hidden = i !== current; });
  numberLine.textContent = `${current + 1} / ${slides.length}`;
  doneLine.style.width = `${(100 * (current + 1)) / slides.length}%`;
  fitSlide(slides[current]);
  history.replaceState(null, "", `#${current + 1}`);
  if (focus) slides[current].focus({ preventScroll: true });
}

const KEYS = {
  ArrowRight: () => turn(current + 1), PageDown: () => turn(current + 1), " ": () => turn(current + 1),
  ArrowLeft: () => turn(current - 1), PageUp: () => turn(current - 1),
  Home: () => turn(0), End: () => turn(slides.length - 1),
  h: () => { const hint = slides[current].querySelector(".hint details"); if (hint) hint.open = !hint.open; },
  f: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.()),
};

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const control = event.target.closest("input, select, button, summary, a");
  if (control && event.key === "Escape") { slides[current].focus({ preventScroll: true }); return; }
  if (control?.matches("input, select") || (control && (event.key === " " || event.key === "Enter"))) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (action) { event.preventDefault(); action(); }
}, true);

document.getElementById("next").addEventListener("click", () => turn(current + 1, { focus: false }));
document.getElementById("back").addEventListener("click", () => turn(current - 1, { focus: false }));
addEventListener("resize", () => { fitStage(); fitSlide(slides[current]); });
addEventListener("hashchange", () => turn(Number(location.hash.slice(1)) - 1 || 0));
document.addEventListener("course-shown", () => fitSlide(slides[current]), { once: true });

document.body.classList.add("turning");
fitStage();
turn(Number(location.hash.slice(1)) - 1 || 0, { focus: false });
