"""A figure for the width that there is: plots that have no room beside each other stand below each other."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecBase, SubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from course_utils.panels.engine.fitting import count_in_whole_numbers, let_words_wrap, put_at_the_top, thin_out

__all__ = ["Sheet", "rows_that_fit"]

PAD = 0.08  # inches around each plot
LEAST = 0.8  # of the width that a plot has on the page it was drawn for
LOWER = 0.85  # height of a row of several, as a share of the height of the only one


class Sheet(Figure):
    """A figure whose rows of plots break like a line of words where the page is narrower than the one they are for.

    `intended`: width and height in pixels of the page, for which the drawing was made; `width`: what there is. A row
    made by ``subplots(1, n)`` or ``subfigures(1, n)`` breaks, and the figure grows taller; plots that share their y
    axis belong side by side and stay there.

    >>> wide, narrow = Sheet((900, 400), width=900), Sheet((900, 400), width=360)
    >>> _ = wide.subplots(1, 2), narrow.subplots(1, 2)
    >>> wide.pixels, narrow.pixels
    ((900, 400), (360, 680))
    """

    def __init__(self, intended: tuple[int, int], *, width: int) -> None:
        self.intended = intended
        self.keeps = True  # parts from one picture to the next; a figure that is drawn from nothing each time does not
        self._arranged = False
        super().__init__(
            figsize=(width / 100, intended[1] / 100), dpi=100, layout=ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD)
        )

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in pixels of the page, whatever the screen's density."""
        width, height = self.get_size_inches()
        return round(100 * width), round(100 * height)

    @property
    def share(self) -> float:
        """The width that there is, as a share of the one that the drawing was made for."""
        return self.pixels[0] / self.intended[0]

    def clear(self, keep_observers: bool = False) -> None:
        """Empty, of the size that was intended, and to be arranged anew."""
        super().clear(keep_observers)
        self.grow(1)
        self.set_layout_engine(ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD))

    def arrange(self) -> None:
        """Give every part its place, once: a picture that is laid out again and again would twitch."""
        if not isinstance(self.get_layout_engine(), ConstrainedLayoutEngine):
            return
        self._arranged = any(axes.get_subplotspec() for axes in self.axes)
        if not self._arranged:  # each has a place of the reader's
            self.set_layout_engine("none")
        put_at_the_top(self)
        let_words_wrap(self)
        count_in_whole_numbers(self)
        self._lay_out()
        thin_out(self)

    def arrange_again(self) -> bool:
        """Give every part its place once more, where it was this class that did so; whether it was.

        Plots only ever become smaller by it: in a picture that gives room and takes it back they would jump.
        """
        if self._arranged:
            before = [axes.get_position(original=True) for axes in self.axes]
            self.set_layout_engine(ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD))
            self._lay_out()
            for axes, box in zip(self.axes, before, strict=True):
                both = Bbox.intersection(box, axes.get_position(original=True))
                if both is not None:
                    axes._set_position(both)  # type: ignore[attr-defined]  # `set_position` would leave the grid
                    keep_numbers_inside(axes)
        return self._arranged

    def _lay_out(self) -> None:
        if (engine := self.get_layout_engine()) is not None:
            engine.execute(self)
        self.set_layout_engine("none")
        self.stale = True

    def subplots(
        self, nrows: int = 1, ncols: int = 1, *, sharey: Any = False, squeeze: bool = True, **options: Any
    ) -> Any:
        """As matplotlib's, but a row breaks where it has no room."""
        widths = options.get("width_ratios", [1.0] * ncols)
        if nrows != 1 or sharey or options.keys() - {"width_ratios"} or not self._breaks(widths):
            return super().subplots(nrows, ncols, sharey=sharey, squeeze=squeeze, **options)
        plots = np.array(self.rows(widths)[0])
        return plots if squeeze else plots[None]

    def subfigures(  # type: ignore[override]
        self, nrows: int = 1, ncols: int = 1, squeeze: bool = True, **options: Any
    ) -> Any:
        """As matplotlib's, but a row breaks where it has no room."""
        widths = options.get("width_ratios", [1.0] * ncols)
        if nrows != 1 or not self._breaks(widths):
            return super().subfigures(nrows, ncols, squeeze=squeeze, **options)  # type: ignore[call-overload]
        parts = np.array([self.add_subfigure(place) for place in self._places([widths], [1.0])[0]])
        return parts if squeeze else parts[None]

    def grow(self, factor: float) -> None:
        """Make the figure so many times as tall as it was intended to be."""
        self.set_size_inches(self.pixels[0] / 100, factor * self.intended[1] / 100)

    def rows(
        self,
        *widths: Sequence[float],
        heights: Sequence[float] | None = None,
        least: Sequence[Sequence[float]] | None = None,
    ) -> list[list[Axes]]:
        """Plots in rows of their own; each row has plots of these relative widths, and breaks where it has no room.

        `heights`: of the rows, relative to each other. `least`: for each plot the share of its width with which it is
        content; a picture without words may be smaller than a plot with an axis.

        >>> narrow = Sheet((900, 400), width=360)
        >>> [len(row) for row in narrow.rows([1, 1, 1], [1, 2])], narrow.pixels
        ([3, 2], (360, 850))
        """
        places = self._places(widths, heights or [1.0] * len(widths), least)
        return [[self.add_subplot(place) for place in row] for row in places]

    def grid(self, count: int, columns: int, *, least: float = LEAST) -> list[Axes]:
        """So many plots of one width, in so many columns or in as many as there is room for.

        >>> narrow = Sheet((900, 400), width=360)
        >>> len(narrow.grid(6, 3, least=0.5)), narrow.pixels
        (6, (360, 360))
        """
        fit = min(columns, max(1, int(columns * self.share / least)))
        lines = math.ceil(count / fit)
        if fit < columns:
            self.grow(min(LOWER, self.share * columns / fit) * lines / math.ceil(count / columns))
        places = self.add_gridspec(lines, fit)
        return [self.add_subplot(places[i // fit, i % fit]) for i in range(count)]

    def _breaks(self, widths: Sequence[float]) -> bool:
        return len(rows_that_fit(shares_of(widths), self.share)) > 1

    def _places(
        self,
        rows: Sequence[Sequence[float]],
        heights: Sequence[float],
        least: Sequence[Sequence[float]] | None = None,
    ) -> list[list[SubplotSpec]]:
        """Where each plot of each row goes; the figure grows by the rows that had to break."""
        least = least or [[LEAST] * len(row) for row in rows]
        broken = [rows_that_fit(shares_of(row), self.share, needs) for row, needs in zip(rows, least, strict=True)]
        ratios = [
            height * (1.0 if len(lines) == 1 else self._lowered(line))
            for height, lines in zip(heights, broken, strict=True)
            for line in lines
        ]
        self.grow(sum(ratios) / sum(heights))
        column = self.add_gridspec(len(ratios), 1, height_ratios=ratios)
        numbers = iter(range(len(ratios)))
        return [
            [place for line in lines for place in side_by_side(column[next(numbers), 0], filled_up(line, lines))]
            for lines in broken
        ]

    def _lowered(self, line: Sequence[float]) -> float:
        """The height of a line; pictures beside each other that are narrower than intended are lower by as much."""
        return LOWER if len(line) == 1 else min(LOWER, self.share / sum(line))


def keep_numbers_inside(axes: Axes) -> None:
    """Make a plot smaller where its axes reach over the edge of the figure: a lower one may have longer numbers."""
    figure = axes.get_figure(root=True)
    found = [axis.get_tightbbox() for axis in (axes.xaxis, axes.yaxis) if axes.axison]
    boxes = [box for box in found if box is not None]
    if not boxes or figure is None:
        return
    room = figure.bbox.padded(-PAD * figure.dpi)
    left, bottom, right, top = np.subtract(Bbox.union(boxes).extents, room.extents)
    over = np.array([max(0, -left), max(0, -bottom), min(0, -right), min(0, -top)])
    moved = np.add(axes.bbox.extents, over)
    if over.any() and moved[0] < moved[2] and moved[1] < moved[3]:
        place = Bbox(moved.reshape(2, 2)).transformed(figure.transFigure.inverted())
        axes._set_position(place)  # type: ignore[attr-defined]


def shares_of(ratios: Sequence[float]) -> list[float]:
    return [ratio / sum(ratios) for ratio in ratios]


def filled_up(line: list[float], lines: list[list[float]]) -> list[float | None]:
    """A line and, where all plots of its row are of one width, the gaps that keep them in columns."""
    alike = len({round(share, 9) for row in lines for share in row}) == 1
    return [*line, *([None] * (max(map(len, lines)) - len(line)) if alike else [])]


def side_by_side(place: SubplotSpec, shares: Sequence[float | None]) -> list[SubplotSpec]:
    """The places of a line; None: a gap as wide as the first of it."""
    row: GridSpecBase = place.subgridspec(1, len(shares), width_ratios=[share or shares[0] for share in shares])
    return [row[0, i] for i, share in enumerate(shares) if share]


def rows_that_fit(shares: Sequence[float], width: float, least: Sequence[float] | None = None) -> list[list[float]]:
    """Break a row of plots with these shares of the intended width, so that each has nearly what it was meant to have.

    As few rows as possible, and even ones where all are of one size. `width`: what there is, as a share of what was
    intended; `least`: what each needs of its own.

    >>> rows_that_fit([0.5, 0.5], 0.9), rows_that_fit([0.5, 0.5], 0.7)
    ([[0.5, 0.5]], [[0.5], [0.5]])
    >>> rows_that_fit([0.25] * 4, 0.6)
    [[0.25, 0.25], [0.25, 0.25]]
    >>> rows_that_fit([0.2, 0.2, 0.2, 0.4], 0.5)
    [[0.2, 0.2, 0.2], [0.4]]
    """
    needs = least or [LEAST] * len(shares)
    rows = filled_in_turn(shares, width, needs, most=math.inf)
    if len(set(shares)) == 1:
        even = math.ceil(len(shares) / len(rows))
        return filled_in_turn(shares, width, needs, most=even * shares[0])
    return rows


def filled_in_turn(shares: Sequence[float], width: float, needs: Sequence[float], *, most: float) -> list[list[float]]:
    """Rows that take what fits, but shares of at most so much in all."""
    rows: list[list[float]] = []
    need = 0.0  # of the plot in the last row that needs most
    for share, own in zip(shares, needs, strict=True):
        wider = sum(rows[-1]) + share if rows else 0.0
        if rows and max(need, own) * wider <= width and wider <= most + 1e-9:
            rows[-1].append(share)
            need = max(need, own)
        else:
            rows.append([share])
            need = own
    return rows
