"""When a picture answers a hand, by its pixels alone: nothing that a panel says of itself is believed.

The clock starts in the page's own `keydown`, `click` or `input`, before the panel hears of it, and stops in the first
animation frame in which the canvas has other pixels. It starts only after the picture has rested, so a late answer to
the move before is not taken for an answer to this one. The pixels are read only in frames before which something was
drawn on the canvas: reading them in each would cost more than the panel does.
"""

from typing import Any

__all__ = ["REST", "drag", "press", "train", "watch"]

REST = 150  # milliseconds without a change after which a picture rests
PATIENCE = 3000  # milliseconds for a picture that does not change at all
DRAG = 50  # events of a drag, 20 ms apart

SCRIPT = """([rest, patience]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const pixels = (canvas) => new Uint32Array(
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  const differ = (a, b) => {
    if (a.length !== b.length) return true;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return true;
    return false;
  };
  const canvasOf = (input) => input.closest("section").querySelector("canvas");
  const written = new WeakMap(); // how often was drawn on a canvas
  for (const name of ["putImageData", "drawImage"]) {
    const draw = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...details) {
      written.set(this.canvas, (written.get(this.canvas) ?? 0) + 1);
      return draw.apply(this, details);
    };
  }
  // Says in each frame whether the canvas has other pixels than in the frame before.
  const watcher = (canvas) => {
    let before = pixels(canvas), seen = written.get(canvas);
    return () => {
      if (seen === written.get(canvas)) return false;
      seen = written.get(canvas);
      const now = pixels(canvas), different = differ(before, now);
      before = now;
      return different;
    };
  };
  // When the picture changed first and last, until `over(milliseconds since the last change)`.
  const changes = async (canvas, over) => {
    const changed = watcher(canvas);
    let first = null, last = performance.now();
    do {
      await frame();
      const time = performance.now();
      if (changed()) { first ??= time; last = time; }
    } while (!over(performance.now() - last));
    return { first, last };
  };
  const heard = (kind) => new Promise((done) =>
    document.addEventListener(kind, () => done(performance.now()), { capture: true, once: true }));

  window.rests = (input) => changes(canvasOf(input), (since) => since > rest);
  window.answer = async (input, kind) => {
    const changed = watcher(canvasOf(input));
    let start = null, time;
    heard(kind).then((t) => { start = t; });
    do {
      await frame();
      time = performance.now();
      if (changed() && start !== null) return time - start;
    } while (start === null || time - start < patience);
    return null;
  };
  window.lag = async (input, events) => {
    const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
    const begin = Number(input.value), steps = Number(input.max);
    let end = null;
    const watched = changes(canvasOf(input), (since) => end && since > rest && performance.now() - end > 2 * rest);
    for (let i = 1; i <= events; i++) {
      input.value = (begin + Math.max(1, Math.round((i * steps) / events))) % (steps + 1);
      input.dispatchEvent(new Event("input"));
      if (i === events) end = performance.now();
      await sleep(20);
    }
    const { first, last } = await watched;
    return first === null ? null : Math.max(0, last - end);
  };
}"""
# Until the words beside the button, which a reader sees too, no longer end with an ellipsis, and the picture rests.
TRAINED = """async (button) => {
  const words = () => button.parentElement.querySelector('[role="status"]').textContent;
  while (!words() || words().endsWith("…")) await new Promise(requestAnimationFrame);
  return performance.now();
}"""


def watch(page: Any) -> None:
    """Teach a page to look at its canvases; once, before the other functions of this module."""
    page.evaluate(SCRIPT, [REST, PATIENCE])


def press(page: Any, control: Any, key: str) -> float | None:
    """Milliseconds from a key press on a control to the first frame that differs; None where no picture does."""
    control.focus()
    control.evaluate("async (input) => { await rests(input); window.answered = answer(input, 'keydown'); }")
    page.keyboard.press(key)
    answered: float | None = page.evaluate("() => window.answered")
    return answered


def drag(control: Any) -> float | None:
    """Milliseconds from the last event of a drag over a slider's whole length to the last frame that differs."""
    control.evaluate("(input) => rests(input)")
    lag: float | None = control.evaluate("(input, events) => lag(input, events)", DRAG)
    return lag


def train(page: Any, button: Any) -> tuple[float | None, float]:
    """Milliseconds from a click on *Train* to the first frame that differs, and to the end of the training."""
    button.evaluate(
        """async (button) => {
          await rests(button);
          button.addEventListener("click", () => { window.clicked = performance.now(); }, { once: true });
          window.answered = answer(button, "click");
        }"""
    )
    button.click()
    first: float | None = page.evaluate("() => window.answered")
    end = button.evaluate(TRAINED)
    return first, float(end - page.evaluate("() => window.clicked"))
