"""What panels say, in words and in the picture: numbers as they are printed in a book, and names of what is to be seen.

Each panel at its start and at the ends and the middle of each control; those that train also after a training.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from every_panel import FUNCTIONS, made, states
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.legend import Legend
from matplotlib.patches import Rectangle
from test_accessibility import texts_of

from course_utils.panels.engine import Panel

each_panel = pytest.mark.parametrize("name", FUNCTIONS)
ODD = {
    "a hyphen for a minus": re.compile(r"(?<![\w)\]])-\s?\d"),
    "no number": re.compile(r"\b(nan|inf)\b"),
    "a power of ten as computers write it": re.compile(r"\d[eE][-+]?\d"),
    "a minus before zero": re.compile(r"(?<!\w)[-−]0(\.0+)?(?!\d|\.\d)"),
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Shift -0.5", 1), ("a = −0.00.", 1), ("costs 1.2e+05", 1), ("slope nan at 0", 1), ("8 - 8 = 0", 1),
        ("Shift −0.5, 2 × 10⁻⁵, top-1 of 2-16-2 and vgg16", 0), ("from −0.05 to −0.5 at infinity", 0),
    ],
)  # fmt: skip
def test_the_oddities_are_found(words: str, found: int) -> None:
    assert len(list(oddities([words]))) == found


@each_panel
def test_numbers_are_written_as_in_a_book_and_legends_name_what_can_be_seen(name: str) -> None:
    for panel in visited(name, train=False):
        assert [*oddities(said(panel)), *misnamed(panel)] == [], panel.values


@pytest.mark.slow
@each_panel
def test_numbers_are_written_as_in_a_book_and_legends_name_what_can_be_seen_after_a_training(name: str) -> None:
    if made(name).trains:
        for panel in visited(name, train=True):
            assert [*oddities(said(panel)), *misnamed(panel)] == [], panel.values


def visited(name: str, *, train: bool) -> Iterator[Panel]:
    """The panel in each of its states that it does not refuse."""
    panel = made(name).reset()
    values = list(states(panel, train=train))
    if not panel.trains:
        values = [{}, *({c.name: v} for c in panel.controls.values() for v in c.probe() if v != c.value)]
    start = panel.values
    for value in values:
        try:
            panel.set(**(start | value))
        except ValueError:  # a state that the panel refuses, and says why
            continue
        yield panel
    panel.reset()


def said(panel: Panel) -> Iterator[str]:
    """The words below the picture and in it; a formula is typeset, with a minus of its own."""
    yield panel.words
    yield from (text.get_text() for text in texts_of(panel) if "$" not in text.get_text())


def oddities(words: Any) -> Iterator[str]:
    """What in these words is no number as in a book."""
    for text in words:
        yield from (f"{what} in {text!r}" for what, pattern in ODD.items() if pattern.search(text))


def misnamed(panel: Panel) -> Iterator[str]:
    """Names in a legend of what cannot be seen, and what can be seen whose name is gone."""
    for legend in panel.figure.findobj(Legend):
        if legend.axes is not None and not legend.axes.get_visible():
            continue
        for text in legend.get_texts():
            label = text.get_text()
            axes_of = {axes: artists for axes in panel.figure.axes if (artists := labelled(axes, label))}
            seen = any(can_be_seen(panel, axes, artists) for axes, artists in axes_of.items())
            if axes_of and text.get_visible() != seen and not all(map(is_thin, itertools.chain(*axes_of.values()))):
                yield f"{label!r} is {'' if text.get_visible() else 'not '}named"


def labelled(axes: Axes, label: str) -> list[Any]:
    """Everything in a plot that has this label."""
    named = [a for a in (*axes.lines, *axes.collections, *axes.patches, *axes.containers) if a.get_label() == label]
    return [part for a in named for part in (a.get_children() if isinstance(a, Container) else [a])]


def is_thin(artist: Any) -> bool:
    """A bar of less than a pixel: whether it is painted depends on where in its pixel it lies."""
    return isinstance(artist, Rectangle) and 0 < np.abs(artist.get_window_extent().size).min() < 1


def can_be_seen(panel: Panel, axes: Axes, artists: list[Any]) -> bool:
    """Whether the plot is another one without them, where nothing else lies over them."""
    picture, everything = panel._picture(), [*axes.lines, *axes.collections, *axes.patches, *axes.texts]
    visible = [artist.get_visible() for artist in everything]

    def pixels(left: list[Any]) -> Any:
        for artist, was in zip(everything, visible, strict=True):
            artist.set_visible(was and artist in left)
        return picture.pixels()

    seen = bool((pixels(artists) != pixels([])).any())
    for artist, was in zip(everything, visible, strict=True):
        artist.set_visible(was)
    return seen
