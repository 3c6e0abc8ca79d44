"""A figure for the width that there is: plots that have no room beside each other stand below each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecBase, SubplotSpec

__all__ = ["Sheet", "rows_that_fit"]

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
        super().__init__(figsize=(width / 100, intended[1] / 100), dpi=100)

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in pixels of the page, whatever the screen's density."""
        width, height = self.get_size_inches()
        return round(100 * width), round(100 * height)

    @property
    def share(self) -> float:
        """The width that there is, as a share of the one that the drawing was made for."""
        return self.pixels[0] / self.intended[0]

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
        parts = np.array([self.add_subfigure(place) for place in self._places([widths], [1.0], LEAST)[0]])
        return parts if squeeze else parts[None]

    def rows(
        self, *widths: Sequence[float], heights: Sequence[float] | None = None, least: float = LEAST
    ) -> list[list[Axes]]:
        """Plots in rows of their own; each row has plots of these relative widths, and breaks where it has no room.

        `heights`: of the rows, relative to each other. `least`: the share of its width with which a plot is content;
        a picture without words may be smaller than a plot with an axis.

        >>> narrow = Sheet((900, 400), width=360)
        >>> [len(row) for row in narrow.rows([1, 1, 1], [1, 2])], narrow.pixels
        ([3, 2], (360, 850))
        """
        places = self._places(widths, heights or [1.0] * len(widths), least)
        return [[self.add_subplot(place) for place in row] for row in places]

    def _breaks(self, widths: Sequence[float]) -> bool:
        return len(rows_that_fit(shares_of(widths), self.share)) > 1

    def _places(
        self, rows: Sequence[Sequence[float]], heights: Sequence[float], least: float
    ) -> list[list[SubplotSpec]]:
        """Where each plot of each row goes; the figure grows by the rows that had to break."""
        broken = [rows_that_fit(shares_of(row), self.share, least) for row in rows]
        ratios = [
            height * (LOWER if len(lines) > 1 else 1.0)
            for height, lines in zip(heights, broken, strict=True)
            for _ in lines
        ]
        self.set_size_inches(self.pixels[0] / 100, sum(ratios) / sum(heights) * self.intended[1] / 100)
        column = self.add_gridspec(len(ratios), 1, height_ratios=ratios)
        lines = iter(range(len(ratios)))
        return [[place for line in row for place in side_by_side(column[next(lines), 0], line)] for row in broken]


def shares_of(ratios: Sequence[float]) -> list[float]:
    return [ratio / sum(ratios) for ratio in ratios]


def side_by_side(place: SubplotSpec, shares: Sequence[float]) -> list[SubplotSpec]:
    row: GridSpecBase = place.subgridspec(1, len(shares), width_ratios=list(shares))
    return [row[0, i] for i in range(len(shares))]


def rows_that_fit(shares: Sequence[float], width: float, least: float = LEAST) -> list[list[float]]:
    """Break a row of plots with these shares of the intended width, so that each has nearly what it was meant to have.

    `width`: what there is, as a share of what was intended; `least`: what a plot needs of its own width.

    >>> rows_that_fit([0.5, 0.5], 0.9), rows_that_fit([0.5, 0.5], 0.7)
    ([[0.5, 0.5]], [[0.5], [0.5]])
    >>> rows_that_fit([0.2, 0.2, 0.2, 0.4], 0.5)
    [[0.2, 0.2, 0.2], [0.4]]
    """
    rows: list[list[float]] = []
    for share in shares:
        if rows and least * (sum(rows[-1]) + share) <= width:
            rows[-1].append(share)
        else:
            rows.append([share])
    return rows
