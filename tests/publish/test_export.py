"""Pages without a kernel: they hold what the panels show, and ask for nothing from outside."""

import base64
import json
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Locator, Page, expect

from course_utils._support.html import markdown_html
from course_utils._support.mathematics import mathml, split_formulas
from course_utils.bench import browser as lab
from course_utils.panels.engine import Button, Choice, Control, Panel, Show, Slider, Toggle
from course_utils.publish.export import export_all
from course_utils.publish.pages.capture import Cell, Lesson, PanelOutput, capture
from course_utils.publish.pages.fit import SHORTEST, fit
from course_utils.publish.pages.grid import Costs, choose
from course_utils.publish.pages.pack import cut_up, decode, pack
from course_utils.publish.pages.page import output_html
from course_utils.publish.pages.record import FILM, LEVELS, record, rounded
from course_utils.publish.pages.store import head
from course_utils.publish.pages.wording import plain_error
from course_utils.publish.site import LIMIT, Exported, export_notebook, front_page, linker
from course_utils.publish.slides.outline import LINES, MOST_LINES, height, outline
from notebooks import write

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[01][0-9]_*.ipynb"))

# Two plots, each with a control of its own; a text that rests, a button, and a value that is refused.
TOY = """
from course_utils.panels.engine import Button, Choice, Slider, Text
from course_utils.panels.engine import Panel


def compute(a, b, again, note):
    if a == 3 and b == 2:
        raise ValueError("a and b must not be 3 and 2 together")
    return a, b, again


def draw(figure):
    left, right = figure.subplots(1, 2)
    (line,) = left.plot([0, 1], [0, 1])
    (dots,) = right.plot([0, 1], [0, 1], "o")
    left.set(ylim=(-1, 5))
    right.set(ylim=(-1, 5))

    def show(result):
        a, b, again = result
        line.set_ydata([0, a])
        dots.set_ydata([b, again % 5])
        return f"a is {a}, b is {b}, pressed {again} times."

    return show


panel = Panel(
    "Toy",
    [
        Slider(name="a", label="Rise", values=[0, 1, 2, 3], value=1),
        Choice(name="b", label="Height", options={"none": 0, "two": 2}),
        Button(name="again", label="Again"),
        Text(name="note", label="Note", value="typed"),
    ],
    compute,
    draw,
    size=(420, 220),
)
panel
"""
# A label that has room beside short values, and none beside long ones.
LONG = """
from course_utils.panels.engine import Slider
from course_utils.panels.engine import Panel

slider = Slider(name="a", label="Signs drawn for each weight", values=[1, 10**7], value=1, texts=["1", "10,000,000"])
panel = Panel("Long", [slider], lambda a: a, lambda figure: (lambda a: f"{a:,} signs are drawn."), size=(260, 120))
panel
"""
# As wide as the panels of the course.
WIDE = """
from course_utils.panels.engine import Panel, Slider


def draw(figure):
    left, right = figure.subplots(1, 2)
    (line,) = left.plot([0, 1], [0, 1])
    right.plot([0, 1], [1, 0])

    def show(height):
        line.set_ydata([0, height])
        return f"It rises to {height}."

    return show


Panel("Wide", [Slider(name="a", label="Rise", values=[0, 1], value=1)], lambda a: a, draw, size=(960, 240))
"""
TRAINS = """
from course_utils.panels.engine import Slider, Train
from course_utils.panels.engine import Panel


def compute(train, rate):
    yield 0.0
    for epoch in range(30 if train else 0):
        yield (epoch + 1) * rate


def draw(figure):
    (line,) = figure.subplots().plot([0, 1], [0, 1])

    def show(height):
        line.set_ydata([0, height])
        return f"It has grown to {height:g}."

    return show


controls = [Train(), Slider(name="rate", label="Rate", values=[0.01, 0.02, 0.03])]
panel = Panel("Training", controls, compute, draw, size=(300, 200))
panel
"""


def panel_of(code: str) -> Panel:
    """The panel that a cell makes."""
    names: dict[str, Any] = {}
    exec(code, names)
    return names["panel"]


@pytest.fixture
def toy() -> Panel:
    return panel_of(TOY)


# Grids


