"""Every picture on a phone, in half a window and in a wide one: words can be read, and none lies over another."""

import itertools
import re
from collections.abc import Iterator

import numpy as np
import pytest
from every_panel import FUNCTIONS, made
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from course_utils.panels.engine import Panel
from course_utils.panels.engine.widget import View
from course_utils.plots import style

WIDTHS = [360, 700, 1400]
COUNTED = {"epoch", "round", "step", "units", "class", "bits b"}
AS_COMPUTERS_WRITE = re.compile(r"\d{4,}")
SMALLEST = 11  # pixels of the page: letters that are read without effort


@pytest.mark.parametrize("name", FUNCTIONS)
def test_words_are_large_inside_the_picture_and_apart(name: str) -> None:
    panel = made(name).reset()
    try:
        for width in WIDTHS:
            panel._see(View(1, width))
            with style():
                assert list(problems(panel)) == [], width
    finally:
        panel._see(View(1, panel._size[0]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_counted_has_whole_numbers_at_its_ticks(name: str) -> None:
    panel = made(name).reset()
    try:
        for width in WIDTHS:
            panel._see(View(1, width))
            with style():
                axes_and_numbers = [
                    (axes, [label.get_text() for label in axes.get_xticklabels()]) for axes in panel.figure.axes
                ]
            for axes, numbers in axes_and_numbers:
                if axes.get_xlabel() in COUNTED:
                    assert not [number for number in numbers if "." in number], (width, axes.get_xlabel())
                assert not [number for number in numbers if AS_COMPUTERS_WRITE.fullmatch(number)] or (
                    axes.get_xlabel() == "year"
                ), numbers
    finally:
        panel._see(View(1, panel._size[0]))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("distilling.softened", {"logarithmic": True}),
        ("binary.live_training", {"train": True}),
        ("storage.stack", {"prune": False, "share": False}),
    ],
)
def test_plots_have_the_same_places_whatever_was_shown_when_they_were_laid_out(name: str, values: dict) -> None:
    panel = made(name).reset()
    try:
        for width in WIDTHS:
            places = []
            for state in ({}, values):
                panel.reset().set(**state)
                panel._free()
                panel._see(View(1, width))
                places.append([axes.get_position().bounds for axes in panel.figure.axes])
            np.testing.assert_allclose(places[0], places[1], atol=3 / width, err_msg=f"{width}")
    finally:
        panel._see(View(1, panel._size[0]))
        panel.reset()


def problems(panel: Panel) -> Iterator[str]:
    """Words that are small, cut off, or over other words of the same plot."""
    figure = panel.figure
    panel._canvas._render()  # type: ignore[union-attr]
    width, height = figure.pixels
    for axes in figure.axes:
        if not axes.get_visible():
            continue
        texts = words_of(axes)
        boxes = [text.get_window_extent() for text in texts]
        for text, box in zip(texts, boxes, strict=True):
            if text.get_fontsize() * 100 / 72 < SMALLEST:
                yield f"{text.get_text()!r} has letters of {text.get_fontsize() * 100 / 72:.1f} pixels"
            if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
                yield f"{text.get_text()!r} is cut off"
        for (first, one), (second, other) in itertools.combinations(zip(texts, boxes, strict=True), 2):
            if overlap(one, other):
                yield f"{first.get_text()!r} and {second.get_text()!r} overlap"
    for legend in figure.legends:
        box = legend.get_window_extent()
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            yield "the legend of the figure is cut off"


def words_of(axes: Axes) -> list[Text]:
    """Title, labels, numbers at the ticks that are in sight, words of the legend and in the plot."""
    texts = [axes.title, axes._left_title, *axes.texts]  # type: ignore[attr-defined]
    if axes.axison:
        for axis in (axes.xaxis, axes.yaxis):
            texts += [axis.label, *(tick.label1 for tick in axis._update_ticks())]  # type: ignore[attr-defined]
    if (legend := axes.get_legend()) is not None:
        texts += [*legend.get_texts(), legend.get_title()]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def overlap(one: Bbox, other: Bbox) -> bool:
    """More than a pixel in both directions: the box of a text is somewhat larger than its letters."""
    both = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
    return min(both) > 2
