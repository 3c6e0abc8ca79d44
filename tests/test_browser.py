"""The course where the reader sits: `course lab` in JupyterLab, in headless Chromium, under keyboard and mouse.

One server and one run of notebook 04 serve all tests of this file, which go through the page from top to bottom.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from course_utils.bench import browser as lab
from notebooks import write

ROOT = Path(__file__).parent.parent
NOTEBOOK = "notebooks/04_sparse_and_group_sparse_penalties.ipynb"
FAILING = """
from course_utils.panels.engine import Slider
from course_utils.panels.engine import Panel
def reciprocal(x):
    return 1 / x
def draw(figure):
    (line,) = figure.subplots().plot([0, 1], [0, 1])
    def show(y):
        line.set_ydata([0, y])
        return f"The reciprocal is {y:g}."
    return show
Panel("One over x", [Slider(name="x", label="x", values=[1, 0, 2], value=1)], reciprocal, draw, size=(400, 200))
"""
# Where the focus is: in which panel, elsewhere in the notebook, or outside.
WHERE = """() => {
  const panel = document.activeElement.closest(".course-panel");
  if (panel) return `panel ${[...document.querySelectorAll(".course-panel")].indexOf(panel)}`;
  return document.activeElement.closest(".jp-Notebook") ? "text" : "outside";
}"""
# How the focus is shown, and how many pixels are free between its ring and a label above.
RING = """(control) => {
  const style = getComputedStyle(control), label = control.labels?.[0]?.getBoundingClientRect();
  const top = control.getBoundingClientRect().top - parseFloat(style.outlineOffset) - parseFloat(style.outlineWidth);
  return [style.outlineStyle, label && control.type !== "checkbox" ? top - label.bottom : 0];
}"""
ALL_KINDS = """
from course_utils.panels.engine import Button, Choice, Slider, Text, Toggle
from course_utils.panels.engine import Panel
def describe(**values):
    return ", ".join(f"{name} {value}" for name, value in values.items())
def draw(figure):
    text = figure.text(0.1, 0.5, "")
    def show(said):
        text.set_text(said)
        return f"Now {said}."
    return show
