"""Maxout: the maximum of K linear functions, of one input and of two (lecture, (16))."""

from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from course_utils._support.random_numbers import random_numbers
from course_utils.methods.activations import Maxout
from course_utils.panels.engine import Button, Panel, Slider, Text
from course_utils.panels.engine.typed import typed_function
from course_utils.plots import COLOURS

__all__ = ["maxout"]

MAX_PIECES = 8
X = np.linspace(-2, 2, 161)
GRID = np.stack(np.meshgrid(np.linspace(-2, 2, 241), np.linspace(-2, 2, 241)), -1)
PIECES = ["#CFE3F2", "#F6D9C6", "#CFEBE0", "#EAD5E6", "#F8E7C4", "#DDF0FB", "#DADDE1", "#F3C9B5"]


class Pieces(NamedTuple):
    """Slopes and offsets of K lines, the target on X; the height of the highest plane on GRID, and which it is."""

    slopes: np.ndarray
    offsets: np.ndarray
    target: np.ndarray
    height: np.ndarray
    which: np.ndarray


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
        places = torch.linspace(-2, 2, 2 * k + 1)[1::2].double().requires_grad_()
        values = function(places)
        slopes = torch.autograd.grad(values.sum(), places)[0]
        offsets = (values - slopes * places).detach()
        with random_numbers(again):
            unit = Maxout(2, 1, k)
        points = torch.from_numpy(GRID.reshape(-1, 2)).float()
        with torch.no_grad():
            height, which = plane_values(unit, points).max(1)
        shape = GRID.shape[:2]
        return Pieces(
            slopes.numpy(),
            offsets.numpy(),
            function(torch.from_numpy(X)).detach().numpy(),
            height.reshape(shape).numpy(),
            which.reshape(shape).numpy(),
        )

    return Panel("Maxout", controls, compute, lambda figure: MaxoutPicture(figure).show, size=(960, 390))


def plane_values(unit: Maxout, points: torch.Tensor) -> torch.Tensor:
    """The value of each of the K planes at each point, (points, K), of which `unit` returns the maximum."""
    return unit.linear(points).reshape(len(points), 1, -1)[:, 0]


class MaxoutPicture:
    """Lines and their maximum on the left; regions and heights on the right."""

    def __init__(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        (self.target,) = left.plot([], [], "--", color=COLOURS["orange"], label="target function")
        self.lines = [left.plot([], [], ":", color=COLOURS["grey"], lw=1.3)[0] for _ in range(MAX_PIECES)]
        self.lines[0].set_label("the K lines")
        (self.maximum,) = left.plot([], [], color=COLOURS["blue"], lw=2.6, label="their maximum")
        left.set(xlim=(-2, 2), ylim=(-2.5, 3.5), xlabel="s, the only input", title="One input: tangents of a function")
        left.legend(loc="upper center", fontsize=10)
        square: dict[str, Any] = {"origin": "lower", "extent": (-2, 2, -2, 2), "interpolation": "nearest"}
        colours = ListedColormap(PIECES)
        self.regions = right.imshow(np.zeros((2, 2)), cmap=colours, vmin=-0.5, vmax=MAX_PIECES - 0.5, **square)
        right.set(xlabel="$h_1$", ylabel="$h_2$", title="Two inputs: which plane is highest", aspect="equal")
        self.bands = right.imshow(np.zeros((2, 2)), cmap="gray_r", alpha=0.45, **square)

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
        self.regions.set_data(pieces.which)
        # Bands of equal height, every second one darker, show the slopes of the planes.
        self.bands.set_data(np.floor(pieces.height * 4) % 2 * 0.5)
        self.bands.set_clim(0, 1)
        return describe(pieces, maximum)


def describe(pieces: Pieces, maximum: np.ndarray) -> str:
    """The sentences under the panel: parameters, the error of the lines' `maximum` on X, and the planes in use."""
    k, error = len(pieces.slopes), np.abs(maximum - pieces.target).max()
    return (
        f"K = {k}: {2 * k} parameters per neuron with one input, {3 * k} with two. The largest error is "
        f"{error:.2f}. On the right {len(np.unique(pieces.which))} of {k} planes are highest somewhere."
    )
