"""Legends that name what is drawn: an entry goes with what it names, and comes back with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.container import Container
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

__all__ = ["name_what_is_drawn"]


def name_what_is_drawn(legend: Legend, known: Mapping[str, bool] | None = None) -> None:
    """Hide the entries of a legend whose lines, points or bars cannot be seen now; their places stay free.

    An entry belongs to everything in the figure that has its label; `known` says it for others, and where it says
    nothing either, the entry stays. To be called at the end of `show`.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> (line,), made = axes.plot([], [], label="the path"), axes.legend()
    >>> name_what_is_drawn(made)
    >>> made.get_texts()[0].get_visible()
    False
    """
    figure: Any = legend.get_figure(root=True)
    drawn: dict[str, bool] = {}
    for axes in figure.axes:
        for artist in (*axes.lines, *axes.collections, *axes.patches, *axes.containers):
            label = str(artist.get_label())
            drawn[label] = drawn.get(label, False) or is_drawn(artist, axes)
    drawn |= known or {}
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        seen = drawn.get(text.get_text(), True)
        if handle is not None and text.get_visible() != seen:
            handle.set_visible(seen)
            text.set_visible(seen)
            legend.stale = figure.stale = True


def is_drawn(artist: Any, axes: Axes) -> bool:
    """Whether anything of a line, of points or of bars lies within the axes."""
    if isinstance(artist, Container):
        return any(is_drawn(part, axes) for part in artist.get_children())
    if not artist.get_visible():
        return False
    if isinstance(artist, Rectangle):
        return bool(np.abs(artist.get_window_extent().size).min() >= 1)  # less than a pixel is not seen
    if isinstance(artist, LineCollection):
        return len(artist.get_segments()) > 0
    if isinstance(artist, PathCollection):
        return len(np.asarray(artist.get_offsets())) > 0
    if isinstance(artist, Line2D):
        return is_line_drawn(artist, axes)
    return True


def is_line_drawn(line: Line2D, axes: Axes) -> bool:
    """Whether a line leads through the axes, or has one of its markers there."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pixels = line.get_transform().transform(np.asarray(line.get_xydata(), float).reshape(-1, 2))
    pixels = pixels[np.isfinite(pixels).all(1)]
    low, high = axes.bbox.padded(1).get_points()
    if str(line.get_marker()) not in ("", "None") and ((pixels >= low) & (pixels <= high)).all(1).any():
        return True
    if len(pixels) < 2 or str(line.get_linestyle()) == "None":
        return False
    return bool((pixels.min(0) <= high).all() and (pixels.max(0) >= low).all())
