"""Panels among other outputs and widgets in JupyterLab: views, links, containers, saved files, tabs, widths, reruns."""

import io
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from course_utils.bench import browser as lab
from course_utils.bench.slider_follows_the_hand import write_notebook

pytestmark = pytest.mark.browser

# A panel of one's own: two sliders, whose values the picture shows.
RAMP = """
import ipywidgets, traitlets
import matplotlib.pyplot as plt
from course_utils.panels.engine import Panel, Slider, panel
def ramp(ax, a=2, b=3):
    ax.plot([0, 1], [a, b])
    ax.set(ylim=(0, 10))
    return f"From {a} to {b}."
def ramps():
    return panel(ramp, a=range(1, 9), b=range(1, 9))
"""
TRAINING = """
import time
from course_utils.panels.engine import Train
def epochs(train, speed):
    yield 0
    for epoch in range(1, 5 if train else 0):
        time.sleep(0.1 * speed)
        yield epoch
def draw(figure):
    (line,) = figure.subplots().plot([0, 1], [0, 1])
    def show(epoch):
        line.set_ydata([0, 1 / (1 + epoch)])
        return f"After {epoch} epochs."
    return show
Panel("A training", [Slider(name="speed", label="Speed", values=[1, 10]), Train()], epochs, draw, size=(500, 200))
"""
# It draws from the generators that a reader seeds, and says in which thread.
RANDOM = """
import threading, time, torch
from course_utils.panels.engine import Panel, Slider, Train
def epochs(train, speed):
    yield 0
    for epoch in range(1, 40 if train else 0):
        torch.manual_seed(epoch); torch.rand(1000); time.sleep(0.05)
        yield epoch
def draw(figure):
    figure.subplots()
    return lambda epoch: f"After {epoch} epochs, in {threading.current_thread().name}."
Panel("Random", [Slider(name="speed", label="Speed", values=[1, 10]), Train()], epochs, draw, size=(500, 200))
"""
SEEDED = """
torch.manual_seed(0)
total = 0.0
for _ in range(100):
    total += float(torch.rand(10).sum()); time.sleep(0.01)
print(total)
"""
NOTEBOOKS = {
    "seeds.ipynb": [RANDOM, SEEDED],
    "two.ipynb": [
        RAMP,
        "p = ramps(); display(p); display(p)",
        "seen = []\np.observe(lambda c: seen.append(c.new), 'a')",
    ],
    "hides.ipynb": [RAMP, "%matplotlib inline\nplt.plot([1, 2]); plt.show()\nipywidgets.HBox([ramps()])"],
    "linked.ipynb": [
        RAMP,
        "p, q, s = ramps(), ramps(), ipywidgets.IntSlider(min=1, max=8, description='plain')\n"
        "traitlets.link((p, 'a'), (q, 'a')); traitlets.link((p, 'a'), (s, 'value'))\ndisplay(p, q, s)",
    ],
    "boxes.ipynb": [
        RAMP,
        "ipywidgets.HBox([ramps(), ramps()])",
        "ipywidgets.VBox([ramps(), ramps()])",
        "ipywidgets.GridBox([ramps(), ramps()], layout=ipywidgets.Layout(grid_template_columns='1fr 1fr'))",
        "out = ipywidgets.Output()\nwith out:\n    display(ramps())\nout",
        "ipywidgets.Tab([ramps(), ramps()], titles=['one', 'two'])",
    ],
    "training.ipynb": [RAMP, TRAINING],
    "rerun.ipynb": [
        RAMP,
        "import gc, weakref\nalive = weakref.WeakSet()",
        "p = ramps(); alive.add(p); p",
        "gc.collect(); print('drawn:', sum(x._canvas is not None for x in alive), 'of', len(alive))",
    ],
    "saved.ipynb": [RAMP, "p = ramps(); p"],
}
# Of each canvas: the pixels of the screen that it takes, those that it has, and those that its place leaves to it.
SIZES = """(panels) => panels.map((panel) => {
  const canvas = panel.querySelector("canvas"), box = canvas.getBoundingClientRect();
  return [box.width * devicePixelRatio, canvas.width, box.height * devicePixelRatio, canvas.height,
    panel.querySelector(".course-picture").clientWidth];
})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("citizens") / "notebooks"
    folder.mkdir()
    write_notebook(folder / "00_course_map.ipynb", [""])
    for name, cells in NOTEBOOKS.items():
        write_notebook(folder / name, cells)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "course_utils.cli", "lab", "--no-browser", "--ip", "localhost", "--port", "{port}"]
    with lab.serve(folder.parent, command) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with lab.chromium() as browser:
        yield browser


@pytest.fixture
def opened(server: str, chromium: Browser) -> Iterator[Any]:
    """Opens a notebook in a tab, all cells run; the tabs of one test share what a browser stores."""
    context: BrowserContext = chromium.new_context()

    def open_notebook(name: str, *, run: bool = True, **options: Any) -> Page:
        page = lab.open_notebook(context, server, f"notebooks/{name}", **options)
        if run:
            lab.run_all(page)
        return page

    yield open_notebook
    context.close()


def values(panel: Locator) -> list[str]:
    return list(panel.locator("output").all_text_contents())


def words(panel: Locator) -> Locator:
    return panel.locator(".course-words")


def picture(panel: Locator) -> str:
    return str(panel.locator("canvas").evaluate("canvas => canvas.toDataURL()"))


def run_cell(page: Page, number: int) -> None:
    """Run a code cell by its keys, and wait for its new number."""
    cell = page.locator(".jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.text_content()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(prompt).not_to_have_text(str(before))
    expect(prompt).to_have_text(re.compile(r"\d"))


def add_and_run(page: Page, code: str) -> str:
    """Run a line in a new last cell; what it prints."""
    cell = page.locator(".jp-CodeCell").last
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")
    page.wait_for_function(lab.RESTED, timeout=30_000)
    return str(cell.locator(".jp-OutputArea-output").last.text_content() if code.startswith("print") else "")


def assert_legible(panels: Locator, count: int) -> None:
    """Every picture has the pixels that it takes on the screen, and fits into its place."""
    expect(panels).to_have_count(count)
    panels.page.wait_for_timeout(700)
    for wide, pixels, high, rows, room in panels.evaluate_all(SIZES):
        assert abs(wide - pixels) <= 1
        assert abs(high - rows) <= 1
        assert wide <= room + 1


# Views


def test_all_views_of_a_panel_show_one_state(opened: Any) -> None:
    page = opened("two.ipynb", height=2000)
    panels = page.locator(".course-panel")
    expect(panels).to_have_count(2)
    first, second = panels.nth(0), panels.nth(1)
    first.get_by_role("slider").nth(0).press("End")
    expect(words(second)).to_have_text("From 8 to 3.")
    second.get_by_role("slider").nth(1).press("End")
    for panel in (first, second):
        expect(words(panel)).to_have_text("From 8 to 8.")
        assert values(panel) == ["8", "8"]
    page.wait_for_timeout(300)
    assert picture(first) == picture(second)
    assert add_and_run(page, "print(seen[-1], p.a, p.b)") == "8 8 8\n"

    page.locator(".jp-Cell .jp-OutputArea-output").first.click(button="right")
    page.get_by_text("Create New View for Cell Output").click()
    expect(panels).to_have_count(4)  # both outputs of the cell
    third = panels.last
    third.get_by_role("slider").nth(0).press("Home")
    for panel in panels.all():
        expect(words(panel)).to_have_text("From 1 to 8.")


def test_two_tabs_and_a_reload_show_one_panel(opened: Any) -> None:
    here = opened("saved.ipynb")
    here.get_by_role("slider").first.press("End")
    expect(words(here.locator(".course-panel"))).to_have_text("From 8 to 3.")
    here.keyboard.press("Control+S")
    here.wait_for_timeout(1000)
    there = opened("saved.ipynb", run=False)
    expect(words(there.locator(".course-panel"))).to_have_text("From 8 to 3.")
    there.get_by_role("slider").last.press("Home")
    expect(words(here.locator(".course-panel"))).to_have_text("From 8 to 1.")
    here.get_by_role("slider").first.press("Home")
    expect(words(there.locator(".course-panel"))).to_have_text("From 1 to 1.")
    here.wait_for_timeout(300)
    assert picture(here.locator(".course-panel")) == picture(there.locator(".course-panel"))
    here.reload()
    expect(words(here.locator(".course-panel"))).to_have_text("From 1 to 1.", timeout=30_000)
    here.get_by_role("slider").first.press("End")
    expect(words(there.locator(".course-panel"))).to_have_text("From 8 to 1.")


@pytest.mark.slow
def test_a_narrow_tab_that_is_closed_leaves_the_other_its_width(opened: Any) -> None:
    here = opened("saved.ipynb")
    here.keyboard.press("Control+S")
    here.wait_for_timeout(1000)
    picture = here.locator(".course-panel canvas")
    wide = str(picture.get_attribute("width"))
    there = opened("saved.ipynb", run=False)
    there.set_viewport_size({"width": 700, "height": 1000})
    expect(there.locator(".course-panel canvas")).to_have_attribute("width", "320")
    expect(picture).to_have_attribute("width", "320")
    there.close()  # its goodbye may be lost: then it is missed at the next move
    here.get_by_role("slider").first.press("End")
    expect(picture).to_have_attribute("width", wide, timeout=20_000)


def test_nothing_of_the_readers_is_hidden(opened: Any) -> None:
    page = opened("hides.ipynb")
    expect(page.locator(".course-panel")).to_have_count(1)
    expect(page.locator(".jp-RenderedImage img")).to_have_count(1)
    expect(page.locator(".jp-RenderedImage img")).to_be_visible()


# Other widgets


def test_linked_panels_and_a_plain_slider_move_together(opened: Any) -> None:
    page = opened("linked.ipynb", height=1800)
    panels = page.locator(".course-panel")
    expect(panels).to_have_count(2)
    for hand, key, value in ((panels.nth(0), "End", 8), (panels.nth(1), "Home", 1)):
        hand.get_by_role("slider").first.press(key)
        for panel in panels.all():
            expect(words(panel)).to_have_text(f"From {value} to 3.")
            assert values(panel)[0] == str(value)
        expect(page.locator(".widget-readout")).to_have_text(str(value))
    handle = page.locator(".noUi-handle")
    handle.press("ArrowRight")
    for panel in panels.all():
        expect(words(panel)).to_have_text("From 2 to 3.")


@pytest.mark.slow
def test_a_picture_is_legible_in_every_container(opened: Any) -> None:
    page = opened("boxes.ipynb", height=3000)
    panels = page.locator(".course-panel:visible")
    assert_legible(panels, 8)
    page.get_by_role("tab", name="two").last.click()
    assert_legible(panels, 8)
    expect(words(panels.last)).to_have_text("From 2 to 3.")


@pytest.mark.slow
def test_a_picture_is_laid_out_for_the_window(opened: Any) -> None:
    page = opened("saved.ipynb", width=1400)
    panels = page.locator(".course-panel")
    assert_legible(panels, 1)
    page.locator(".jp-SideBar.jp-mod-left").get_by_role("tab", name=re.compile("File Browser")).click()
    widths = []
    for width in (1400, 800, 520):  # JupyterLab takes 150 of them
        page.set_viewport_size({"width": width, "height": 1000})
        assert_legible(panels, 1)
        widths.append(panels.evaluate_all(SIZES)[0][1])
    assert widths == sorted(set(widths), reverse=True)
    panels.get_by_role("slider").first.press("End")
    expect(words(panels)).to_have_text("From 8 to 3.")


# Trainings


def test_train_stop_and_again(opened: Any) -> None:
    page = opened("training.ipynb")
    panel = page.locator(".course-panel")
    status, stop = panel.locator(".course-status"), panel.get_by_role("button", name="Stop")
    expect(stop).to_be_disabled()
    panel.get_by_role("button", name="Train").click()
    expect(status).to_have_text("training …")
    stop.click()
    expect(status).to_have_text("stopped")
    expect(stop).to_be_disabled()
    panel.get_by_role("slider").press("Home")  # faster: each move of a control begins anew
    expect(status).to_have_text("finished")
    expect(words(panel)).to_have_text("After 4 epochs.")
    panel.get_by_role("button", name="Again").click()
    expect(status).to_have_text("training …")
    expect(status).to_have_text("finished")
    panel.get_by_role("button", name="Reset").click()
    expect(words(panel)).to_have_text("After 0 epochs.")
    expect(panel.get_by_role("button", name="Train")).to_be_visible()
    expect(status).to_have_text("")


def test_a_seeded_cell_gets_its_numbers_while_a_network_trains(opened: Any) -> None:
    page = opened("seeds.ipynb")
    panel, output = page.locator(".course-panel"), page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output")
    alone = output.text_content()
    panel.get_by_role("button", name="Train").click()
    expect(words(panel)).to_have_text(re.compile("After [1-9]"))
    run_cell(page, 1)
    assert output.text_content() == alone
    expect(panel.locator(".course-status")).to_have_text("training …")
    expect(words(panel)).to_have_text(re.compile("MainThread"))
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Interrupt Kernel", exact=True).click()
    expect(panel.locator(".course-status")).to_have_text("stopped")


@pytest.mark.slow
def test_a_training_ends_with_its_kernel(opened: Any) -> None:
    page = opened("training.ipynb")
    panel = page.locator(".course-panel")
    panel.get_by_role("button", name="Train").click()
    expect(panel.locator(".course-status")).to_have_text("training …")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Restart Kernel…", exact=True).click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(panel.locator(".course-error")).to_have_text(re.compile("The kernel was restarted"))
    expect(panel.locator(".course-status")).to_have_text("stopped")
    expect(panel.get_by_role("button", name="Stop")).to_be_disabled()
    idle = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
    page.wait_for_selector(idle, timeout=30_000)  # a server that is told to end before needs to be told twice


# Files and memory


def test_running_a_cell_again_frees_its_panel(opened: Any) -> None:
    page = opened("rerun.ipynb")
    for _ in range(10):
        run_cell(page, 2)
        expect(page.locator(".course-panel")).to_have_count(1)
    page.wait_for_timeout(500)
    run_cell(page, 3)
    output = page.locator(".jp-CodeCell").nth(3).locator(".jp-OutputArea-output")
    expect(output).to_have_text(re.compile(r"drawn: 1 of \d+"))  # a picture takes 19 MB


def test_a_saved_notebook_shows_its_picture_and_words_without_a_kernel(
    opened: Any, folder: Path, server: str, chromium: Browser
) -> None:
    shutil.copy(folder / "saved.ipynb", folder / "handed_in.ipynb")
    page = opened("handed_in.ipynb")
    expect(page.locator(".course-panel")).to_have_count(1)
    page.keyboard.press("Control+S")
    page.wait_for_timeout(1500)
    saved = json.loads((folder / "handed_in.ipynb").read_text())
    (output,) = saved["cells"][1]["outputs"]
    assert {"image/png", "text/html"} <= output["data"].keys()
    shutil.copy(folder / "handed_in.ipynb", folder / "reopened.ipynb")  # another file: its kernel made no widget
    page = opened("reopened.ipynb", run=False)
    still = page.locator(".jp-OutputArea-output")
    expect(still).to_contain_text("From 2 to 3.")
    expect(still.locator("img")).to_be_visible()
    expect(page.get_by_text("model not found")).to_have_count(0)
    lab.run_all(page)
    page.get_by_role("slider").first.press("End")
    expect(words(page.locator(".course-panel"))).to_have_text("From 8 to 3.")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_a_picture_follows_the_theme(opened: Any, theme: str) -> None:
    page = opened("saved.ipynb")
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text(theme, exact=True).click()
    dark = theme.endswith("Dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(not dark).lower())
    page.wait_for_timeout(500)
    shot = page.locator(".course-panel canvas").screenshot()
    assert (brightness(shot) < 0.3) is dark


def brightness(shot: bytes) -> float:
    """The mean of a picture, from 0, black, to 1, white."""

    return float(np.asarray(Image.open(io.BytesIO(shot)).convert("L")).mean() / 255)
