"""The inner product of two vectors of signs from one XNOR and one bit count."""

from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.methods.binarize import pack_bits, xnor_linear
from course_utils.panels.engine import Button, Panel, Slider
from course_utils.plots import COLOURS, FAINT, INK, number, write

__all__ = ["xnor"]

MAX_LENGTH = 32
ROWS = ("x", "w", "x XNOR w")
LEAST_BOX, NAMES = 18, 100  # pixels of a square, and left of the squares
PART = 3.7  # from a part to the one below it, in squares


class Product(NamedTuple):
    """Inputs and weights as signs, and their inner product by floats and by packed bits."""

    x: np.ndarray
    w: np.ndarray
    by_floats: int
    by_bits: int


def xnor() -> Panel:
    """The inner product of two rows of signs, by bits: n minus twice the bits that differ (lecture, section 06)."""
    controls = [
        Slider(name="n", label="Length n", values=[8, 16, 24, 32], value=16),  # whose eighths are whole numbers
        Slider(
            name="alike",
            label="Places that agree",
            values=[i / 8 for i in range(9)],
            value=0.5,
            texts=[f"{i / 8:.1%}".replace(".0%", "%") for i in range(9)],
        ),
        Button(name="again", label="Other signs"),
    ]

    def compute(n: float, alike: float, again: int) -> Product:
        rng = np.random.default_rng(again)
        x = np.where(rng.random(int(n)) < 0.5, -1, 1)
        agree = np.zeros(int(n), bool)
        agree[rng.permutation(int(n))[: int(alike * n)]] = True
        w = np.where(agree, x, -x)
        tx, tw = (torch.from_numpy(v).float().reshape(1, -1) for v in (x, w))
        by_bits = int(xnor_linear(pack_bits(tx), pack_bits(tw), n=int(n)))
        return Product(x, w, int(tx @ tw.T), by_bits)

    return Panel("A product of signs", controls, compute, lambda figure: BitRows(figure).show, size=(960, 250))


class BitRows:
    """Three rows of squares, in two parts where one would be too narrow: x, w, and where they agree."""

    def __init__(self, figure: Figure) -> None:
        room = 100 * figure.get_size_inches()[0] - NAMES
        self.across = MAX_LENGTH if room >= LEAST_BOX * MAX_LENGTH else MAX_LENGTH // 2
        axes = figure.subplots()
        bottom = 0.0 if self.across == MAX_LENGTH else -PART
        axes.set(xlim=(-self.across * NAMES / room, self.across + 0.1), ylim=(bottom - 0.1, 3.4), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        self.names = [axes.text(0, 0, "", ha="right", va="center", fontsize=11, fontweight="bold") for _ in range(6)]
        self.boxes, self.texts = {}, {}
        for name in ROWS:
            box: dict[str, Any] = {"ec": FAINT, "lw": 0.8}
            digit: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11}
            self.boxes[name] = [Rectangle((0, 0), 0.9, 0.9, **box) for _ in range(MAX_LENGTH)]
            for square in self.boxes[name]:
                axes.add_patch(square)
            self.texts[name] = [axes.text(0, 0, "", **digit) for _ in range(MAX_LENGTH)]

    def show(self, product: Product) -> str:
        """Write the bits, and hide the squares beyond the length."""
        n = len(product.x)
        parts = -(-n // self.across)
        top = 0.0 if parts > 1 or self.across == MAX_LENGTH else -PART / 2  # a single part stands in the middle
        for i, text in enumerate(self.names):
            part, row = divmod(i, len(ROWS))
            write(text, text=ROWS[row] if part < parts else "", position=(-0.3, top + self.height(row, part) + 0.45))
        signs = (product.x > 0, product.w > 0, product.x == product.w)
        for row, (name, bits) in enumerate(zip(ROWS, signs, strict=True)):
            colour = INK["green"] if name == ROWS[-1] else COLOURS["blue"]
            for i, (box, text) in enumerate(zip(self.boxes[name], self.texts[name], strict=True)):
                box.set_visible(i < n)
                if i >= n:
                    write(text, text="")
                    continue
                x, y = i % self.across, top + self.height(row, i // self.across)
                box.set_xy((x + 0.05, y))
                box.set_facecolor(colour if bits[i] else "#E5E9EC")
                write(
                    text,
                    text=str(int(bits[i])),
                    color="white" if bits[i] else COLOURS["ink"],
                    position=(x + 0.5, y + 0.43),
                )
        return describe(product)

    def height(self, row: int, part: int) -> float:
        """Where the squares of a row begin."""
        return 2.2 - 1.1 * row - PART * part


def describe(product: Product) -> str:
    """The sentences under the panel: the places that agree, and the inner product by bits and by floats."""
    n, agree = len(product.x), int((product.x == product.w).sum())
    return (
        f"1 stands for +1, 0 for −1. {agree} of {n} places agree, so the inner product is {agree} − {n - agree} = "
        f"2 · {agree} − {n} = {number(product.by_bits, 'g')}; computed with floats it is "
        f"{number(product.by_floats, 'g')}."
    )
