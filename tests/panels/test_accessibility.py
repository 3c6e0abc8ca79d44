"""Nobody is left out: every panel in black and white, with a colour blindness, in words alone, by keyboard alone.

The keyboard and the voice of a screen reader are tried in a browser by test_browser.py.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from every_panel import FUNCTIONS, made, states
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from seeing import EYES, ciede2000, contrast, difference, in_the_dark, luminance

from course_utils.panels.engine import Button, Panel
from course_utils.plots import COLOURS, FAINT, INK, LINE_STYLES, MARKERS, WEIGHTS, style

ROOT = Path(__file__).parents[2]
SECTIONS = sorted((ROOT / "notebooks").glob("[01][0-9]_*.ipynb"))[1:]

each_panel = pytest.mark.parametrize("name", FUNCTIONS)


# The palette. Bars: 3:1 against white for whatever is drawn, 4.5:1 for words (WCAG 2.2, 1.4.11 and 1.4.3); a difference
# of 8 between any two colours for every eye, and of 12 between the four that a picture takes first.


def test_the_measures_are_those_of_the_literature() -> None:
    assert contrast("black") == pytest.approx(21)
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)  # the guidelines' own example of a grey that passes
    pairs = [  # from the test data of Sharma, Wu and Dalal 2005
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ]
    for first, second, expected in pairs:
        assert ciede2000(np.array(first), np.array(second)) == pytest.approx(expected, abs=1e-4)
    for eye, matrix in EYES.items():
        np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-5, err_msg=eye)  # white stays white
    assert difference("#D55E00", "#8A8A00", "full") > 3 * difference("#D55E00", "#8A8A00", "protanopia")


def test_colours_stand_out_from_white_and_differ_for_every_eye() -> None:
    assert {name for name, colour in (COLOURS | {"faint": FAINT}).items() if contrast(colour) < 3} == set()
    assert {name for name, colour in INK.items() if contrast(colour) < 4.5} == set()
    for eye, (first, second) in itertools.product(EYES, itertools.combinations(COLOURS, 2)):
        least = 12 if {first, second} <= set(list(COLOURS)[:4]) else 8
        assert difference(COLOURS[first], COLOURS[second], eye) >= least, (first, second, eye)


def test_colours_stand_out_from_the_dark_ground_too() -> None:
    rule = (ROOT / "course_utils/panels/engine/static/panel.css").read_text(encoding="utf-8")
    assert "--course-dark: invert(0.93) hue-rotate(180deg)" in rule  # what `in_the_dark` computes
    dark = in_the_dark("white")
    assert luminance(dark) < 0.01
    assert {n for n, c in (COLOURS | {"faint": FAINT}).items() if contrast(in_the_dark(c), dark) < 3} == set()
    assert {n for n, c in INK.items() if contrast(in_the_dark(c), dark) < 4.5} == set()
    for eye, (first, second) in itertools.product(EYES, itertools.combinations(list(COLOURS)[:4], 2)):
        assert difference(in_the_dark(COLOURS[first]), in_the_dark(COLOURS[second]), eye) >= 8, (first, second, eye)


def test_each_colour_has_a_line_style_and_a_marker_of_its_own() -> None:
    styles = {(str(LINE_STYLES[i % 5]), MARKERS[i % 5]) for i in range(5)}
    assert len(styles) == len(set(MARKERS)) == len(set(map(str, LINE_STYLES))) == 5


def test_the_colours_of_weights_tell_sign_and_strength_to_every_eye() -> None:
    for side in (np.linspace(0.5, 0, 40), np.linspace(0.5, 1, 40)):
        lightness = [luminance(WEIGHTS(v)) for v in side]
        assert (np.diff(lightness) < 1e-9).all()  # the stronger, the darker
        assert contrast(WEIGHTS(side[-1])) >= 3
    for eye, strength in itertools.product(EYES, (0.15, 0.25, 0.5)):
        assert difference(WEIGHTS(0.5 - strength), WEIGHTS(0.5 + strength), eye) >= 12, eye


# What is drawn. The quick tier leaves out what costs most: to compare all lines in pairs, and to train.


@each_panel
def test_pictures_serve_every_eye(name: str) -> None:
    assert list(problems(name, [areas_alike, pale, hard_to_read], train=False)) == []


@pytest.mark.slow
@each_panel
def test_pictures_serve_every_eye_after_training_and_lines_differ(name: str) -> None:
    assert list(problems(name, [lines_alike, areas_alike, pale, hard_to_read], train=True)) == []


Check = Callable[[Panel], Iterator[str]]


def problems(name: str, checks: Sequence[Check], *, train: bool) -> Iterator[str]:
    """What is wrong with the pictures of a panel, in all states that it does not refuse."""
    panel = made(name).reset()
    for values in states(panel, train=train):
        try:
            if values:
                panel.reset().set(**values)
        except ValueError:  # a state that the panel refuses, and says why
            continue
        with style():  # by which ticks are chosen
            found = [problem for check in checks for problem in check(panel)]
        yield from (f"{values or 'at the start'}: {problem}" for problem in found)
    panel.reset()


def lines_alike(panel: Panel) -> Iterator[str]:
    """Lines of one picture that only a colour tells apart."""
    for axes in visible_axes(panel):
        for first, second in itertools.combinations(lines_of(axes), 2):
            if to_hex(first.get_color()) != to_hex(second.get_color()) and line_style(first) == line_style(second):
                yield f"lines {first.get_label()!r} and {second.get_label()!r}"


def areas_alike(panel: Panel) -> Iterator[str]:
    """Bars and boxes of one picture that only a colour tells apart."""
    for axes in visible_axes(panel):
        areas = {to_hex(p.get_facecolor()): p for p in axes.patches if p.get_visible() and p.get_fill()}
        for first, second in itertools.combinations(areas, 2):
            if not differ_without_colour(axes, areas[first], areas[second]):
                yield f"areas {first} and {second}"


def pale(panel: Panel) -> Iterator[str]:
    """Lines, marks and bars that hardly stand out from white."""
    for axes in visible_axes(panel):
        for line in lines_of(axes):
            marks = str(line.get_linestyle()) == "None" and line.get_marker() not in ("x", "+", "|", "_", ".")
            colours = [line.get_markeredgecolor(), line.get_markerfacecolor()] if marks else [line.get_color()]
            if max(contrast(c) for c in colours if str(c) != "none") < 3 and not on_picture(axes):
                yield f"line {line.get_label()!r} {colours}"
        for lines in axes.collections:
            if isinstance(lines, LineCollection) and lines.get_visible():
                yield from (f"lines {to_hex(c)}" for c in lines.get_edgecolor() if contrast(c) < 3)
        for patch in axes.patches:
            if is_labelled(axes, patch):
                edge = patch.get_edgecolor() if patch.get_linewidth() > 0 else (0, 0, 0, 0)
                if max((contrast(c) for c in (patch.get_facecolor(), edge) if c[3] > 0), default=21) < 3:
                    yield f"area {patch.get_label()!r} {to_hex(patch.get_facecolor())}"


def hard_to_read(panel: Panel) -> Iterator[str]:
    """Words that are small, pale, or not wholly in the picture."""
    pixels = panel._canvas._render()
    height, width = pixels.shape
    for text in texts_of(panel):
        box = text.get_window_extent()
        if text.get_fontsize() < 9.5:
            yield f"{text.get_text()!r} is small: {text.get_fontsize()} points"
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            yield f"{text.get_text()!r} is cut off"
            continue
        rows = slice(max(0, int(height - box.y1)), int(height - box.y0) + 1)
        ground = most_frequent(pixels[rows, max(0, int(box.x0)) : int(box.x1) + 1])
        if contrast(text.get_color(), ground) < 4.5:
            yield f"{text.get_text()!r} is pale: {to_hex(text.get_color())} on {to_hex(ground)}"


def visible_axes(panel: Panel) -> list[Axes]:
    return [axes for axes in panel.figure.axes if axes.get_visible()]


def lines_of(axes: Axes) -> list[Line2D]:
    """The lines that carry something: drawn, with points, and no thin grey helper across the axes."""
    lines = [line for line in axes.lines if line.get_visible() and len(np.atleast_1d(line.get_xdata()))]
    return [line for line in lines if not is_helper(line)]


def is_helper(line: Line2D) -> bool:
    """A thin straight grey line without a name, such as the axis through zero, or the diagonal."""
    colour = [int(to_hex(line.get_color())[i : i + 2], 16) for i in (1, 3, 5)]
    points = np.asarray(line.get_xydata(), float)
    straight = len(points) == 2 or np.allclose(points[:, 0], points[:, 1])
    unnamed = str(line.get_label()).startswith("_")
    return max(colour) - min(colour) < 24 and unnamed and straight and line.get_linewidth() <= 1.2


def line_style(line: Line2D) -> tuple[Any, ...]:
    """How a line is drawn apart from its colour; twice as thick is another style."""
    pattern = line._unscaled_dash_pattern[1]  # type: ignore[attr-defined]
    dashes = None if pattern is None else tuple(np.round(pattern, 2))
    thick = round(np.log2(max(line.get_linewidth(), 0.5)) * 1.25)
    hollow = str(line.get_markerfacecolor()) == "none"
    return str(line.get_linestyle()), dashes, str(line.get_marker()), thick, hollow


def differ_without_colour(axes: Axes, first: Patch, second: Patch) -> bool:
    """By hatching, by lightness, by a word in or below each, or because each stands over a name on an axis."""
    hatch = str(first.get_hatch() or "") != str(second.get_hatch() or "")
    lightness = contrast(first.get_facecolor(), second.get_facecolor()) >= 1.5
    return hatch or lightness or all(has_words(axes, patch) or is_named(axes, patch) for patch in (first, second))


def has_words(axes: Axes, patch: Patch) -> bool:
    """A word in the box, or one in its colour beside it, such as the name of a row of bits."""
    box = patch.get_window_extent().padded(1)
    for text in axes.texts:
        if text.get_visible() and text.get_text().strip():
            place = text.get_window_extent()
            inside = box.contains((place.x0 + place.x1) / 2, (place.y0 + place.y1) / 2)
            if inside or to_hex(text.get_color()) == to_hex(patch.get_facecolor()):
                return True
    return False


def bars_of(axes: Axes) -> set[Any]:
    return {bar for container in axes.containers if isinstance(container, BarContainer) for bar in container}


def is_named(axes: Axes, patch: Patch) -> bool:
    return patch in bars_of(axes) and any(text.get_text() for text in axes.get_yticklabels())


def is_labelled(axes: Axes, patch: Patch) -> bool:
    """An area that a legend explains, or that belongs to bars."""
    return patch.get_visible() and (not str(patch.get_label()).startswith("_") or patch in bars_of(axes))


def on_picture(axes: Axes) -> bool:
    """Whether the axes are filled by a picture or by coloured heights, so that white is not the ground."""
    return bool(axes.images) or any(len(c.get_facecolor()) > 1 for c in axes.collections)


def texts_of(panel: Panel) -> list[Text]:
    """All words in the picture: of the figure, of its axes, and of the ticks that are in sight."""
    ticks: set[Text] = set()
    hidden: set[Text] = set()
    for axes in panel.figure.axes:
        drawn = axes.get_visible() and axes.axison
        for axis in (axes.xaxis, axes.yaxis):
            every = [*axis.majorTicks, *axis.minorTicks]
            hidden |= {label for tick in every for label in (tick.label1, tick.label2)}
            hidden |= set() if drawn else {axis.label}
            ticks |= {tick.label1 for tick in axis._update_ticks() if drawn}  # type: ignore[attr-defined]
        if not axes.get_visible():
            hidden |= set(axes.findobj(Text))
    texts = (set(panel.figure.findobj(Text)) - hidden) | ticks
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def most_frequent(pixels: np.ndarray) -> tuple[float, ...]:
    """The colour of most of some packed RGBA pixels: what words are written on."""
    values, counts = np.unique(pixels, return_counts=True)
    value = int(values[counts.argmax()])
    return tuple(((value >> shift) & 255) / 255 for shift in (0, 8, 16))


# What is said. These controls change how a thing is shown, and not what is shown; for a reader who listens nothing
# changes, and the switch itself says how it stands.

LOOKS = {"logarithmic", "others", "parts", "area"}


@each_panel
def test_controls_have_names_and_words_follow_those_that_train_nothing(name: str) -> None:
    panel = made(name).reset()
    labels = [control.label for control in panel.controls.values()]
    assert len(set(labels)) == len(labels)
    assert all(2 <= len(label.strip()) <= 60 or re.fullmatch(r"\w", label) for label in labels), labels
    assert panel._title.strip()
    assert len(panel.words.split()) >= 4
    assert panel.words.endswith((".", "!", "?"))
    if not panel.trains:
        assert silent_controls(panel) == []


@pytest.mark.slow
@each_panel
def test_words_follow_the_controls_of_a_training(name: str) -> None:
    if made(name).trains:
        assert silent_controls(made(name).reset()) == []


def silent_controls(panel: Panel) -> list[str]:
    """The controls that change the picture and no word."""
    silent = []
    start, picture = panel.words, picture_of(panel)
    for control in panel.controls.values():
        if control.name in LOOKS or isinstance(control, Button):  # a button draws another example of the same thing
            continue
        sentences, pictures = set(), set()
        for value in [v for v in control.probe() if v != control.value][: 2 if panel.trains else None]:
            try:
                panel.set(**{control.name: value})
            except ValueError:
                continue
            sentences.add(panel.words)
            pictures.add(picture_of(panel))
        panel.reset()
        if pictures - {picture} and not sentences - {start}:
            silent.append(control.name)
    return silent


def picture_of(panel: Panel) -> bytes:
    return panel._canvas._render().tobytes()


# The notebooks as they are stored


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_a_stored_picture_has_its_caption_as_text_and_no_sentence_relies_on_a_colour(path: Path) -> None:
    """A heading of columns, a link or a formula is text; pictures stand in panels, which are tested above."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                alt = output["metadata"]["image/png"]["alt"]
                assert alt == "".join(output["data"]["text/plain"])
                assert len(alt.split()) >= 4
        if cell["cell_type"] == "markdown":
            source = "".join(cell["source"])
            assert not re.search(r"<(font|span)[^>]*colou?r", source, re.I)
            assert "![](" not in source  # a picture without a text


def test_every_panel_of_the_notebooks_is_among_those_tested() -> None:
    called = set()
    for path in SECTIONS:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                called |= set(re.findall(r"\b([a-z_]+\.[a-z_0-9]+)\(", "".join(cell["source"])))
    modules = {name.partition(".")[0] for name in FUNCTIONS}
    functions = {name for name in called if name.partition(".")[0] in modules}
    assert len(functions & FUNCTIONS.keys()) >= 30
    assert len(FUNCTIONS) >= 38
