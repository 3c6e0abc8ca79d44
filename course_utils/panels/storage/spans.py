"""Sparse storage by relative indices: the gaps between nonzeros in few bits, and the zeros that split long gaps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from course_utils._support.words import plural
from course_utils.coding.gaps import decode_gaps, encode_gaps
from course_utils.panels.engine import Button, Choice, Panel, Slider
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, INK, legend, write

__all__ = ["EXAMPLE", "gaps"]

EXAMPLE = (1, 4, 15)  # the positions of the lecture's example
PLACES = 48
BITS = tuple(range(1, 9))
VALUE_BITS = 4  # a weight's code, which a filler needs too
DENSITIES = (0.02, 0.04, 0.08, 0.12, 0.2, 0.3, 0.5)
LEAST_BOX, MARGINS = 17, 85  # pixels of a box, and left and right of the row
PITCH = 2.5  # from a line of boxes to the next one, in heights of a box
WEIGHT, FILLER, GAP = "a weight", "a filler zero", "under the row: a stored gap"
LONG_ROW = 200_000  # places over which the bits are counted

Encoder = Callable[..., Any]


class GapRow(NamedTuple):
    """A row of places: which hold a weight, the gaps written, which are fillers.

    `rates`: bits per weight for each of BITS, in a long row of this density.
    """

    mask: np.ndarray
    gaps: np.ndarray
    fillers: np.ndarray
    bits: int
    rates: np.ndarray
    density: float


def gaps(*, encode: Encoder | None = None) -> Panel:
    """Positions as gaps of b bits with filler zeros marked (lecture, section 07: 1, 3, 8, 3 for positions 1, 4, 15).

    `encode`: your own ``encode(mask, *, bits)`` instead of `encode_gaps`; it returns the gaps, and a boolean array
    that is true where a gap leads to a filler.
    """
    texts = [f"{d:.0%}" for d in DENSITIES]
    controls = [
        Choice(name="row", label="Positions", options={"the lecture's example": "lecture", "random": "random"}),
        Slider(name="bits", label="Bits b of a gap", values=BITS, value=3),
        Slider(name="density", label="Share of weights kept", values=DENSITIES, value=0.08, texts=texts),
        Button(name="again", label="Draw again"),
    ]
    rates: dict[float, np.ndarray] = {}

    def compute(row: str, bits: float, density: float, again: int) -> GapRow:
        if row == "lecture":
            mask = np.isin(np.arange(PLACES), EXAMPLE)
        else:
            mask = np.random.default_rng(again).random(PLACES) < density
        steps, fillers = checked(encode or encode_gaps, mask, int(bits))
        if density not in rates:
            long_mask = np.random.default_rng(0).random(LONG_ROW) < density
            rates[density] = np.array([bits_per_weight(long_mask, b) for b in BITS])
        return GapRow(mask, steps, fillers, int(bits), rates[density], density)

    title = "Positions as gaps" if encode is None else "Positions as your gaps"
    yours = encode is not None
    return Panel(title, controls, compute, lambda figure: GapsPicture(figure, yours).show, size=(960, 400))


def checked(encode: Encoder, mask: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """What a reader's function returns, if it leads back to the mask."""
    encoded = encode(mask.copy(), bits=bits)
    if not isinstance(encoded, tuple) or len(encoded) != 2:
        raise ValueError(f"encode must return a pair (gaps, fillers), got {type(encoded).__name__}")
    steps, fillers = np.asarray(encoded[0], int), np.asarray(encoded[1], bool)
    if steps.shape != fillers.shape or steps.ndim != 1:
        raise ValueError(f"gaps and fillers must be rows of one length, got shapes {steps.shape} and {fillers.shape}")
    if len(steps) and steps.max(initial=0) > 2**bits:
        raise ValueError(f"a gap of {bits} bits is at most {2**bits}, got {steps.max()}; put a filler zero in between")
    if not np.array_equal(decode_gaps(steps, fillers, size=len(mask), bits=bits), mask):
        places = np.cumsum(steps)[~fillers].tolist()
        raise ValueError(f"the gaps lead to the positions {places}, the weights are at {np.flatnonzero(mask).tolist()}")
    return steps, fillers


def bits_per_weight(mask: np.ndarray, bits: int) -> float:
    """Bits for each weight, its value and the fillers included, with gaps of so many bits."""
    steps, _ = encode_gaps(mask, bits=bits)
    return len(steps) * (bits + VALUE_BITS) / max(1, int(mask.sum()))


