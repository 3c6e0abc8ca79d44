"""Texts that stay as they are, painted once: a text costs more than any line, and most of them never change.

What a text makes of the pixels below it is kept. Where the text is as it was, and so are those pixels, it is pasted.
"""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

__all__ = ["Lettering"]

MARGIN = 0.05  # inches around a text, for what reaches beyond its box


class Kept(NamedTuple):
    """Where a text points, and the pixels in its box (rows, columns) before and after it was painted."""

    target: tuple[float, ...]
    box: tuple[slice, slice]
    below: np.ndarray
    painted: np.ndarray


class Lettering:
    """The texts of one canvas; `matplotlib`'s own flag `stale` tells which of them have changed."""

    def __init__(self) -> None:
        self._kept: dict[Text, Kept] = {}

    def forget(self) -> None:
        """Paint every text anew: the axes below them have changed, or the size of a pixel."""
        self._kept.clear()

    def paint(self, axes: Axes, text: Text, renderer: Any, pixels: np.ndarray) -> None:
        """Paint a text of `axes` onto `pixels`, packed RGBA of shape (rows, columns), which are the renderer's own."""
        kept, changed = self._kept.pop(text, None), text.stale
        target = tuple(text.xy) if isinstance(text, Annotation) else ()  # matplotlib does not mark a target that moves
        if kept and not changed and kept.target == target and np.array_equal(pixels[kept.box], kept.below):
            pixels[kept.box] = kept.painted
            self._kept[text] = kept
        elif changed:  # it may change again in the next picture: it is kept once it rests
            axes.draw_artist(text)
            text.stale = False  # which matplotlib forgets where an arrow has no words
        elif text.get_text() or target:
            box = pixels_of(text, renderer, pixels.shape)
            below = pixels[box].copy()
            axes.draw_artist(text)
            self._kept[text] = Kept(target, box, below, pixels[box].copy())


def pixels_of(text: Text, renderer: Any, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns that a text may touch."""
    extents = [text.get_window_extent(renderer)]
    if (frame := text.get_bbox_patch()) is not None:
        extents.append(frame.get_window_extent(renderer))
    left, bottom, right, top = Bbox.union(extents).padded(MARGIN * renderer.dpi).extents
    if not np.isfinite([left, bottom, right, top]).all():  # a text at no place is not painted
        return slice(0, 0), slice(0, 0)
    rows = shape[0]
    return (
        slice(max(0, int(rows - top)), max(0, int(rows - bottom) + 1)),
        slice(max(0, int(left)), max(0, int(right) + 1)),
    )
