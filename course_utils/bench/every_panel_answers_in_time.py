"""Claim: every slider of every panel answers a key press within 60 ms (p95), and a drag within 100 ms of its end.

Where a panel trains, its first moving picture is up within 300 ms of *Train*, and it has finished within 3 s. Each
notebook is opened in JupyterLab in headless Chromium and run from top to bottom; then every slider is moved by its
keys, and the slowest of each panel for longer and by a drag. All times are taken from the pixels: see `pixels`.
"""

import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from course_utils._support.paths import NOTEBOOKS
from course_utils.bench import browser, pixels
from course_utils.bench.slider_follows_the_hand import moved, p95, row

__all__ = ["run"]

FEW, MANY = 6, 30  # presses of each slider, and of the slowest of a panel


def run(device: str = "cpu", *, only: str = "") -> list[dict[str, Any]]:
    """Measure all notebooks of the course, or those whose names begin with `only`."""
    paths = sorted(NOTEBOOKS.glob(f"{only}*.ipynb"))
    paths = [
        path for path in paths if path.name[:2].isdigit() and not path.name.startswith("00")
    ]  # the map's are others'
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
    """The slowest slider of each panel of a notebook, and each training."""
    page = browser.open_notebook(chromium, address, name, height=1100)
    try:
        browser.run_all(page)
        pixels.watch(page)
        rows = []
        for panel in page.locator(".course-panel").all():
            panel.scroll_into_view_if_needed()
            rows += panel_rows(page, panel, name[:2])
        return rows
    finally:
        page.close()


def panel_rows(page: Any, panel: Any, number: str) -> list[dict[str, Any]]:
    """Of one panel: its slowest slider, and its training."""
    title, rows = f"{number} {panel.get_attribute('aria-label'):.28}", []
    sliders = panel.get_by_role("slider").all()
    if timed := [(max(times), i) for i, slider in enumerate(sliders) if (times := moved(page, slider, FEW))]:
        slowest = sliders[max(timed)[1]]
        name, times = slowest.get_attribute("data-name"), moved(page, slowest, MANY)
        rows.append(row(f"{title}, {name}: median ms", median(times), None, None, ""))
        rows.append(row(f"{title}, {name}: p95 ms", p95(times), None, None, "<= 60 ms"))
        if (lag := pixels.drag(slowest)) is not None:
            rows.append(row(f"{title}, {name}: lag of a drag, ms", lag, None, None, "<= 100 ms"))
    train = panel.get_by_role("button", name="Train", exact=True)
    if train.count():
        first, finished = pixels.train(page, train.element_handle())  # its words change
        if first is not None:
            rows.append(row(f"{title}: Train to first moving picture, ms", first, None, None, "<= 300 ms"))
        rows.append(row(f"{title}: Train to finished, ms", finished, None, None, "<= 3000 ms"))
    return rows