controls = [
    Slider(name="number", label="A number", values=[1, 2, 3], value=2),
    Choice(name="kind", label="A kind", options={"first": "one", "second": "two"}),
    Toggle(name="switch", label="A switch"),
    Text(name="word", label="A word", value="a"),
    Button(name="again", label="Once more"),
]
Panel("All kinds", controls, describe, draw, size=(600, 120))
"""
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    write(folder / "notebooks" / "failing.ipynb", FAILING)
    write(folder / "notebooks" / "all_kinds.ipynb", ALL_KINDS)
    command = [sys.executable, "-m", "course_utils.cli", "lab", "--no-browser", "--ip", "localhost", "--port", "{port}"]
    with lab.serve(folder, command) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with lab.chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(server: str, chromium: Browser) -> Iterator[Page]:
    """Notebook 04 with all cells run."""
    page = lab.open_notebook(chromium, server, NOTEBOOK)
    # A picture that the file keeps is there before anything runs.
    expect(page.locator(".jp-OutputArea-output img").first).to_be_visible()
    lab.run_all(page)
    yield page
    page.close()


def panel_titled(page: Page, title: str) -> Locator:
    panel = page.locator(f'.course-panel[aria-label="{title}"]').first
    panel.scroll_into_view_if_needed()
    expect(panel).to_have_attribute("data-shown", re.compile(r"\d+"))
    return panel


def picture(panel: Locator) -> str:
    return panel.locator("canvas").evaluate("canvas => canvas.toDataURL()")


def settle(page: Page, panel: Locator) -> None:
    page.wait_for_timeout(100)
    expect(panel).not_to_have_class(re.compile("course-waiting|course-working"), timeout=30_000)
    page.wait_for_timeout(100)


def titles(page: Page) -> list[str]:
    labels = page.locator(".course-panel").evaluate_all("panels => panels.map(p => p.getAttribute('aria-label'))")
    assert labels, "no panel is on the page"
    return labels


def test_the_first_page_is_the_map_and_leads_to_the_notebook(server: str, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1300, "height": 900})
    page.goto(server.format(path=""))
    expect(page.get_by_role("heading", name="Compressing").first).to_be_visible(timeout=60_000)
    assert "00_course_map" in page.url
    page.wait_for_timeout(1500)
    assert page.locator(".Toastify__toast, .jp-Dialog").count() == 0  # nothing lies over the first view
    page.get_by_role("link", name="Sparse and group-sparse penalties").first.click()
    expect(page.get_by_role("heading", name="04 · Sparse and group-sparse penalties")).to_be_visible(timeout=30_000)
    page.close()


def test_every_panel_lives(page: Page) -> None:
    cells = page.locator(".jp-CodeCell").count()
    assert page.locator(".course-panel").count() >= 6
    assert cells > 6
    assert page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    for title in titles(page):
        expect(panel_titled(page, title).locator(".course-words")).to_have_text(re.compile(r"\w+"))
    assert page.locator(".course-error:visible").count() == 0
    # The still picture of a panel that lives is hidden: it would show the same thing twice.
    assert page.locator(".jp-RenderedImage img:visible").count() == 0


def test_a_key_moves_the_picture_and_its_words(page: Page) -> None:
    for title in titles(page):
        panel = panel_titled(page, title)
        if "trains" in title:
            panel.get_by_role("button", name="Train").click()
            settle(page, panel)
        slider = panel.get_by_role("slider").first
        before = picture(panel), panel.locator(".course-words").text_content()
        slider.focus()
        slider.press("End")
        settle(page, panel)
        at_the_end = picture(panel), panel.locator(".course-words").text_content()
        slider.press("Home")
        settle(page, panel)
        at_the_start = picture(panel), panel.locator(".course-words").text_content()
        assert len({before, at_the_end, at_the_start}) >= 2, title
        assert at_the_end[0] != at_the_start[0], f"{title}: the picture does not change"
        if "proximal" not in title:
            assert at_the_end[1] != at_the_start[1], f"{title}: the words do not change"
        assert panel.locator("canvas").get_attribute("aria-label") == at_the_start[1]


def test_reset_brings_everything_back(page: Page) -> None:
    panel = panel_titled(page, titles(page)[0])
    panel.get_by_role("button", name="Reset").click()
    settle(page, panel)
    before = panel.locator(".course-words").text_content()
    for slider in panel.get_by_role("slider").all():
        slider.press("End")
    settle(page, panel)
    assert panel.locator(".course-words").text_content() != before
    panel.get_by_role("button", name="Reset").click()
    settle(page, panel)
    assert panel.locator(".course-words").text_content() == before


def test_every_control_has_a_name_and_is_reached_by_tab(page: Page) -> None:
    for title in titles(page):
        panel = panel_titled(page, title)
        controls = panel.locator("input, select, button:not(:disabled)")
        names = controls.evaluate_all(
            "all => all.map(c => c.labels?.[0]?.textContent || c.textContent).map(name => name.trim())"
        )
        assert all(names), f"{title}: {names}"
        controls.first.focus()  # Reset stands before the others
        for i in range(1, controls.count()):
            page.keyboard.press("Tab")
            assert controls.nth(i).evaluate("c => c === document.activeElement"), f"{title}: {names[i]}"
            outline, clear = controls.nth(i).evaluate(RING)
            assert outline == "solid", f"{title}: {names[i]}: the focus cannot be seen"
            assert clear >= 0, f"{title}: {names[i]}: the ring of the focus crosses the label"


def test_tab_alone_leads_from_the_first_panel_to_the_last_and_out_again(page: Page) -> None:
    panels = page.locator(".course-panel").evaluate_all(
        "panels => panels.map(p => p.querySelectorAll('input, select, button:not(:disabled)').length)"
    )
    page.locator(".course-reset").first.focus()
    met = []
    for _ in range(2 * sum(panels) + 60):  # links and folded answers lie between
        met.append(page.evaluate(WHERE))
        page.keyboard.press("Tab")
        if met[-1] == "outside":
            break
    assert met[-1] == "outside", "the keyboard is caught in the notebook"
    # A cell that is out of view keeps its panel; JupyterLab 4.4 would take it off the page.
    assert [met.count(f"panel {i}") for i in range(len(panels))] == panels


def test_folded_answers_open_by_keyboard(page: Page) -> None:
    for key in ("Enter", "Space"):
        answer = page.locator("details:not([open]) > summary", has_text="What to see").first
        answer.focus()
        folded = page.locator("details:not([open])").count()
        page.keyboard.press(key)
        expect(page.locator("details:not([open])")).to_have_count(folded - 1)
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_drag_ends_on_the_last_value(page: Page) -> None:
    panel = panel_titled(page, titles(page)[0])
    slider = panel.get_by_role("slider").first
    box: Any = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 4, middle)
    page.mouse.down()
    for i in range(50):
        page.mouse.move(box["x"] + 4 + i * (box["width"] - 8) / 60, middle)
    page.mouse.up()
    settle(page, panel)
    dragged = panel.locator(".course-words").text_content()
    slider.press("ArrowRight")
    settle(page, panel)
    slider.press("ArrowLeft")
    settle(page, panel)
    assert panel.locator(".course-words").text_content() == dragged


def test_the_network_is_seen_while_it_trains(page: Page) -> None:
    title = next(title for title in titles(page) if "train" in title.lower())
    panel = panel_titled(page, title)
    panel.get_by_role("button", name="Reset").click()
    settle(page, panel)
    page.evaluate("window.seen = []")
    say = "() => seen.push(root.querySelector('.course-words').textContent)"
    panel.evaluate(f"root => root.addEventListener('course-shown', {say})")
    panel.get_by_role("button", name="Train").click()
    page.wait_for_function("seen.length > 5", timeout=20_000)
    settle(page, panel)
    assert len(set(page.evaluate("seen"))) > 5


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_words_and_labels_can_be_read_in_both_themes(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text(theme, exact=True).click()
    dark = theme.endswith("Dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(not dark).lower())
    panel = panel_titled(page, titles(page)[0])
    for part in (".course-words", "h4", "label", "output", ".course-reset"):
        colours = panel.locator(part).first.evaluate(
            """node => {
              const ink = getComputedStyle(node).color;
              const background = () => getComputedStyle(node).backgroundColor;
              while (background() === "rgba(0, 0, 0, 0)") node = node.parentElement;
              return [ink, background()];
            }"""
        )
        assert contrast(*colours) >= 4.5, f"{part}: {colours}"


def contrast(*colours: str) -> float:
    """The contrast ratio of two CSS colours, by the Web Content Accessibility Guidelines."""

    def luminance(colour: str) -> float:
        parts = [float(p) / 255 for p in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(c) for c in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_an_error_is_shown_in_the_panel_and_goes_away_again(server: str, chromium: Browser) -> None:
    page = lab.open_notebook(chromium, server, "notebooks/failing.ipynb")
    lab.run_all(page)
    panel = panel_titled(page, "One over x")
    slider = panel.get_by_role("slider")
    slider.press("ArrowRight")
    alert = panel.get_by_role("alert")
    expect(alert).to_contain_text("ZeroDivisionError: division by zero")
    alert.locator("summary").click()
    expect(alert).to_contain_text("in reciprocal")
    slider.press("ArrowRight")
    expect(alert).to_be_hidden()
    expect(panel.locator(".course-words")).to_have_text("The reciprocal is 0.5.")
    page.close()


def test_every_kind_of_control_works_by_keys_alone_and_is_announced(server: str, chromium: Browser) -> None:
    page = lab.open_notebook(chromium, server, "notebooks/all_kinds.ipynb")
    lab.run_all(page)
    panel = panel_titled(page, "All kinds")
    spoken, words = panel.locator(".course-spoken"), panel.locator(".course-words")
    assert spoken.get_attribute("aria-live") == "polite"
    reset = panel.get_by_role("button", name="Reset")
    reset.focus()
    state = {"number": "2", "kind": "one", "switch": "False", "word": "a", "again": "0"}
    start = dict(state)
    steps = [  # from one control to the next by Tab: the keys, and what they change
        (["ArrowRight"], {"number": "3"}),
        (["ArrowDown"], {"kind": "two"}),
        (["Space"], {"switch": "True"}),
        (["End", "b", "Enter"], {"word": "ab"}),
        (["Enter"], {"again": "1"}),
    ]
    for keys, change in steps:
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.dataset.name")
        assert focused in change
        for key in keys:
            page.keyboard.press(key)
        state |= change
        sentence = f"Now {', '.join(f'{name} {value}' for name, value in state.items())}."
        expect(words).to_have_text(sentence)
        expect(spoken).to_have_text(sentence)
        assert page.evaluate("document.activeElement.dataset.name") == focused  # the focus has stayed where it was
    for _ in steps:
        page.keyboard.press("Shift+Tab")
    assert reset.evaluate("button => button === document.activeElement")
    page.keyboard.press("Enter")
    expect(words).to_have_text(f"Now {', '.join(f'{name} {value}' for name, value in start.items())}.")
    page.close()


def test_a_panel_whose_kernel_was_restarted_says_so(server: str, chromium: Browser) -> None:
    page = lab.open_notebook(chromium, server, "notebooks/all_kinds.ipynb")
    lab.run_all(page)
    slider = panel_titled(page, "All kinds").get_by_role("slider")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Restart Kernel…", exact=True).click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    slider.press("ArrowRight")
    expect(page.get_by_role("alert")).to_contain_text("run this notebook from the top", timeout=10_000)
    lab.run_all(page)
    panel_titled(page, "All kinds").get_by_role("slider").press("ArrowRight")
    expect(page.locator(".course-words")).to_contain_text("Now number 3")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.close()


def test_the_first_panel_is_reached_by_the_keys_that_the_map_names(server: str, chromium: Browser) -> None:
    page = lab.open_notebook(chromium, server, "notebooks/00_course_map.ipynb")
    expect(page.locator(".jp-RenderedMarkdown", has_text="Shift + Tab")).to_have_count(1)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".course-panel").first).to_have_attribute("data-shown", re.compile(r"\d+"), timeout=60_000)
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(WHERE) == "panel 0"
    page.close()


def test_the_map_says_what_has_been_run(server: str, chromium: Browser, page: Page) -> None:
    expect(page.locator(".jp-CodeCell").first).to_be_attached()  # notebook 04 has been run in this copy
    course_map = lab.open_notebook(chromium, server, "notebooks/00_course_map.ipynb")
    lab.run_all(course_map)
    row = course_map.locator("tr", has_text="04 Sparse and group-sparse penalties").filter(has_text="cells")
    expect(row).to_contain_text(re.compile(r"all \d+ cells, \d+ panels? moved, last on 20"))
    others = course_map.locator("tr", has_text="05 Limited-precision arithmetic").filter(has_text="not yet")
    expect(others.first).to_be_attached()
    course_map.close()


OTHERS = sorted(path.name for path in (ROOT / "notebooks").glob("[01][1-9]_*.ipynb") if not path.name.startswith("04"))
OTHERS += [path.name for path in (ROOT / "notebooks").glob("10_*.ipynb")]


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_every_control_of_every_notebook_answers(server: str, chromium: Browser, name: str) -> None:
    page = lab.open_notebook(chromium, server, f"notebooks/{name}")
    lab.run_all(page)
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    for number in range(page.locator(".course-panel").count()):
        panel = page.locator(".course-panel").nth(number)
        panel.scroll_into_view_if_needed()
        expect(panel).to_have_attribute("data-shown", re.compile(r"\d+"))
        texts = {panel.locator(".course-words").text_content()}
        for control in panel.locator("input, select").all():
            kind = control.evaluate("c => c.type")
            if kind == "checkbox":
                control.check() if not control.is_checked() else control.uncheck()
            elif kind == "range":
                control.press("Home")
                settle(page, panel)
                control.press("End")
            elif kind == "select-one":
                control.select_option(index=control.locator("option").count() - 1)
            settle(page, panel)
            texts.add(panel.locator(".course-words").text_content())
            if panel.locator(".course-error:visible").count():  # a state that the panel refuses, and says why
                assert "need" in str(panel.locator(".course-error").text_content())
                panel.get_by_role("button", name="Reset").click()
                settle(page, panel)
        assert len(texts) >= 2, panel.get_attribute("aria-label")
    page.close()
