"""Claim: every panel of every notebook answers a key press within 100 ms (p95) where nothing has to be trained.

Where a panel trains, its first moving picture is up within 300 ms of the switch, and it has settled within 3 s. Each
notebook is opened in JupyterLab in headless Chromium and run from top to bottom; then every panel is moved by its first
slider, or by its first list, and those that train are switched on. One row for each notebook: its slowest panel.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from course_utils._support.paths import NOTEBOOKS
from course_utils.bench import browser
from course_utils.bench.slider_follows_the_hand import p95, row

__all__ = ["run"]

PRESSES = 40
REST = 300  # milliseconds between scrolling to a panel and the first press: the page is still being drawn
# Milliseconds from a key press, or from a switch, to the first frame that answers it, and to the last one.
MOVE = """async ([index, presses]) => {
  const root = document.querySelectorAll(".course-panel")[index];
  const input = root.querySelector('input[type="range"]');
  if (!input) return [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const times = [];
  for (let i = 0; i < presses; i++) {
    const answered = new Promise((done) => root.addEventListener("course-shown", done, { once: true }));
    const before = Number(input.value), last = Number(input.max);
    input.value = i % 2 ? Math.max(0, before - 1) : Math.min(last, before + 1);
    if (Number(input.value) === before) input.value = before ? before - 1 : before + 1;
    const start = performance.now();
    input.dispatchEvent(new Event("input"));
    await Promise.race([answered, new Promise((done) => setTimeout(done, 5000))]);
    await frame();
    if (i >= 3) times.push(performance.now() - start);
    while (root.classList.contains("course-working")) await frame();
  }
  return times;
}"""
TRAIN = """async (index) => {
  const root = document.querySelectorAll(".course-panel")[index];
  const box = [...root.querySelectorAll("label")].find((label) => label.textContent.includes("Train live"));
  if (!box) return [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  let first = 0, count = 0;
  const start = performance.now();
  root.addEventListener("course-shown", () => { count += 1; if (count === 2) first = performance.now() - start; });
  box.parentElement.querySelector("input").click();
  do await frame(); while (performance.now() - start < 500 || root.classList.contains("course-working"));
  return [first, performance.now() - start];
}"""


def run(device: str = "cpu") -> list[dict[str, Any]]:
    """Measure all notebooks of the course."""
    paths = sorted(NOTEBOOKS.glob("[01][0-9]_*.ipynb"))[1:]  # the course map shows one of the others' panels
    if not paths:
        raise RuntimeError(f"no notebooks in {NOTEBOOKS}; run it in a clone of the course")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for path in paths:
            shutil.copy(path, temporary)
        with browser.serve(Path(temporary)) as address, browser.chromium() as chromium:
            for path in paths:
                rows += notebook_rows(chromium, address, path.name)
    return rows


def notebook_rows(chromium: Any, address: str, name: str) -> list[dict[str, Any]]:
    """The slowest panel of a notebook, and the slowest that trains."""
    page = browser.open_notebook(chromium, address, name, height=1100)
    try:
        browser.run_all(page)
        count = page.locator(".course-panel").count()
        moved: list[tuple[float, str]] = []
        trained = []
        for index in range(count):
            page.locator(".course-panel").nth(index).scroll_into_view_if_needed()
            trained.append(page.evaluate(TRAIN, index))
            if not trained[-1]:
                page.wait_for_timeout(REST)
                title = page.locator(".course-panel").nth(index).get_attribute("aria-label")
                if times := page.evaluate(MOVE, [index, PRESSES]):
                    moved.append((p95(times), str(title)))
        slowest, title = max(moved, default=(0.0, "none"))
        rows = [row(f"{name[:2]}: {count} panels, slowest ({title}), p95 ms", slowest, None, None, "<= 100 ms")]
        for first, settled in [max((t for t in trained if t), key=lambda t: t[1])] if any(trained) else []:
            rows.append(row(f"{name[:2]}: switch to first moving picture, ms", first, None, None, "<= 300 ms"))
            rows.append(row(f"{name[:2]}: switch to settled picture, ms", settled, None, None, "<= 3000 ms"))
        return rows
    finally:
        page.close()
