"""Words that find their room in a picture that is narrower, or wider, than the one it was drawn for."""

from collections.abc import Callable, Iterator

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import AutoLocator, FixedLocator, MaxNLocator

from course_utils.plots import wrap

__all__ = ["count_in_whole_numbers", "let_words_wrap", "put_at_the_top", "thin_out"]

COUNTS = {"epoch", "round", "step"}  # labels of axes on which nothing lies between two numbers
AIR = 8  # pixels of the page between a title and what is beside it


def put_at_the_top(figure: Figure) -> None:
    """Picture beside plot: a picture keeps its shape, and what is left of its place is below it and to its right.

    So the titles of a row stand at one height, and pictures below each other begin at one line.
    """
    for axes in figure.axes:
        if axes.get_aspect() != "auto" and axes.get_anchor() == "C":
            axes.set_anchor("NW")


def let_words_wrap(figure: Figure) -> None:
    """Titles and labels below an axis break into lines where they would reach into a neighbour or out of the figure.

    Also those that a panel sets later: matplotlib asks at each drawing how much room there is.
    """
    for axes in figure.axes:
        for text, room in words_of(axes):
            wrap(text, room)


def words_of(axes: Axes) -> Iterator[tuple[Text, Callable[[], float]]]:
    """The texts that may wrap, with the function that says how wide they may be, in pixels of the screen."""
    yield axes._left_title, lambda: title_room(axes)  # type: ignore[attr-defined]
    yield axes.xaxis.label, lambda: label_room(axes)


def title_room(axes: Axes) -> float:
    """From the left edge of the axes to the next plot on the right, or to the edge of the figure."""
    left, _, _, top = axes.bbox.extents
    edges = [other.bbox.x0 for other in beside(axes, top) if other.bbox.x0 > left]
    return min([*edges, axes.figure.bbox.x1]) - left - air(axes)


def label_room(axes: Axes) -> float:
    """Twice the way from the middle of the axes to what is nearest, left or right."""
    left, bottom, right, _ = axes.bbox.extents
    middle = (left + right) / 2
    others = beside(axes, bottom)
    ends = [o.bbox.x1 for o in others if o.bbox.x1 < middle] + [axes.figure.bbox.x0]
    starts = [o.bbox.x0 for o in others if o.bbox.x0 > middle] + [axes.figure.bbox.x1]
    return 2 * min(middle - max(ends), min(starts) - middle) - air(axes)


def beside(axes: Axes, height: float) -> list[Axes]:
    """The other plots that reach up, or down, to this height."""
    near = 3 * air(axes)
    others = [other for other in axes.figure.axes if other is not axes and other.get_visible()]
    return [other for other in others if other.bbox.y0 - near <= height <= other.bbox.y1 + near]


def air(axes: Axes) -> float:
    return AIR * axes.figure.dpi / 100


def count_in_whole_numbers(figure: Figure) -> None:
    """There is no epoch 2.5: matplotlib would write it on a short axis."""
    for axes in figure.axes:
        if axes.get_xlabel() in COUNTS and isinstance(axes.xaxis.get_major_locator(), AutoLocator):
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))


def thin_out(figure: Figure) -> None:
    """Numbers at ticks that were chosen for a wider axis: those that would lie over their neighbour are left out."""
    for axes in figure.axes:
        if axes.get_visible() and axes.axison and isinstance(axes.xaxis.get_major_locator(), FixedLocator):
            thin_out_axis(axes.xaxis)


def thin_out_axis(axis: Axis) -> None:
    low, high = sorted(axis.get_view_interval())
    labels = [label.get_text() for label in axis.get_majorticklabels()]
    ticks, reached = axis.get_majorticklocs(), float("-inf")
    kept = []
    for tick, label, words in zip(ticks, axis.get_majorticklabels(), labels, strict=False):
        box = label.get_window_extent()
        seen = bool(words) and low <= tick <= high
        kept.append(words if not seen or box.x0 > reached else "")
        reached = box.x1 if seen and kept[-1] else reached
    if kept != labels:
        axis.set_ticks(ticks, kept)
