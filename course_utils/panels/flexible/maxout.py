"""Maxout: the maximum of K linear functions, of one input and of two (lecture, (16))."""

from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from course_utils._support.random_numbers import random_numbers
from course_utils.methods.activations import Maxout
from course_utils.panels.engine import Button, Panel, Slider, Text
from course_utils.panels.engine.typed import typed_function
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, legend, number, write

__all__ = ["maxout"]

MAX_PIECES = 8
X = np.linspace(-2, 2, 161)
SQUARE = np.array([[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]])  # of the two inputs
STEP = 0.5  # of the heights for which a line is drawn
PIECES = ["#CFE3F2", "#F6D9C6", "#CFEBE0", "#EAD5E6", "#F8E7C4", "#DDF0FB", "#DADDE1", "#F3C9B5"]


class Pieces(NamedTuple):
    """Slopes and offsets of K lines, and the target on X; slopes (K, 2) and offsets of K planes."""

    slopes: np.ndarray
    offsets: np.ndarray
    target: np.ndarray
    plane_slopes: np.ndarray
    plane_offsets: np.ndarray


def maxout() -> Panel:
    """K tangents of a function that the reader types, and K random planes, with their maximum (lecture, (16))."""
    controls = [
        Slider(name="pieces", label="K, pieces", values=list(range(1, MAX_PIECES + 1)), value=3),
        Text(name="target", label="Target function of s (left)", value="s**2 - 1", max_length=60),
        Button(name="again", label="Other planes (right)"),
    ]

    def compute(pieces: float, target: str, again: int) -> Pieces:
        k = int(pieces)
        function = typed_function(target)
        places = (torch.arange(1 - k, k, 2).double() * 2 / k).requires_grad_()  # the middles of K equal parts
        values = function(places)
        slopes = torch.autograd.grad(values.sum(), places)[0]
        if not bool(slopes.isfinite().all()):
            at = number(float(places.detach()[~slopes.isfinite()][0]), ".3g")
            raise ValueError(f"{target} has no tangent at s = {at}; type a function with a slope there, or change K")
        offsets = (values - slopes * places).detach()
        with random_numbers(again):
            unit = Maxout(2, 1, k)
        return Pieces(
            slopes.numpy(),
            offsets.numpy(),
            function(torch.from_numpy(X)).detach().numpy(),
            unit.linear.weight.detach().double().numpy(),
            unit.linear.bias.detach().double().numpy(),
        )

    return Panel("Maxout", controls, compute, lambda figure: MaxoutPicture(figure).show, size=(960, 390))


def highest(slopes: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """The corners (n, 2) of each plane's region: of the part of SQUARE in which it is the highest; none may be left.

    >>> [len(corners) for corners in highest(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([0.0, 0.0]))]
    [4, 4]
    """
    regions = []
    for i, (slope, offset) in enumerate(zip(slopes, offsets, strict=True)):
        corners = SQUARE
        for j in np.delete(np.arange(len(slopes)), i):
            above = corners @ (slope - slopes[j]) + offset - offsets[j]
            corners = cut(corners, above)
        regions.append(corners)
    return regions


def cut(corners: np.ndarray, above: np.ndarray) -> np.ndarray:
    """What is left of a convex polygon where a linear function, with the values `above` at its corners, is positive."""
    kept = []
    for i in range(len(corners)):
        if above[i - 1] * above[i] < 0:
            kept.append(corners[i - 1] + (corners[i] - corners[i - 1]) * above[i - 1] / (above[i - 1] - above[i]))
        if above[i] > 0:
            kept.append(corners[i])
    return np.array(kept).reshape(-1, 2)


def level_lines(corners: np.ndarray, heights: np.ndarray) -> list[np.ndarray]:
    """Where a plane, with these heights at the corners of a convex polygon, has a multiple of STEP as its height."""
    lines = []
    for level in STEP * np.arange(np.ceil(heights.min() / STEP), heights.max() / STEP):
        ends = [
            corners[i - 1] + (corners[i] - corners[i - 1]) * (level - heights[i - 1]) / (heights[i] - heights[i - 1])
            for i in range(len(corners))
            if (heights[i - 1] - level) * (heights[i] - level) < 0
        ]
        if len(ends) == 2:
            lines.append(np.array(ends))
    return lines


class MaxoutPicture:
    """Lines and their maximum on the left; regions and heights on the right."""

    def __init__(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        (self.target,) = left.plot([], [], "--", color=COLOURS["orange"], label="target function")
        self.lines = [left.plot([], [], ":", color=COLOURS["grey"], lw=1.3)[0] for _ in range(MAX_PIECES)]
        self.lines[0].set_label("the K lines")
        (self.maximum,) = left.plot([], [], color=COLOURS["blue"], lw=2.6, label="their maximum")
        left.set(xlim=(-2, 2), ylim=(-2.5, 3.5), xlabel="the only input, h = s")
        left.set_title("One input: the maximum of wᵢ\u00a0s\u00a0+\u00a0bᵢ")  # a formula that does not break
        self.regions = [right.add_patch(Polygon(SQUARE, fc=c, ec=COLOURS["ink"], lw=1.6)) for c in PIECES]
        bold: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11, "fontweight": "bold"}
        self.numbers = [right.text(0, 0, "", **bold) for _ in PIECES]
        self.heights = LineCollection([], colors=FAINT, linewidths=1.1, label=f"lines of one height, {STEP:g} apart")
        right.add_collection(self.heights, autolim=False)
        right.set(xlim=(-2, 2), ylim=(-2, 2), xlabel="h₁", ylabel="h₂")
        right.set_title("Two inputs: which plane is highest")
        self.legend = legend(figure, loc="outside lower left", ncols=4, fontsize=10)

    def show(self, pieces: Pieces) -> str:
        """Draw the lines, and the regions of the planes."""
        values = pieces.slopes[:, None] * X + pieces.offsets[:, None]
        maximum = values.max(0)
        for i, line in enumerate(self.lines):
            if i < len(values):
                line.set_data(X, values[i])
            else:
                line.set_data([], [])
        self.maximum.set_data(X, maximum)
        self.target.set_data(X, pieces.target)
        regions = highest(pieces.plane_slopes, pieces.plane_offsets)
        level = []
        for i, patch in enumerate(self.regions):
            patch.set_visible(i < len(regions) and len(regions[i]) > 0)
            write(self.numbers[i], text=str(i + 1) if patch.get_visible() else "")
            if patch.get_visible():
                patch.set_xy(regions[i])
                write(self.numbers[i], position=tuple(regions[i].mean(0)))
                level += level_lines(regions[i], regions[i] @ pieces.plane_slopes[i] + pieces.plane_offsets[i])
        self.heights.set_segments(level)
        name_what_is_drawn(self.legend)
        return describe(pieces, maximum, sum(len(corners) > 0 for corners in regions))


def describe(pieces: Pieces, maximum: np.ndarray, in_use: int) -> str:
    """The sentences under the panel: parameters, the error of the lines' `maximum` on X, and the planes `in_use`."""
    k, error = len(pieces.slopes), np.abs(maximum - pieces.target).max()
    return (
        f"K = {k}: {2 * k} parameters per neuron with one input, {3 * k} with two. The largest error is "
        f"{number(error)}. On the right {in_use} of {k} planes are highest somewhere."
    )