def sliders(**sizes: int) -> list[Control]:
    return [Slider(name=name, label=name, values=list(range(n)), value=n // 3) for name, n in sizes.items()]


def test_a_small_panel_is_held_completely() -> None:
    controls: list[Control] = [*sliders(a=5, b=4), Choice(name="c", label="c", options={"x": 0, "y": 1})]
    grid = choose(controls, {c.name: c.value for c in controls}, budget=40)
    assert len(grid) == len(set(grid.settings())) == 40
    assert grid.values(grid.start) == {"a": 1, "b": 1, "c": 0}


def test_sliders_are_thinned_evenly_and_keep_their_ends_and_their_start() -> None:
    controls = sliders(a=41, b=41)
    grid = choose(controls, {"a": 7, "b": 13}, budget=200)
    assert 120 < len(grid) <= 200
    for name, now in (("a", 7), ("b", 13)):
        levels = list(grid.levels[name])
        assert {0, 40, now, 13} <= set(levels)
        assert max(np.diff(levels)) <= 9
    assert len(grid.levels["a"]) > len(grid.levels["b"])  # the first slider is the panel's subject


@pytest.mark.parametrize("budget", [175, 320])
def test_the_subject_keeps_most_of_its_steps_and_still_meets_the_other_controls(budget: int) -> None:
    controls = sliders(step=15, x=17, w=17, b=17)
    grid = choose(controls, {c.name: c.value for c in controls}, budget=budget)
    assert len(grid) <= budget
    assert len(grid.levels["step"]) >= 8
    assert grid.away >= 2


@pytest.mark.parametrize("budget", [130, 180, 320])
def test_many_controls_are_held_in_pairs(budget: int) -> None:
    controls: list[Control] = sliders(eta=12, size=5, steps=101, momentum=3)
    controls += [Choice(name="start", label="", options={"x": 0, "y": 1, "z": 2}), Button(name="again", label="")]
    grid = choose(controls, {c.name: c.value for c in controls}, budget=budget)
    assert len(grid) <= budget
    assert grid.away == 2  # or a button that draws other batches could not meet a smaller batch


@pytest.mark.parametrize("budget", [10, 60, 300, 3000])
def test_any_number_of_controls_fits(budget: int) -> None:
    controls: list[Control] = sliders(a=30, b=30, c=30)
    controls += [Toggle(name=f"t{i}", label="") for i in range(6)]
    grid = choose(controls, {c.name: c.value for c in controls}, budget=budget)
    held = set(grid.settings())
    assert len(held) == len(grid) <= max(budget, 16)
    assert all(sum(i != s for i, s in zip(setting, grid.start, strict=True)) <= grid.away for setting in held)
    for axis, levels in enumerate(grid.levels.values()):
        assert {setting[axis] for setting in held} == set(range(len(levels)))  # every value on offer can be chosen


def test_trainings_count_as_many_pictures_and_the_switch_is_free() -> None:
    controls: list[Control] = [Toggle(name="train", label=""), *sliders(a=20, b=20)]
    costs = Costs(10, frozenset({"train", "a", "b"}), frozenset({"train"}))
    grid = choose(controls, {"train": False, "a": 0, "b": 0}, budget=200, costs=costs)
    held = set(grid.settings())
    assert len(held) // 2 * 11 <= 200
    assert {(1 - train, *rest) for train, *rest in held} == held


# Pictures


def test_every_picture_of_a_page_is_the_panels_own(toy: Panel) -> None:
    recording = record(toy, scale=1)
    assert len(recording.films) == 4 * 2 * 4
    packed = pack(cut_up(recording.pictures, list(range(len(recording.pictures))), scale=1))
    fresh = panel_of(TOY)
    for setting, (still,) in recording.films.items():
        values = recording.grid.values(setting)
        *_, pixels = fresh.pictures(values)
        shown = decode(packed, still.picture)
        if fresh.error is None:
            assert still.words == fresh.words
            assert np.array_equal(shown, rounded(pixels))
            difference = shown.view(np.uint8).astype(int) - np.ascontiguousarray(pixels).view(np.uint8)
            assert abs(difference).max() <= 4
        else:
            assert "must not be 3 and 2" in still.error["message"]


def test_what_stands_apart_is_stored_once(toy: Panel) -> None:
    recording = record(toy, scale=1)
    packed = pack(cut_up(recording.pictures, list(range(len(recording.pictures))), scale=1))
    middle = packed.size[0] / 2
    assert all(right <= middle or left >= middle for left, _, right, _ in packed.boxes)
    # Four lines on the left, 2 x 4 pairs of dots on the right, and not their 32 combinations.
    assert len(packed.files) <= 4 + 8


def test_rounding_keeps_white_and_black() -> None:
    assert (LEVELS[0], LEVELS[255], len(np.unique(LEVELS))) == (0, 255, 32)


def test_pages_are_thinned_until_they_fit(toy: Panel) -> None:
    def compute(a: int, b: int) -> np.ndarray:
        return np.random.default_rng(a).uniform(size=50) * b

    def draw(figure: Figure) -> Show:
        (line,) = figure.subplots().plot(np.zeros(50))
        line.axes.set_ylim(0, 5)

        def show(heights: np.ndarray) -> str:
            line.set_ydata(heights)
            return f"Mean {heights.mean():.6f}"

        return show

    noisy = Panel("Noise", sliders(a=12, b=5), compute, draw, size=(200, 120))
    recordings = [record(noisy, scale=1), record(toy, scale=1)]
    complete = fit(recordings, limit=10**7)
    assert [len(recording.films) for recording, _ in complete] == [60, 32]
    room = sum(len(packed) for _, packed in complete) // 2
    fitted = fit(recordings, limit=room)
    assert sum(len(packed) for _, packed in fitted) <= room
    recording, small = fitted[0][0], fitted[1][0]
    assert 8 <= len(recording.films) < 60
    assert len(small.films) == 32  # what is small already loses nothing
    for setting, (still,) in recording.films.items():
        assert still.words == noisy.set(**recording.grid.values(setting)).words


def test_a_training_is_stored_as_a_film() -> None:
    recording = record(panel_of(TRAINS), scale=1)
    words = {tuple(recording.grid.values(s).values()): [still.words for still in f] for s, f in recording.films.items()}
    assert len(words) == 6
    assert words[(False, 0.03)] == ["It has grown to 0."]
    film = words[(True, 0.03)]
    assert len(film) == FILM
    assert film[0] == "It has grown to 0."
    assert film[-1] == "It has grown to 0.9."


def test_reset_leads_back_to_the_values_with_which_a_cell_shows_the_panel(toy: Panel) -> None:
    toy.set(a=2, b=2)
    output = PanelOutput(toy, dict(toy.values), editable=False)
    controls = head(output, record(toy, scale=1, budget=12))["controls"]
    assert {control["name"]: control["value"] for control in controls} == {
        "a": 2,
        "b": "two",
        "again": 0,
        "note": "typed",
    }


def test_films_are_shortened_where_no_setting_can_be_left_out() -> None:
    def compute(train: bool, seed: int) -> Iterator[np.ndarray]:
        random = np.random.default_rng(seed)
        for _ in range(30 if train else 1):
            yield random.uniform(size=50)

    def draw(figure: Figure) -> Show:
        (line,) = figure.subplots().plot(np.linspace(0, 1, 50))

        def show(heights: np.ndarray) -> str:
            line.set_ydata(heights)
            return f"Mean {heights.mean():.6f}"

        return show

    controls = [Toggle(name="train", label="Train"), Slider(name="seed", label="Seed", values=[1, 2, 3])]
    recording = record(Panel("Noise", controls, compute, draw, size=(200, 120)), scale=1)
    ((_, complete),) = fit([recording], limit=10**7)
    ((fitted, packed),) = fit([recording], limit=len(complete) // 2)
    assert len(packed) <= len(complete) // 2
    assert fitted.films.keys() == recording.films.keys()
    for setting, film in fitted.films.items():
        assert (film[0], film[-1]) == (recording.films[setting][0], recording.films[setting][-1])
    assert SHORTEST <= max(map(len, fitted.films.values())) < FILM


def test_a_panel_that_remembers_shows_the_same_in_whatever_order() -> None:
    memory: list[int] = []

    def compute(a: int) -> int:
        if a not in memory:
            memory.append(a)
        return len(memory)

    def draw(figure: Figure) -> Show:
        (line,) = figure.subplots().plot([0, 1], [0, 1])

        def show(count: int) -> str:
            line.set_ydata([0, count / 9])
            return f"{count} remembered"

        return show

    slider = Slider(name="a", label="a", values=[1, 2, 3], value=1)
    recording = record(Panel("Memory", [slider], compute, draw, size=(200, 120)), scale=1)
    assert {film[-1].words for film in recording.films.values()} == {"3 remembered"}


# Text


def test_formulas_become_mathml_and_code_stays() -> None:
    page = markdown_html("Cost 5 $ and `$a$`: $w_1$.\n\n$$x \\tag{7}$$\n\n```python\ny = '$z$'\n```")
    assert page.count("<math") == 2
    assert '<span class="tag">(7)</span>' in page
    assert "$a$" in page
    assert "Cost 5 $ and" in page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_formula_of_the_course_can_be_read(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    for cell in cells:
        if cell["cell_type"] == "markdown":
            text, formulas = split_formulas("".join(cell["source"]))
            for formula in formulas:
                assert "<merror" not in mathml(*formula)
            outside = re.sub(r"(`+).*?\1", "", text, flags=re.S)
            assert "$" not in outside, outside
            page = markdown_html("".join(cell["source"]))
            assert page.count("<li>") == page.count("</li>")
            assert not re.search(r"</details>\s*</li>", page)


def test_what_follows_a_formula_stays_on_its_line() -> None:
    page = markdown_html("The state $h_0$; the rest ($b$).")
    assert re.findall(r'<span class="glued"><math>.*?</math>([^<]*)</span>', page) == [";", ")."]


def test_a_formula_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        mathml("\\nosuchcommand{x}", False)


def test_links_lead_to_pages_or_nowhere() -> None:
    page = markdown_html("[a](05_b.ipynb) [c](exercises/c.ipynb)", link=linker(["05_b"]))
    assert '<a href="05_b.html">a</a>' in page
    assert "<span>c</span>" in page


def test_links_in_what_a_cell_shows_lead_to_pages_too() -> None:
    output = {"text/html": '<p><a href="05_b.ipynb">b</a></p>', "metadata": {}}
    assert '<a href="05_b.html">b</a>' in output_html(output, iter(()), linker(["05_b"]))
    output = {"text/markdown": "[b](05_b.ipynb)", "metadata": {}}
    assert '<a href="05_b.html">b</a>' in output_html(output, iter(()), linker(["05_b"]))


def test_errors_name_no_path_of_the_machine() -> None:
    trace = (
        'File "/home/me/.venv/lib/python3.11/site-packages/torch/a.py", line 3\nFile "/tmp/ipykernel_12/3.py", line 1'
    )
    plain = plain_error({"message": "m", "traceback": trace})
    assert plain is not None
    assert "/home" not in plain["traceback"]
    assert "/tmp" not in plain["traceback"]
    assert "torch/a.py" in plain["traceback"]


# Pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy panels as a page and as slides, written as the command writes them."""
    folder = tmp_path_factory.mktemp("pages")
    cells = ["# NBVAL_CHECK_OUTPUT\nprint('printed')\nlabel = 'returned'\nlabel", TOY, TRAINS, LONG]
    source = write(folder / "05_toy.ipynb", *cells)
    notebook = json.loads(source.read_text())
    texts = ["# 05 · Toy", "## Part\n\n$$a^2 \\tag{1}$$\n\n**Predict.** What will be?", "## Train"]
    for place, text in zip((0, 2, 4), texts, strict=True):
        cell = {"cell_type": "markdown", "id": f"t{place}", "metadata": {}, "source": text}
        notebook["cells"].insert(place, cell)
    hint = "<details><summary><b>What to see</b></summary>\n\n- It rises.\n</details>"
    notebook["cells"].insert(4, {"cell_type": "markdown", "id": "hint", "metadata": {}, "source": hint})
    source.write_text(json.dumps(notebook))
    export_all([source], folder / "out", slides=True, jobs=1)
    return folder / "out"


def test_the_files_are_there_and_ask_for_nothing(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"index.html", "05_toy.html", "05_toy_slides.html"}
    for path in folder.iterdir():
        text = path.read_text()
        assert path.stat().st_size < LIMIT
        assert "default-src 'none'" in text  # the browser refuses whatever the page would ask for
        assert not re.findall(r"""(?:src|srcset|data|poster)=["'](?!data:)""", text)
        assert not re.findall(r"<(?:link|iframe|object|embed)\b|@import|url\((?!['\"]?data:)", text)


def test_a_page_shows_what_the_cells_show(folder: Path) -> None:
    page = (folder / "05_toy.html").read_text()
    assert '<pre class="output">printed</pre>' in page
    assert "&#x27;returned&#x27;" in page
    assert "NBVAL" not in page
    assert page.count('class="replay"') == 3
    assert "This page holds all 8 settings." in page
    assert str(ROOT) not in page


def test_each_cell_has_an_address(folder: Path) -> None:
    page = (folder / "05_toy.html").read_text()
    assert re.findall(r'<section class="(\w+)" id="cell-(\w+)">', page)[:2] == [("text", "t0"), ("cell", "cell0")]
    assert "cell-t2" in page


def test_a_page_says_first_that_there_is_nothing_to_run(folder: Path) -> None:
    page = (folder / "05_toy.html").read_text()
    assert page.index("nothing to run here") < page.index("<h1")


def test_the_index_of_a_panel_says_what_it_holds(folder: Path) -> None:
    page = (folder / "05_toy.html").read_text()
    packed = re.search(r'id="panel-0-index">([^<]*)<', page)
    assert packed is not None
    index = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    assert len(index["settings"]) == len(index["films"]) == 32
    assert sum(film[-1][2] >= 0 for film in index["films"]) == 4
    assert index["errors"][0]["message"].startswith("ValueError: a and b must not")


def test_the_same_page_twice(folder: Path, tmp_path: Path) -> None:
    source = folder.parent / "05_toy.ipynb"
    export_all([source], tmp_path / "again", slides=True, jobs=1)
    for path in folder.iterdir():
        if path.name != "index.html":
            assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_slides_follow_the_lesson(folder: Path) -> None:
    lesson = capture(folder.parent / "05_toy.ipynb")
    assert [slide.kind for slide in outline(lesson)] == [
        "title",
        "code",
        "predict",
        "code",
        "panel",
        "code",
        "panel",
        "panel",
    ]
    panel = outline(lesson)[4]
    assert isinstance(panel.parts[0], PanelOutput)
    assert "It rises." in panel.hint


def test_tables_and_pictures_that_a_cell_shows_have_slides_of_their_own() -> None:
    table = "**Title**\n\n| a | b |\n|---|---|\n" + 20 * "| 1 | 2 |\n"
    outputs: list[Any] = [
        {"text/markdown": table, "text/plain": table},
        {"image/png": "", "metadata": {}},
        {"text/markdown": "*Where it comes from.*"},
        {"text/markdown": table},
        {"text/markdown": "*And this.*"},
    ]
    words = Cell("markdown", "## Part\n\nSome words before the table.")
    slides = outline(Lesson("a", [words, Cell("code", "measured('a')", outputs), Cell("markdown", "What is seen.")]))
    assert [(slide.kind, slide.parts) for slide in slides] == [
        ("text", ["Some words before the table."]),
        ("code", [table]),  # whole: slides.js makes it as small as it has to be
        ("picture", [outputs[1], "*Where it comes from.*"]),
        ("code", [table, "*And this.*"]),
        ("text", ["What is seen."]),
    ]


def test_much_text_is_cut_into_slides_that_it_fits() -> None:
    paragraph = "A sentence of about the length of a line on a slide, and some words more.\n\n"
    small = "| a | b |\n|---|---|\n" + 9 * "| 1 | 2 |\n"
    table = "| word | meaning |\n|---|---|\n" + "".join(f"| word {i} | what it means |\n" for i in range(30))
    slides = outline(
        Lesson("a", [Cell("markdown", f"# Title\n\n{paragraph * 9}{table}\n## Part\n\n{table}\n\n{small}")])
    )
    assert slides[0].kind == "title"
    assert slides[0].lines <= MOST_LINES
    assert all(slide.lines <= LINES for slide in slides[1:-1])
    assert slides[-1].parts == [small.strip()]  # a table that a slide can hold is not cut for three rows
    tables = [str(part) for slide in slides[:-1] for part in slide.parts if str(part).startswith("|")]
    assert all(part.startswith("| word | meaning |\n|---|---|\n| word ") for part in tables)  # each has the head
    rows = re.findall(r"\| word (\d+) ", "\n".join(tables))
    assert rows == 2 * [str(i) for i in range(30)]  # and no row is lost


@pytest.mark.parametrize("end", [":", " in each **round**"])
@pytest.mark.parametrize("announced", ["$$J = L$$", "1. the first step\n2. the second step"])
def test_what_words_announce_stands_below_them(end: str, announced: str) -> None:
    words = 4 * "So much is said about the cost before it is written down, once and for all. ".strip()
    lead = words.removesuffix(".") + end
    slides = outline(Lesson("a", [Cell("markdown", f"## Cost\n\n{words}\n\n{lead}\n\n{announced}")]))
    assert [slide.parts for slide in slides] == [[words], [lead, announced]]


def test_a_table_of_long_rows_stands_below_its_words() -> None:
    lead = "**Published.** " + 3 * "So much is said about a table before it is shown. " + "The errors:"
    table = "| network | errors |\n|---|---|\n" + 5 * f"| {60 * 'n'} | {20 * 'e'} |\n"
    slides = outline(Lesson("a", [Cell("markdown", f"## Part\n\n{lead}\n\n{table}")]))
    assert [slide.parts for slide in slides] == [[lead, table.strip()]]


def test_where_a_link_leads_takes_no_room_on_a_slide() -> None:
    assert height("| a | [02](02_some_applications_of_neural_networks.ipynb), " + 12 * "word " + "|") == height("| a |")


def test_a_notebook_gives_the_name_main_back(tmp_path: Path) -> None:
    before = sys.modules["__main__"]
    lesson = capture(write(tmp_path / "a.ipynb", "def f(): return 1", "import sys; sys.modules['__main__'].f()"))
    assert [output["text/plain"] for output in lesson.cells[1].outputs if isinstance(output, dict)] == ["1"]
    assert sys.modules["__main__"] is before  # or no process could be started any more


def test_panels_in_boxes_are_panels_of_the_page(tmp_path: Path) -> None:
    boxes = "from ipywidgets import HBox, IntSlider, VBox\nHBox([panel, VBox([IntSlider(), panel])])"
    lesson = capture(write(tmp_path / "a.ipynb", TOY, boxes, "display(HBox([panel]), panel)"))
    assert [[type(output) for output in cell.outputs] for cell in lesson.cells[1:]] == 2 * [2 * [PanelOutput]]


def test_a_cell_for_the_kernel_alone_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "print('kept')", "print('only here')")
    notebook = json.loads(path.read_text())
    notebook["cells"][1]["metadata"] = {"tags": ["remove-cell"]}
    path.write_text(json.dumps(notebook))
    assert [cell.source for cell in capture(path).cells] == ["print('kept')"]


def test_a_failing_cell_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.ipynb", "1 / 0")
    with pytest.raises(RuntimeError, match=r"cell 0 of bad.ipynb fails: ZeroDivisionError"):
        export_notebook(path, tmp_path)
    assert not list(tmp_path.glob("*.html"))


def test_the_front_page_counts_panels() -> None:
    pages = [Exported("a", "A", n, [], {"a.html": 1_200_000}, 1.0) for n in (0, 1, 2)]
    assert re.findall(r"<small>(.*?)</small>", front_page(pages)) == [
        "1.2 MB",
        "1 live panel, 1.2 MB",
        "2 live panels, 1.2 MB",
    ]


# In a browser, without a network


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with lab.chromium() as browser:
        yield browser


def opened(chromium: Browser, path: Path, **settings: Any) -> tuple[Page, list[str]]:
    """A page of the disk with the network off, and what it complains of."""
    context = chromium.new_context(offline=True, **settings)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    for panel in page.locator(".course-panel:visible").all():
        expect(panel).to_have_attribute("data-shown", re.compile(r"\d+"), timeout=30_000)
    return page, complaints


def picture(page: Page, title: str) -> np.ndarray:
    data = page.locator(f'[aria-label="{title}"] canvas').evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    width, height = page.locator(f'[aria-label="{title}"] canvas').evaluate("c => [c.width, c.height]")
    return np.array(data, np.uint8).reshape(height, width, 4).view(np.uint32)[:, :, 0]


@pytest.mark.browser
def test_a_slider_moves_picture_and_words_by_keyboard(folder: Path, chromium: Browser) -> None:
    page, complaints = opened(chromium, folder / "05_toy.html")
    fresh = panel_of(TOY)
    toy = page.locator('[aria-label="Toy"]')
    words = toy.locator(".course-words")
    expect(words).to_have_text("a is 1, b is 0, pressed 0 times.")
    slider = toy.get_by_role("slider", name="Rise")
    for key, a in (("ArrowRight", 2), ("End", 3), ("Home", 0)):
        slider.press(key)
        *_, pixels = fresh.pictures({"a": a}, scale=1.5)
        expect(words).to_have_text(fresh.words)
        expect(toy.locator("canvas")).to_have_attribute("aria-label", fresh.words)
        assert np.array_equal(picture(page, "Toy"), rounded(pixels))
    expect(toy.locator(".course-spoken")).to_have_text(fresh.words)  # what a screen reader says
    toy.get_by_role("button", name="Again").click()
    expect(words).to_have_text("a is 0, b is 0, pressed 1 times.")
    for _ in range(3):
        toy.get_by_role("button", name="Again").click()
        page.wait_for_timeout(200)
    expect(words).to_have_text("a is 0, b is 0, pressed 0 times.")  # the page holds three more draws, and starts over
    assert complaints == []
    page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "dark"), [("dark", True), ("light", False)])
def test_pictures_follow_the_theme(folder: Path, chromium: Browser, scheme: str, dark: bool) -> None:
    page, _ = opened(chromium, folder / "05_toy.html", color_scheme=scheme)
    filters = page.locator(".course-panel canvas").evaluate_all("all => all.map(c => getComputedStyle(c).filter)")
    assert filters
    assert all(("invert(0.93)" in shown) == dark for shown in filters)
    page.context.close()


@pytest.mark.browser
def test_refused_settings_and_resting_controls_say_why(folder: Path, chromium: Browser) -> None:
    page, complaints = opened(chromium, folder / "05_toy.html")
    toy = page.locator('[aria-label="Toy"]')
    note = toy.get_by_label("Note")
    expect(note).to_be_disabled()
    expect(note).to_have_value("typed")
    expect(toy.get_by_text("A page cannot compute what you type")).to_be_visible()
    toy.get_by_label("Height").select_option("two")
    toy.get_by_role("slider").press("End")
    alert = toy.get_by_role("alert")
    expect(alert).to_contain_text("a and b must not be 3 and 2 together")
    toy.get_by_role("slider").press("Home")
    expect(alert).to_be_hidden()
    toy.get_by_role("button", name="Reset").click()
    expect(toy.locator(".course-words")).to_have_text("a is 1, b is 0, pressed 0 times.")
    assert complaints == []
    page.context.close()


@pytest.mark.browser
def test_a_training_is_seen_as_a_film(folder: Path, chromium: Browser) -> None:
    page, complaints = opened(chromium, folder / "05_toy.html")
    training = page.locator('[aria-label="Training"]')
    page.evaluate("window.seen = []")
    say = "() => seen.push(root.querySelector('.course-words').textContent)"
    training.evaluate(f"root => root.addEventListener('course-shown', {say})")
    training.get_by_role("button", name="Train").click()
    expect(training.locator(".course-words")).to_have_text("It has grown to 0.6.", timeout=20_000)
    expect(training.get_by_role("status").filter(has_text="finished")).to_be_visible()
    assert len(set(page.evaluate("seen"))) == FILM
    assert complaints == []
    page.context.close()


@pytest.mark.browser
def test_on_a_phone_a_picture_is_large_enough_to_read_and_scrolls(folder: Path, chromium: Browser) -> None:
    page, complaints = opened(chromium, folder / "05_toy.html", viewport={"width": 390, "height": 844})
    canvas = page.locator('[aria-label="Toy"] canvas')
    assert canvas.evaluate("c => c.offsetWidth") == 420  # its own width: letters as large as they are meant
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    toy = page.locator('[aria-label="Toy"]')
    widths = [
        c.evaluate("c => c.offsetWidth") for c in (toy.get_by_role("button", name="Again"), toy.locator("select"))
    ]
    assert widths[0] == widths[1]
    frame = page.locator('[aria-label="Toy"] .course-picture')
    assert frame.evaluate("f => { f.scrollLeft = 50; return f.scrollLeft; }") == 50
    assert complaints == []
    page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1024, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_wide_picture_has_room_beside_the_margins_of_a_page(
    chromium: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    export_all([write(tmp_path / "06_wide.ipynb", WIDE)], tmp_path / "out", jobs=1)
    size = {"width": width, "height": 900}
    page, complaints = opened(chromium, tmp_path / "out" / "06_wide.html", viewport=size, color_scheme=scheme)
    frame = page.locator('[aria-label="Wide"] .course-picture')
    drawn, room = frame.evaluate("f => [f.scrollWidth, f.clientWidth]")
    assert drawn == room, "a plot is cut on the right"
    assert frame.locator("canvas").evaluate("c => c.offsetWidth") == 900  # laid out for it, and not made smaller
    assert complaints == []
    page.context.close()


@pytest.mark.browser
def test_a_slider_stays_in_its_place_when_its_value_grows(folder: Path, chromium: Browser) -> None:
    page, complaints = opened(chromium, folder / "05_toy.html")
    slider = page.locator('[aria-label="Long"]').get_by_role("slider")
    before = slider.evaluate("s => s.offsetTop")
    slider.press("End")
    expect(page.locator('[aria-label="Long"] output')).to_have_text("10,000,000")
    assert slider.evaluate("s => s.offsetTop") == before
    assert complaints == []
    page.context.close()


@pytest.mark.browser
def test_slides_turn_by_keyboard_and_their_panels_live(folder: Path, chromium: Browser) -> None:
    page, complaints = opened(chromium, folder / "05_toy_slides.html", viewport={"width": 1280, "height": 756})
    expect(page.locator("#number")).to_have_text("1 / 8")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#number")).to_have_text("5 / 8")
    visible = page.locator(".slide:visible")
    expect(visible).to_have_count(1)
    slider = visible.get_by_role("slider")
    slider.press("ArrowRight")
    expect(visible.locator(".course-words")).to_have_text("a is 2, b is 0, pressed 0 times.")
    expect(page.locator("#number")).to_have_text("5 / 8")  # the arrow moved the slider and not the slides
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    expect(visible.get_by_text("It rises.")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#number")).to_have_text("4 / 8")
    assert complaints == []
    page.context.close()


def moves(control: Locator) -> Iterator[None]:
    """Move a control to its ends, or through its options; a slider may be idle until a switch is on."""
    kind = control.evaluate("c => c.type")
    if kind == "range":
        for key in ("Home", "End"):
            yield control.press(key)
    elif kind == "select-one":
        for i in range(control.locator("option").count()):
            control.select_option(index=i)
            yield
    else:
        yield control.click()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_becomes_a_page_that_works(path: Path, tmp_path: Path, chromium: Browser) -> None:
    (exported,) = export_all([path], tmp_path, slides=True, jobs=1)
    print(exported.files, f"{exported.seconds:.0f} s")
    assert all(size < LIMIT for size in exported.files.values())
    for name in exported.files:
        page, complaints = opened(chromium, tmp_path / name, viewport={"width": 1280, "height": 756})
        assert page.locator(".course-panel").count() == exported.panels
        assert complaints == []
        page.context.close()
    page, complaints = opened(chromium, tmp_path / f"{path.stem}.html")
    for panel in page.locator(".course-panel").all():
        words = panel.locator(".course-words")
        sentences = {words.text_content()}
        for control in panel.locator("[data-name]:enabled").all():
            for _ in moves(control):
                expect(panel).not_to_have_class(re.compile("course-waiting|course-working"), timeout=30_000)
                page.wait_for_timeout(150)
                sentences.add(words.text_content())
        assert len(sentences) >= 2, panel.get_attribute("aria-label")
    assert complaints == []
    page.context.close()
