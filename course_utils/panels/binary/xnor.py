"""The inner product of two vectors of signs from one XNOR and one bit count."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.methods.binarize import pack_bits, xnor_linear
from course_utils.panels.engine import Button, Panel, Slider
from course_utils.plots import COLOURS, FAINT, INK, write

__all__ = ["xnor"]

MAX_LENGTH = 32


class Product(NamedTuple):
    """Inputs and weights as signs, and their inner product by floats and by packed bits."""

    x: np.ndarray
    w: np.ndarray
    by_floats: int
    by_bits: int


def xnor() -> Panel:
    """The inner product of two rows of signs, by bits: n minus twice the bits that differ (lecture, section 06)."""
    controls = [
        Slider(name="n", label="Length n", values=[4, 8, 12, 16, 20, 24, 28, 32], value=16),
        Slider(
            name="alike",
            label="Places that agree",
            values=[round(i / 8, 3) for i in range(9)],
            value=0.5,
            texts=[f"{i / 8:.1%}".replace(".0%", "%") for i in range(9)],
        ),
        Button(name="again", label="Other signs"),
    ]

    def compute(n: float, alike: float, again: int) -> Product:
        rng = np.random.default_rng(again)
        x = np.where(rng.random(int(n)) < 0.5, -1, 1)
        agree = np.zeros(int(n), bool)
        agree[rng.permutation(int(n))[: round(alike * int(n))]] = True
        w = np.where(agree, x, -x)
        tx, tw = (torch.from_numpy(v).float().reshape(1, -1) for v in (x, w))
        by_bits = int(xnor_linear(pack_bits(tx), pack_bits(tw), n=int(n)))
        return Product(x, w, int(tx @ tw.T), by_bits)

    return Panel("A product of signs", controls, compute, lambda figure: BitRows(figure).show, size=(960, 250))


class BitRows:
    """Three rows of squares: x, w, and where they agree."""

    def __init__(self, figure: Figure) -> None:
        axes = figure.subplots()
        axes.set(xlim=(-4.2, MAX_LENGTH + 0.2), ylim=(-0.3, 3.6), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        self.boxes, self.texts = {}, {}
        columns = range(MAX_LENGTH)
        for name, y in {"x": 2.5, "w": 1.35, "x XNOR w": 0.2}.items():
            axes.text(-0.4, y + 0.43, name, ha="right", va="center", fontsize=12, fontweight="bold")
            self.boxes[name] = [axes.add_patch(Rectangle((i + 0.05, y), 0.9, 0.86, ec=FAINT, lw=0.8)) for i in columns]
            self.texts[name] = [
                axes.text(i + 0.5, y + 0.42, "", ha="center", va="center", fontsize=11) for i in columns
            ]

    def show(self, product: Product) -> str:
        """Write the bits, and hide the squares beyond the length."""
        n = len(product.x)
        rows = {"x": product.x > 0, "w": product.w > 0, "x XNOR w": product.x == product.w}
        for name, bits in rows.items():
            colour = INK["green"] if name == "x XNOR w" else COLOURS["blue"]
            for i, (box, text) in enumerate(zip(self.boxes[name], self.texts[name], strict=True)):
                box.set_visible(i < n)
                if i >= n:
                    write(text, text="")
                    continue
                box.set_facecolor(colour if bits[i] else "#E5E9EC")
                write(text, text=str(int(bits[i])), color="white" if bits[i] else COLOURS["ink"])
        return describe(product)


def describe(product: Product) -> str:
    """The sentences under the panel: the places that agree, and the inner product by bits and by floats."""
    n, agree = len(product.x), int((product.x == product.w).sum())
    return (
        f"1 stands for +1, 0 for −1. {agree} of {n} places agree, so the inner product is {agree} − {n - agree} = "
        f"2 · {agree} − {n} = {product.by_bits}; computed with floats it is {product.by_floats}."
    )