class GapsPicture:
    """The row of weights and its gaps above, bits for each weight below; `yours`: the gaps are those of a reader."""

    def __init__(self, figure: Figure, yours: bool) -> None:
        self.yours = yours
        width, height = figure.get_size_inches()
        self.across = next((n for n in (PLACES, PLACES // 2) if 100 * width - MARGINS >= LEAST_BOX * n), PLACES // 3)
        lines = PLACES // self.across
        figure.set_size_inches(width, height + 0.7 * (lines - 1))
        row, below = figure.subplots(2, 1, height_ratios=[lines, 2])
        self.draw_row(row, lines)
        (self.rates,) = below.plot([], [], "o-", color=COLOURS["blue"])
        (self.minimum,) = below.plot([], [], "D", ms=9, color=COLOURS["green"], label="fewest bits")
        (self.marker,) = below.plot([], [], "o", ms=12, mfc="none", mew=2.2, color=COLOURS["orange"])
        below.set(xlim=(0.7, 8.3), xticks=BITS, xlabel="bits b of a gap", yscale="log", ylim=(5, 180))
        below.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
        below.minorticks_off()
        below.set_ylabel(f"gap + {VALUE_BITS} bits of value")
        below.set_title("Bits per weight in a row of 200,000 places with this share of weights kept")
        below.legend(loc="upper right", fontsize=10)
        keys = [
            Patch(color=COLOURS["blue"], label=WEIGHT),
            Line2D([], [], ls="", marker="$0$", ms=8, color=INK["orange"], label=FILLER),
            Line2D([], [], ls="", marker="$3$", ms=8, color=COLOURS["ink"], label=GAP),
        ]
        self.legend = legend(figure, handles=keys, loc="outside upper left", ncols=3, fontsize=10, columnspacing=1)

    def draw_row(self, axes: Axes, lines: int) -> None:
        """A box for each place, with room for a filler zero in it and a gap under it."""
        axes.set(xlim=(-0.3, self.across + 0.3), ylim=(-PITCH * (lines - 1) - 1.0, 1.45), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        bold: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11, "fontweight": "bold"}
        self.boxes, self.fillers = [], []
        for i in range(PLACES):
            x, y = self.place(i)
            self.boxes.append(axes.add_patch(Rectangle((x + 0.05, y), 0.9, 0.9, ec=FAINT, lw=0.8)))
            self.fillers.append(axes.text(x + 0.5, y + 0.44, "", color=INK["orange"], **bold))
            if i % 4 == 0:
                axes.text(x + 0.5, y + 1.16, str(i), ha="center", va="center", fontsize=9.5, color="#4A5560")
        self.gaps = [axes.text(0, 0, "", **bold) for _ in range(PLACES)]

    def place(self, i: int) -> tuple[int, float]:
        """The lower left corner of a box."""
        return i % self.across, -PITCH * (i // self.across)

    def show(self, row: GapRow) -> str:
        """Colour the boxes, write the gaps, and mark the bits on the curve."""
        places = np.cumsum(row.gaps) if len(row.gaps) else np.zeros(0, int)
        filler_places = set(places[row.fillers.astype(bool)].tolist())
        for i, (box, filler) in enumerate(zip(self.boxes, self.fillers, strict=True)):
            box.set_facecolor(COLOURS["blue"] if row.mask[i] else "#E8EBEE")
            write(filler, text="0" if i in filler_places else "")
        for i, text in enumerate(self.gaps):
            if i >= len(places):
                write(text, text="")
                continue
            colour = INK["orange"] if row.fillers[i] else COLOURS["ink"]
            x, y = self.place(places[i])
            write(text, text=str(row.gaps[i]), position=(x + 0.5, y - 0.55), color=colour)
        self.rates.set_data(BITS, row.rates)
        best = int(np.argmin(row.rates))
        self.minimum.set_data([BITS[best]], [row.rates[best]])
        self.marker.set_data([row.bits], [row.rates[BITS.index(row.bits)]])
        any_gap, any_filler = bool(len(row.gaps)), bool(row.fillers.any())
        name_what_is_drawn(self.legend, {WEIGHT: bool(row.mask.any()), FILLER: any_filler, GAP: any_gap})
        return describe(row, yours=self.yours)


def describe(row: GapRow, *, yours: bool) -> str:
    """The sentences under the panel: the gaps, which of them lead to a filler, and the bits of a weight."""
    gaps = ", ".join(
        f"{gap} (filler)" if filler else str(gap) for gap, filler in zip(row.gaps, row.fillers, strict=True)
    )
    best = BITS[int(np.argmin(row.rates))]
    return (
        f"{'Your gaps' if yours else 'Gaps'} of {plural(row.bits, 'bit')}, from 1 to {2**row.bits}: {gaps or 'none'}. "
        f"Weights: {int(row.mask.sum())}, filler zeros: {int(row.fillers.sum())}. In a long row with "
        f"{row.density:.0%} of the weights kept, a weight takes {row.rates[BITS.index(row.bits)]:.1f} bits, its value "
        f"included; gaps of {plural(best, 'bit')} {'is' if best == 1 else 'are'} best."
    )
