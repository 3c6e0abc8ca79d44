"""One number, bit by bit: how floating and fixed point store it, and how far apart their numbers lie."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.methods.quantize import FixedPoint
from course_utils.panels.engine import Choice, Panel, Slider, Text
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, INK, LINE_STYLES, legend, number, write

__all__ = ["Stored", "one_number", "store"]

# Of each floating format: bits of the exponent, bits of the mantissa, and how torch calls it.
FLOATS = {"float32": (8, 23, torch.float32), "float16": (5, 10, torch.float16), "bfloat16": (8, 7, torch.bfloat16)}
FIELDS = {
    "sign": INK["orange"],
    "exponent": INK["green"],
    "mantissa": INK["blue"],
    "integer part": INK["green"],
    "fraction": INK["blue"],
}
# Of the names of the fields, with some air, in pixels.
CAPTION_WIDTHS = {"sign": 46, "exponent": 92, "mantissa": 92, "integer part": 104, "fraction": 78}
MAX_BITS, ROW = 32, 16  # bits of a number, and of a row of boxes
MARGINS = 85  # pixels left and right of the boxes
SIZES = np.geomspace(1e-9, 1e9, 400)


class Stored(NamedTuple):
    """A number in a format: its `bits` as text, the field of each bit, the `value` that they stand for, what was asked
    for, and for each of SIZES the distance to the next number of the format (NaN beyond its range)."""

    asked: float
    value: float
    bits: str
    fields: list[str]
    spacing: np.ndarray
    name: str


def one_number() -> Panel:
    """A number of the reader's in float32, float16, bfloat16 or fixed point, bit by bit (lecture, section 05)."""
    formats = {"float32": "float32", "float16": "float16", "bfloat16": "bfloat16", "fixed point": "fixed"}
    controls = [
        Text(name="number", label="A number", value="0.1", max_length=24),
        Choice(name="format", label="Format", options=formats, value="float16"),
        Slider(name="bits", label="Fixed point: total bits", values=list(range(2, 17)), value=8),
        Slider(name="frac_bits", label="Fixed point: fraction bits", values=list(range(-2, 15)), value=6),
    ]

    def compute(number: str, format: str, bits: float, frac_bits: float) -> Stored:
        return store(number, format, bits=int(bits), frac_bits=int(frac_bits))

    return Panel("One number, bit by bit", controls, compute, lambda figure: BitPicture(figure).show, size=(960, 430))


def store(typed: str, format: str, *, bits: int = 8, frac_bits: int = 6) -> Stored:
    """The number as the format stores it."""
    try:
        asked = float(typed.replace(",", ".").replace("−", "-"))
    except ValueError:
        raise ValueError(f"type a number such as 0.1, −3 or 1e-5, got {typed!r}") from None
    x = torch.tensor(asked, dtype=torch.float64)
    if format == "fixed":
        if math.isnan(asked):
            raise ValueError("fixed point has no bits for NaN, not a number; choose a floating format")
        fixed = FixedPoint(bits=bits, frac_bits=frac_bits)
        value = float(fixed.round(x))
        code = round(value / fixed.resolution)
        bit_text = format_bits(code, bits)
        whole_bits = max(0, bits - 1 - max(0, frac_bits))
        fields = ["sign"] + ["integer part"] * whole_bits + ["fraction"] * (bits - 1 - whole_bits)
        spacing = np.where(max(fixed.range[1], fixed.resolution) >= SIZES, fixed.resolution, np.nan)
        return Stored(asked, value, bit_text, fields, spacing, fixed_name(bits, frac_bits))
    exponent, mantissa, dtype = FLOATS[format]
    rounded = x.to(dtype)
    code = int(rounded.view(torch.int32 if dtype == torch.float32 else torch.int16))
    bit_text = format_bits(code, 1 + exponent + mantissa)
    fields = ["sign"] + ["exponent"] * exponent + ["mantissa"] * mantissa
    smallest_normal = 2.0 ** (2 - 2 ** (exponent - 1))
    spacing = 2.0 ** (np.floor(np.log2(np.maximum(SIZES, smallest_normal))) - mantissa)
    spacing = np.where(torch.finfo(dtype).max >= SIZES, spacing, np.nan)
    return Stored(asked, float(rounded), bit_text, fields, spacing, format)


def fixed_name(bits: int, frac_bits: int) -> str:
    """What a format of fixed point is called.

    >>> fixed_name(8, -2)
    'fixed point, 8 bits, −2 of the fraction'
    """
    return f"fixed point, {bits} bits, {number(frac_bits, 'g')} of the fraction"


def format_bits(code: int, bits: int) -> str:
    """An integer in two's complement.

    >>> format_bits(-2, 4)
    '1110'
    """
    return f"{code % 2**bits:0{bits}b}"


