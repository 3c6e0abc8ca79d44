"""Sparse storage by relative indices: the gaps between nonzeros in few bits, and the zeros that fill long spans."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.coding.gaps import decode_gaps, encode_gaps
from course_utils.panels.engine import Button, Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, INK, write

__all__ = ["EXAMPLE", "gaps"]

EXAMPLE = (1, 4, 15)  # the positions of the lecture's example
PLACES = 48
BITS = tuple(range(1, 9))
VALUE_BITS = 4  # a weight's code, which a filler needs too
DENSITIES = (0.02, 0.04, 0.08, 0.12, 0.2, 0.3, 0.5)
LONG = 200_000  # places over which the bits are counted

Encoder = Callable[..., Any]


class Spans(NamedTuple):
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

    `encode`: your own ``encode(mask, *, bits)`` in the place of `encode_gaps`; it returns the gaps, and a boolean array
    that is true where a gap leads to a filler.
    """
    texts = [f"{d:.0%}" for d in DENSITIES]
    controls = [
        Choice(
            name="row", label="Positions", options={"the lecture's example": "lecture", "drawn at random": "random"}
        ),
        Slider(name="bits", label="Bits b of a gap", values=BITS, value=3),
        Slider(name="density", label="Share of weights left", values=DENSITIES, value=0.08, texts=texts),
        Button(name="again", label="Draw again"),
    ]
    rates: dict[float, np.ndarray] = {}

    def compute(row: str, bits: float, density: float, again: int) -> Spans:
        if row == "lecture":
            mask = np.isin(np.arange(PLACES), EXAMPLE)
        else:
            mask = np.random.default_rng(again).random(PLACES) < density
        found = checked(encode or encode_gaps, mask, int(bits))
        if density not in rates:
            long = np.random.default_rng(0).random(LONG) < density
            rates[density] = np.array([bits_each(long, b) for b in BITS])
        return Spans(mask, *found, int(bits), rates[density], density)

    title = "Positions as gaps" if encode is None else "Positions as your gaps"
    return Panel(title, controls, compute, drawing(encode is not None), size=(960, 400))


def checked(encode: Encoder, mask: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """What a reader's function returns, if it leads back to the mask."""
    found = encode(mask.copy(), bits=bits)
    if not isinstance(found, tuple) or len(found) != 2:
        raise ValueError(f"encode must return a pair (gaps, fillers), got {type(found).__name__}")
    steps, fillers = np.asarray(found[0], int), np.asarray(found[1], bool)
    if steps.shape != fillers.shape or steps.ndim != 1:
        raise ValueError(f"gaps and fillers must be rows of one length, got shapes {steps.shape} and {fillers.shape}")
    if len(steps) and steps.max(initial=0) > 2**bits:
        raise ValueError(f"a gap of {bits} bits is at most {2**bits}, got {steps.max()}; put a filler zero in between")
    if not np.array_equal(decode_gaps(steps, fillers, size=len(mask), bits=bits), mask):
        places = np.cumsum(steps)[~fillers].tolist()
        raise ValueError(f"the gaps lead to the positions {places}, the weights are at {np.flatnonzero(mask).tolist()}")
    return steps, fillers


def bits_each(mask: np.ndarray, bits: int) -> float:
    """Bits for each weight, its value and the fillers included, with gaps of so many bits."""
    steps, _ = encode_gaps(mask, bits=bits)
    return len(steps) * (bits + VALUE_BITS) / max(1, int(mask.sum()))


def drawing(own: bool) -> Draw:
    """The drawing of our gaps, or the reader's."""

    def draw(figure: Figure) -> Show:
        above, below = figure.subplots(2, 1, height_ratios=[1, 1.25])
        above.set(xlim=(-0.3, PLACES + 0.3), ylim=(-1.5, 1.35), xticks=[], yticks=[])
        above.spines[:].set_visible(False)
        boxes = [above.add_patch(Rectangle((i + 0.05, 0), 0.9, 0.9, ec=FAINT, lw=0.8)) for i in range(PLACES)]
        for i in range(0, PLACES, 4):
            above.text(i + 0.5, 1.12, str(i), ha="center", va="center", fontsize=9.5, color="#4A5560")
        marks = [
            above.text(i + 0.5, 0.44, "", color=INK["orange"], ha="center", va="center", fontsize=11, fontweight="bold")
            for i in range(PLACES)
        ]
        steps = [
            above.text(0, -0.55, "", ha="center", va="center", fontsize=11, fontweight="bold") for _ in range(PLACES)
        ]
        above.text(-0.2, -1.25, "■ a weight", color=COLOURS["blue"], fontsize=10, va="center")
        above.text(5.4, -1.25, "0 a filler zero", color=INK["orange"], fontsize=10, va="center")
        above.text(
            12.4,
            -1.25,
            "numbers under the row: the gaps that are stored",
            color=COLOURS["ink"],
            fontsize=10,
            va="center",
        )
        (curve,) = below.plot(
            [], [], "o-", color=COLOURS["blue"], label="a row of 200,000 places with this share of weights left"
        )
        (least,) = below.plot([], [], "D", ms=9, color=COLOURS["green"], label="fewest bits")
        (here,) = below.plot([], [], "o", ms=12, mfc="none", mew=2.2, color=COLOURS["orange"])
        below.set(xlim=(0.7, 8.3), xticks=BITS, xlabel="bits b of a gap", yscale="log", ylim=(5, 180))
        below.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
        below.minorticks_off()
        below.set_ylabel(f"bits for each weight\n(gap + {VALUE_BITS} bits of value)")
        below.legend(loc="upper right", fontsize=10)

        def show(spans: Spans) -> str:
            places = np.cumsum(spans.gaps) if len(spans.gaps) else np.zeros(0, int)
            zeros = set(places[spans.fillers.astype(bool)].tolist())
            for i, (box, mark) in enumerate(zip(boxes, marks, strict=True)):
                box.set_facecolor(COLOURS["blue"] if spans.mask[i] else "#E8EBEE")
                write(mark, text="0" if i in zeros else "")
            for i, step in enumerate(steps):
                used = i < len(places)
                write(step, text=str(spans.gaps[i]) if used else "")
                if used:
                    colour = INK["orange"] if spans.fillers[i] else COLOURS["ink"]
                    write(step, position=(places[i] + 0.5, step.get_position()[1]), color=colour)
            curve.set_data(BITS, spans.rates)
            best = int(np.argmin(spans.rates))
            least.set_data([BITS[best]], [spans.rates[best]])
            here.set_data([spans.bits], [spans.rates[BITS.index(spans.bits)]])
            return words(spans, own)

        return show

    return draw


def words(spans: Spans, own: bool) -> str:
    """The gaps, and which of them lead to a filler."""
    told = ", ".join(f"{g}{' (filler)' if f else ''}" for g, f in zip(spans.gaps, spans.fillers, strict=True))
    best = BITS[int(np.argmin(spans.rates))]
    plural = "s" if spans.bits > 1 else ""
    return (
        f"{'Your gaps' if own else 'Gaps'} of {spans.bits} bit{plural}, from 1 to {2**spans.bits}: {told or 'none'}. "
        f"Weights: {int(spans.mask.sum())}, filler zeros: {int(spans.fillers.sum())}. In a long row with "
        f"{spans.density:.0%} of the weights left, each takes {spans.rates[BITS.index(spans.bits)]:.1f} bits with its "
        f"value; gaps of {best} bit{'s are' if best > 1 else ' is'} best."
    )
