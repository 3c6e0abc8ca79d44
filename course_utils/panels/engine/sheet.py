"""A figure for the width that there is: plots that have no room beside each other stand below each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecBase, SubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine

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

    def grow(self, factor: float) -> None:
        """Make the figure so many times as tall as it was intended to be."""
        self.set_size_inches(self.pixels[0] / 100, factor * self.intended[1] / 100)

    def clear(self, keep_observers: bool = False) -> None:
        """Empty, of the size that was intended, and to be arranged anew."""
        super().clear(keep_observers)
        self.grow(1)
        self.set_layout_engine(ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD))

    def arrange(self) -> None:
        """Give every part its place, once: a picture that is laid out again and again would twitch."""
        if not isinstance(self.get_layout_engine(), ConstrainedLayoutEngine):
            return
        self.draw_without_rendering()
        self.set_layout_engine("none")
        self.stale = True  # drawing without rendering has cleared the flag

    def subplots(self, nrows: int = 1, ncols: int = 1, *, sharey: Any = False, **options: Any) -> Any:
        """As matplotlib's, but a row breaks where it has no room."""
        places = None if nrows != 1 or sharey else self._places(ncols, options.get("width_ratios"))
        if places is None:
            return super().subplots(nrows, ncols, sharey=sharey, **options)
        return np.array([self.add_subplot(place) for place in places])

    def subfigures(  # type: ignore[override]
        self, nrows: int = 1, ncols: int = 1, squeeze: bool = True, **options: Any
    ) -> Any:
        """As matplotlib's, but a row breaks where it has no room."""
        places = None if nrows != 1 else self._places(ncols, options.get("width_ratios"))
        if places is None:
            return super().subfigures(nrows, ncols, squeeze=squeeze, **options)  # type: ignore[call-overload]
        parts = np.array([self.add_subfigure(place) for place in places])
        return parts if squeeze else parts[None]

    def _places(self, count: int, ratios: Sequence[float] | None) -> list[SubplotSpec] | None:
        """Where each plot of a row goes once the row is broken; None where it fits as it is."""
        ratios = [1.0] * count if ratios is None else list(ratios)
        shares = [ratio / sum(ratios) for ratio in ratios]
        rows = rows_that_fit(shares, self.share)
        if len(rows) == 1:
            return None
        self.grow(LOWER * len(rows))
        column = self.add_gridspec(len(rows), 1)
        return [place for i, row in enumerate(rows) for place in side_by_side(column[i, 0], row)]


def side_by_side(place: SubplotSpec, shares: Sequence[float]) -> list[SubplotSpec]:
    row: GridSpecBase = place.subgridspec(1, len(shares), width_ratios=list(shares))
    return [row[0, i] for i in range(len(shares))]


def rows_that_fit(shares: Sequence[float], width: float) -> list[list[float]]:
    """Break a row of plots with these shares of the intended width, so that each has nearly what it was meant to have.

    `width`: what there is, as a share of what was intended.

    >>> rows_that_fit([0.5, 0.5], 0.9), rows_that_fit([0.5, 0.5], 0.7)
    ([[0.5, 0.5]], [[0.5], [0.5]])
    >>> rows_that_fit([0.2, 0.2, 0.2, 0.4], 0.5)
    [[0.2, 0.2, 0.2], [0.4]]
    """
    rows: list[list[float]] = []
    for share in shares:
        if rows and LEAST * (sum(rows[-1]) + share) <= width:
            rows[-1].append(share)
        else:
            rows.append([share])
    return rows
