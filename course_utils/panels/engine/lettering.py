"""Texts and legends that stay as they are, painted once: they cost more than any line, and most of them never change.

The pixels of a painted text are recorded with those below it. Where neither has changed, they are pasted.
"""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

__all__ = ["Lettering"]

MARGIN = 0.05  # inches around a text, for what reaches beyond its box


class Record(NamedTuple):
    """A painted text: where it lies or points, and the pixels in its box (rows, columns) before and after."""

    place: Any
    box: tuple[slice, slice]
    below: np.ndarray
    painted: np.ndarray


class Lettering:
    """The texts, or the legends, of one canvas; `matplotlib`'s own flag `stale` tells which of them have changed."""

    def __init__(self) -> None:
        self._records: dict[Text | Legend, Record] = {}

    def forget(self) -> None:
        """Paint everything anew: the axes below have changed, or the size of a pixel."""
        self._records.clear()

    def paint(self, axes: Axes, artist: Text | Legend, renderer: Any, pixels: np.ndarray) -> None:
        """Paint a text or legend of `axes` onto `pixels`, packed RGBA (rows, columns), which are the renderer's own."""
        parts = parts_of(artist)
        record, changed = self._records.pop(artist, None), any(part.stale for part in parts)
        place = place_of(axes, artist)
        if record and not changed and record.place == place and np.array_equal(pixels[record.box], record.below):
            pixels[record.box] = record.painted
            self._records[artist] = record
        elif changed or place is None:  # it may change again in the next picture: it is recorded once it rests
            axes.draw_artist(artist)
        elif isinstance(artist, Legend) or artist.get_text() or isinstance(artist, Annotation):
            box = pixels_of(artist, renderer, pixels.shape)
            below = pixels[box].copy()
            axes.draw_artist(artist)
            self._records[artist] = Record(place, box, below, pixels[box].copy())
        for part in parts:  # matplotlib forgets what is empty or hidden, and a legend marks what it moves into place
            part.stale = False


def parts_of(artist: Text | Legend) -> list[Any]:
    """All that is painted with a text or a legend, and tells for itself that it has changed."""
    if isinstance(artist, Legend):
        return artist.findobj()
    return [part for part in (artist, artist.get_bbox_patch(), getattr(artist, "arrow_patch", None)) if part]


def place_of(axes: Axes, artist: Text | Legend) -> Any:
    """What says that a text has moved, or has another box, where matplotlib does not; None where nothing says it."""
    if isinstance(artist, Legend):
        return ()
    box = id(artist.get_bbox_patch())
    if isinstance(artist, Annotation):
        systems: list[Any] = [artist.xycoords, artist.anncoords]
        named = all(
            isinstance(name, str) for pair in systems for name in (pair if isinstance(pair, tuple) else (pair,))
        )
        return (*artist.xy, box) if named else None  # one that hangs on another artist moves with it
    transform = artist.get_transform()
    known = transform in (axes.transData, axes.transAxes)
    return box if known else (box, *transform.transform(artist.get_unitless_position()))


def pixels_of(artist: Text | Legend, renderer: Any, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns that a text or legend may touch."""
    extents = [artist.get_window_extent(renderer)]
    if isinstance(artist, Text) and (frame := artist.get_bbox_patch()) is not None:
        extents.append(frame.get_window_extent(renderer))
    left, bottom, right, top = Bbox.union(extents).padded(MARGIN * renderer.dpi).extents
    if not np.isfinite([left, bottom, right, top]).all():  # what is at no place is not painted
        return slice(0, 0), slice(0, 0)
    rows = shape[0]
    return (
        slice(max(0, int(rows - top)), max(0, int(rows - bottom) + 1)),
        slice(max(0, int(left)), max(0, int(right) + 1)),
    )
