"""Texts are set once and pasted afterwards: setting one takes longer than any line, and words and digits come back.

A set text is kept as the share of each pixel that it covers, whatever its colour, for each quarter of a pixel that it
may start at. All panels share what is kept.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.font_manager import FontProperties

__all__ = ["TypesettingCanvas"]

QUARTERS = 4
KEPT = 2048  # texts of some two kilobytes each
WIDEST = 1.5  # of a letter, in em


class Words(NamedTuple):
    """A text, its font, and where within a pixel it starts; all that decides which share of each pixel it covers."""

    text: str
    font: FontProperties
    angle: float
    is_math: Any
    smooth: bool
    dpi: float
    x: int  # quarters of a pixel
    y: int


class Print(NamedTuple):
    """What a text covers of each pixel, 0 to 255, from the bottom row to the top, and where it goes."""

    left: int  # of the pixel in which the text starts
    below: int
    coverage: np.ndarray


class TypesettingRenderer(RendererAgg):
    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:
        """Paste the text, to the nearest quarter of a pixel; it is set where it has not been kept."""
        (column, right), (row, down) = divmod(round(QUARTERS * x), QUARTERS), divmod(round(QUARTERS * y), QUARTERS)
        key = Words(s, prop.copy(), angle, ismath, gc.get_antialiased(), self.dpi, right, down)
        left, below, coverage = printed(key)
        if coverage.size:
            *colour, alpha = gc.get_rgb()
            pixels = np.empty((*coverage.shape, 4), np.uint8)
            pixels[:, :, :3] = np.round(255 * np.array(colour[:3]))
            pixels[:, :, 3] = coverage if alpha == 1 else np.round(coverage * alpha)
            paste = self.new_gc()
            paste.copy_properties(gc)
            paste.set_alpha(1)  # it is in the pixels
            self.draw_image(paste, column + left, self.height - row - below, pixels)


@lru_cache(KEPT)
def printed(words: Words) -> Print:
    """Set a text on paper of its own."""
    em = words.font.get_size_in_points() * words.dpi / 72
    margin = int(em) + 1
    if words.is_math:
        width, height, _ = ruler(words.dpi).get_text_width_height_descent(words.text, words.font, True)
    else:
        width, height = WIDEST * em * len(words.text), 2 * em  # measuring takes half as long as setting
    across, up = int(width) + margin, int(height) + margin
    if words.angle:
        across = up = across + up
    start = across if words.angle else margin
    paper = RendererAgg(start + across, 2 * up, words.dpi)
    ink = paper.new_gc()
    ink.set_foreground((0, 0, 0, 1), isRGBA=True)
    ink.set_antialiased(words.smooth)
    x, y = start + words.x / QUARTERS, up + words.y / QUARTERS
    RendererAgg.draw_text(paper, ink, x, y, words.text, words.font, words.angle, words.is_math)
    coverage = np.asarray(paper.buffer_rgba())[:, :, 3]
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    if not len(rows):
        return Print(0, 0, np.empty((0, 0), np.uint8))
    box = coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Print(int(columns[0]) - start, int(rows[-1]) + 1 - up, box[::-1].copy())


@lru_cache(8)
def ruler(dpi: float) -> RendererAgg:
    """What measures formulas."""
    return RendererAgg(1, 1, dpi)


class TypesettingCanvas(FigureCanvasAgg):
    """As matplotlib's, but texts are pasted."""

    _kept: tuple[tuple[float, ...], TypesettingRenderer] | None = None

    def get_renderer(self) -> Any:
        size = (*self.get_width_height(physical=True), self.figure.dpi)
        if self._kept is None or self._kept[0] != size:
            self._kept = size, TypesettingRenderer(*size)
        self.renderer = self._kept[1]
        return self.renderer
