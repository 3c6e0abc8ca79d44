"""The four miniatures beside famous networks: their parameters, their bytes at so many bits, and where they fit."""

import math
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from course_utils._support.words import plural
from course_utils.data import Dataset
from course_utils.experiments.applications.captions import Spellers, spellers
from course_utils.experiments.applications.classifier import Classifiers, classifiers
from course_utils.experiments.applications.miniature import bytes_in_words
from course_utils.experiments.applications.sizes import Network, networks
from course_utils.experiments.applications.translator import Translators, translators
from course_utils.panels.engine import Choice, Panel, Sheet, Slider
from course_utils.plots import COLOURS, FAINT, HALO, legend

__all__ = ["giants"]

NARROW = 0.6  # of the intended width
BITS = (1, 2, 4, 8, 16, 32)
PLACES = {
    "a small microcontroller, 256 kB": 256e3,
    "a message on a phone, 10 MB": 10e6,
    "a small computer, 1 GB": 1e9,
    "a large graphics card, 80 GB": 80e9,
}


class Sized(NamedTuple):
    """The bytes of all networks at `bits` each, and the bytes that there is room for."""

    networks: list[Network]
    bytes: np.ndarray
    bits: int
    room: float


def giants(
    data: str | Dataset = "digits",
    *,
    classified: Classifiers | None = None,
    captioned: Spellers | None = None,
    translated: Translators | None = None,
) -> Panel:
    """The bytes of small and large networks at 1 to 32 bits for each parameter (lecture, sections 02 and 03).

    `classified`, `captioned`, `translated`: what the cells before have trained; by default they are trained on `data`.
    """
    counted = networks(classified or classifiers(data), captioned or spellers(data), translated or translators(data))
    parameters = np.array([network.q for network in counted])
    controls = [
        Slider(name="bits", label="Bits per parameter", values=BITS, value=32),
        Choice(name="room", label="Has to fit into", options=PLACES, value=10e6),
    ]

    def compute(bits: float, room: float) -> Sized:
        return Sized(counted, parameters * bits / 8, int(bits), room)

    title = "Miniatures beside giants"
    return Panel(title, controls, compute, lambda figure: GiantsPicture(figure, counted).show, size=(960, 410))


class GiantsPicture:
    """A line for each of the networks, as long as its bytes, and the edge of the room."""

    def __init__(self, figure: Sheet, networks: list[Network]) -> None:
        axes = figure.subplots()
        self.rows = rows = np.arange(len(networks))
        self.miniature = np.array([network.miniature for network in networks])
        self.lines = axes.hlines(rows, 1, np.ones(len(rows)), lw=2, colors=FAINT)
        (self.small,) = axes.plot([1], [1], "o", ms=9, color=COLOURS["blue"], label="ours, trained in this notebook")
        (self.large,) = axes.plot([1], [1], "D", ms=8, color=COLOURS["green"], label="published")
        self.texts = [line_end_label(axes, row) for row in rows]
        self.edge = axes.axvline(1, color=COLOURS["orange"], ls="--", label="room")
        axes.set(xscale="log", xlim=(100, 2e13), ylim=(len(rows) - 0.4, -0.8), xlabel="bytes")
        axes.set_yticks(rows, [network.name for network in networks])
        axes.set_xticks([1e3, 1e6, 1e9, 1e12], ["1 kB", "1 MB", "1 GB", "1 TB"])
        axes.minorticks_off()
        legend(figure, loc="outside lower left", ncols=3, fontsize=10)
        if figure.share < NARROW:  # a name stands over its line, and a number has room at the end of the longest
            figure.grow(1.4)
            axes.set_xlim(100, 1e17)
            axes.set(yticks=[])
            for row, network in zip(rows, networks, strict=True):
                axes.annotate(network.name, (0, row), (2, 4), xycoords=axes.get_yaxis_transform(), va="bottom",
                              textcoords="offset points", color="#4A5560", fontsize=10, path_effects=HALO)  # fmt: skip
        self.heading = axes.set_title("Bytes at 32 bits per parameter")

    def show(self, sized: Sized) -> str:
        self.lines.set_segments([[(1, row), (size, row)] for row, size in zip(self.rows, sized.bytes, strict=True)])
        self.small.set_data(sized.bytes[self.miniature], self.rows[self.miniature])
        self.large.set_data(sized.bytes[~self.miniature], self.rows[~self.miniature])
        self.edge.set_xdata([sized.room] * 2)
        self.heading.set_text(f"Bytes at {plural(sized.bits, 'bit')} per parameter")
        for text, row, size in zip(self.texts, self.rows, sized.bytes, strict=True):
            text.xy = (size, float(row))
            text.set_text(f"{bytes_in_words(size)} {'✓' if size <= sized.room else '✗'}")
        return describe(sized)


def line_end_label(axes: Axes, row: Any) -> Annotation:
    """A text beside the end of a line."""
    return axes.annotate(
        "",
        (1, row),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=10,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},  # the edge of the room may go through
    )


def describe(sized: Sized) -> str:
    """The sentences under the panel: how many networks fit, and how far the largest would have to shrink."""
    fit = [network.name for network, size in zip(sized.networks, sized.bytes, strict=True) if size <= sized.room]
    largest = sized.networks[-1]
    ratio = math.ceil(4 * largest.q / sized.room)
    return (
        f"At {plural(sized.bits, 'bit')} each, {len(fit)} of {len(sized.networks)} networks fit into "
        f"{bytes_in_words(sized.room)}, the largest of them {fit[-1]}. {largest.name} with {largest.q:,} parameters of "
        f"32 bits would have to shrink {ratio:,} times."
    )