class BitPicture:
    """Boxes for the bits above, distances of neighbouring numbers below."""

    def __init__(self, figure: Figure) -> None:
        above, below = figure.subplots(2, 1, height_ratios=[1, 1.9])
        self.box_width = (100 * figure.get_size_inches()[0] - MARGINS) / ROW
        above.set(xlim=(0, ROW), ylim=(-1.1, 1.6), xticks=[], yticks=[])
        above.spines[:].set_visible(False)
        self.boxes = [Rectangle((0, 0), 0.94, 0.9, lw=0) for _ in range(MAX_BITS)]
        digit: dict[str, Any] = {"ha": "center", "va": "center", "color": "white", "fontsize": 11, "fontweight": "bold"}
        self.digits = [above.text(0, 0, "", **digit) for _ in range(MAX_BITS)]
        for box in self.boxes:
            above.add_patch(box)
        caption: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 10, "fontweight": "bold"}
        self.captions = [above.text(0, 0, "", **caption) for _ in range(3)]
        for name, dashes in zip(FLOATS, LINE_STYLES[1:], strict=False):
            below.plot(SIZES, store("1", name).spacing, linestyle=dashes, color=FAINT, lw=1.4, label=name)
        (self.spacing,) = below.plot([], [], color=COLOURS["blue"], lw=2.6, label="this format")
        (self.marker,) = below.plot([], [], "o", color=COLOURS["orange"], ms=9, label="this number")
        below.set(xscale="log", yscale="log", xlim=(SIZES[0], SIZES[-1]), ylim=(1e-17, 1e5))
        below.set(xlabel="magnitude of a number", ylabel="distance to the next", title="Spacing of the numbers")
        below.set_yticks([1e-15, 1e-10, 1e-5, 1])
        below.minorticks_off()
        self.legend = legend(figure, loc="outside lower center", ncols=5, fontsize=10, columnspacing=1.2)

    def show(self, stored: Stored) -> str:
        """Write the bits into their boxes, and mark the number on the curve of its format."""
        self.show_bits(stored)
        self.spacing.set_data(SIZES, stored.spacing)
        size = abs(stored.value)
        inside = SIZES[0] <= size <= SIZES[-1]
        at = float(np.interp(math.log(size), np.log(SIZES), stored.spacing)) if inside else math.nan
        self.marker.set_data([size] if inside else [], [at] if inside else [])
        name_what_is_drawn(self.legend)
        return describe(stored)

    def show_bits(self, stored: Stored) -> None:
        """The bits of the number in rows of ROW, in the colours of their fields, with the fields' names above."""
        left = (ROW - min(ROW, len(stored.bits))) / 2
        top = 0.0 if len(stored.bits) > ROW else -0.5  # of the first row
        for i, (box, digit) in enumerate(zip(self.boxes, self.digits, strict=True)):
            used = i < len(stored.bits)
            x, y = left + i % ROW, top - i // ROW
            box.set_visible(used)
            write(digit, text=stored.bits[i] if used else "", position=(x + 0.5, y + 0.44))
            if used:
                box.set_xy((x + 0.03, y))
                box.set_facecolor(FIELDS[stored.fields[i]])
        places = caption_places(stored.fields[:ROW], self.box_width)
        for text, name in zip(self.captions, [*places, "", ""][:3], strict=True):
            write(text, text=name)
            if name:
                write(text, position=(left + places[name], top + 1.2), color=FIELDS[name])


def caption_places(fields: list[str], box_width: float) -> dict[str, float]:
    """Where the middle of each field's name stands: above its bits, but no name over another one."""
    middle = {name: (fields.index(name) + len(fields) - fields[::-1].index(name)) / 2 for name in dict.fromkeys(fields)}
    names = list(middle)
    anchor = min(1, len(names) - 1)  # the second name stays; the first gives way to the left, the third to the right
    for i, side in ((anchor - 1, -1), (anchor + 1, 1)):
        if 0 <= i < len(names) and i != anchor:
            distance = (CAPTION_WIDTHS[names[i]] + CAPTION_WIDTHS[names[anchor]]) / 2 / box_width
            free = middle[names[anchor]] + side * distance
            middle[names[i]] = min(middle[names[i]], free) if side < 0 else max(middle[names[i]], free)
    return middle


def describe(stored: Stored) -> str:
    """The sentence under the panel: how the number is stored, and with which error."""
    error = abs(stored.value - stored.asked)
    if math.isnan(stored.asked):
        lost = "bits of their own say that it is no number"
    elif math.isinf(stored.asked) != math.isinf(stored.value):
        lost = f"{in_words(stored.asked, 'g')} is too large for this format"
    elif stored.value == stored.asked:
        lost = "exactly the number that you typed"
    elif stored.value == 0:
        lost = "the number is too small for this format and is lost"
    else:
        share = error / abs(stored.asked)
        part = f"{share:.2%} of it" if share >= 1e-4 else f"one part in {1 / share:,.0f}"
        lost = f"off by {number(error, '.3g')}, {part}"
    result = f"{in_words(stored.asked)} is stored as {in_words(stored.value)}: {lost}"
    return f"In {stored.name} ({len(stored.bits)} bits, {stored.bits}) {result}."


def in_words(value: float, form: str = ".9g") -> str:
    """A number for the sentence, also one that is none.

    >>> in_words(-0.5), in_words(-math.inf), in_words(math.nan)
    ('−0.5', 'minus infinity', 'NaN (not a number)')
    """
    if math.isnan(value):
        return "NaN (not a number)"
    if math.isinf(value):
        return "infinity" if value > 0 else "minus infinity"
    return number(value, form)
