"""Stochastic rounding against BinaryConnect on a loss of two weights: what a smaller learning rate does to each.

(Li, De, Xu, Studer, Samet, Goldstein 2017, arXiv:1706.02379.) Both compute only on the points of a grid. Stochastic
rounding rounds the weight itself after each step; BinaryConnect rounds for the gradient and keeps a real weight.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from course_utils.experiments.binary.grid_walk import GRID, LIMIT, MINIMUM, STEPS, walk
from course_utils.panels.engine import Button, Panel, Slider
from course_utils.plots import COLOURS, FAINT

__all__ = ["Walks", "annealing"]


class Walks(NamedTuple):
    """The points visited, (steps, 2), by stochastic rounding and by BinaryConnect (after rounding)."""

    stochastic_rounding: np.ndarray
    binary_connect: np.ndarray
    lr: float


def annealing() -> Panel:
    """Where two ways to train weights on a grid spend their time, as the learning rate falls (Li, De et al. 2017)."""
    controls = [
        Slider(name="lr", label="Learning rate η", values=[0.3, 0.1, 0.03, 0.01, 0.003, 0.001][::-1], value=0.1),
        Button(name="again", label="Other noise"),
    ]

    def compute(lr: float, again: int) -> Walks:
        return Walks(walk(lr, seed=again, keep_real=False), walk(lr, seed=again, keep_real=True), lr)

    title = "Stochastic rounding and BinaryConnect"
    return Panel(title, controls, compute, lambda figure: GridPicture(figure).show, size=(960, 400))


class GridPicture:
    """Two maps of how often each point of the grid was visited."""

    def __init__(self, figure: Figure) -> None:
        axes = figure.subplots(1, 2)
        self.ticks = np.arange(-LIMIT, LIMIT + GRID / 2, GRID)
        grid_x, grid_y = np.meshgrid(self.ticks, self.ticks)
        xx, yy = np.meshgrid(np.linspace(-LIMIT, LIMIT, 80), np.linspace(-LIMIT, LIMIT, 80))
        loss = ((xx - MINIMUM[0]) ** 2 + (yy - MINIMUM[1]) ** 2) / 2
        self.dots = []
        for ax, title in zip(axes, ("Stochastic rounding", "BinaryConnect"), strict=True):
            ax.contour(xx, yy, loss, levels=8, colors=FAINT, linewidths=0.7)
            (minimum,) = ax.plot(*MINIMUM, "x", ms=10, mew=2.5, ls="", color=COLOURS["orange"], label="minimum")
            self.dots.append(
                ax.scatter(grid_x.ravel(), grid_y.ravel(), s=np.zeros(grid_x.size), c=np.ones(grid_x.size),
                           cmap="Blues", norm=LogNorm(1e-3, 1), edgecolors=COLOURS["blue"], linewidths=0.6)
            )  # fmt: skip
            ax.set(xlim=(-LIMIT - 0.1, LIMIT + 0.1), ylim=(-LIMIT - 0.1, LIMIT + 0.1), aspect="equal", title=title)
            ax.set(xlabel="$w_1$", ylabel="$w_2$")
        figure.legend(handles=[minimum], loc="outside lower center", fontsize=10)  # beside the maps, not over a contour

    def show(self, walks: Walks) -> str:
        """Size the dots by the share of steps that each point has."""
        for dots, points in zip(self.dots, (walks.stochastic_rounding, walks.binary_connect), strict=True):
            cells = np.round((points + LIMIT) / GRID).astype(int)
            share = np.zeros((len(self.ticks), len(self.ticks)))
            np.add.at(share, (cells[:, 1], cells[:, 0]), 1 / len(points))
            dots.set_sizes(np.sqrt(share.ravel()) * 420)
            dots.set_array(np.maximum(share.ravel(), 1e-3))
        return describe(walks)


def describe(walks: Walks) -> str:
    """The sentence under the panel: how often either of the two is near the minimum."""
    return (
        f"η = {walks.lr:g}: share of {STEPS:,} steps spent on the four points around the minimum: "
        f"stochastic rounding {share_near_minimum(walks.stochastic_rounding):.0%}, "
        f"BinaryConnect {share_near_minimum(walks.binary_connect):.0%}."
    )


def share_near_minimum(points: np.ndarray) -> float:
    """The share of the points visited that are among the four of the grid around the minimum."""
    return float(np.mean(np.max(abs(points - MINIMUM), axis=1) < GRID))
