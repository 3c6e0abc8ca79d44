"""Stochastic rounding against BinaryConnect on a loss of two weights: what a smaller step size does to each.

(Li, De, Xu, Studer, Samet, Goldstein 2017, arXiv:1706.02379.) Both may only stand on the points of a grid. Stochastic
rounding rounds the weight itself after each step; BinaryConnect rounds for the gradient and keeps a real weight.
"""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from course_utils.panels.engine import Button, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT

__all__ = ["Walks", "annealing", "walk"]

GRID = 0.25  # distance of the points
BEST = np.array([0.37, -0.18])  # where the loss is least
NOISE = 1.0  # standard deviation of the gradients
STEPS = 2_000
EDGE = 1.5
START = (-1.0, 1.0)


class Walks(NamedTuple):
    """The points visited, (steps, 2), by stochastic rounding and by BinaryConnect (after rounding)."""

    sr: np.ndarray
    bc: np.ndarray
    lr: float


def annealing() -> Panel:
    """Where two ways to train weights on a grid spend their time, as the step size falls (Li, De et al. 2017)."""
    controls = [
        Slider(name="lr", label="Step size η", values=[0.3, 0.1, 0.03, 0.01, 0.003, 0.001][::-1], value=0.1),
        Button(name="again", label="Other noise"),
    ]

    def compute(lr: float, again: int) -> Walks:
        return Walks(walk(lr, seed=again, keep_real=False), walk(lr, seed=again, keep_real=True), lr)

    return Panel("Stochastic rounding and BinaryConnect", controls, compute, draw, size=(960, 400))


def walk(lr: float, *, seed: int = 0, keep_real: bool, steps: int = STEPS) -> np.ndarray:
    """The points of the grid on which the gradient is taken, (steps, 2), after as many steps that are not counted.

    The loss is |w - BEST|^2 / 2, its gradient is seen with noise. `keep_real`: BinaryConnect, which rounds a real
    weight to the nearest point; otherwise the weight itself is rounded at random to one of its neighbours.
    """
    rng = np.random.default_rng(seed)
    noise, draws = rng.normal(0, NOISE, (2, 2 * steps)), rng.random((2, 2 * steps))
    seen = np.empty((2 * steps, 2))
    for i, (best, real) in enumerate(zip(BEST.tolist(), START, strict=True)):  # each weight has a loss of its own
        for t, (shock, draw) in enumerate(zip(noise[i].tolist(), draws[i].tolist(), strict=True)):
            point = round(real / GRID) * GRID if keep_real else real
            seen[t, i] = point
            real -= lr * (point - best + shock)
            if not keep_real:
                real = math.floor(real / GRID + draw) * GRID
            real = min(max(real, -EDGE), EDGE)
    return seen[steps:]


def draw(figure: Figure) -> Show:
    """Two maps of how often each point of the grid was visited."""
    axes = figure.subplots(1, 2)
    ticks = np.arange(-EDGE, EDGE + GRID / 2, GRID)
    xx, yy = np.meshgrid(np.linspace(-EDGE, EDGE, 80), np.linspace(-EDGE, EDGE, 80))
    loss = ((xx - BEST[0]) ** 2 + (yy - BEST[1]) ** 2) / 2
    dots = []
    for ax, title in zip(axes, ("Stochastic rounding", "BinaryConnect"), strict=True):
        ax.contour(xx, yy, loss, levels=8, colors=FAINT, linewidths=0.7)
        (least,) = ax.plot(*BEST, "x", ms=10, mew=2.5, ls="", color=COLOURS["orange"], label="least loss")
        gx, gy = np.meshgrid(ticks, ticks)
        dots.append(ax.scatter(gx.ravel(), gy.ravel(), s=np.zeros(gx.size), c=np.ones(gx.size), cmap="Blues",
                               norm=LogNorm(1e-3, 1), edgecolors=COLOURS["blue"], linewidths=0.6))  # fmt: skip
        ax.set(xlim=(-EDGE - 0.1, EDGE + 0.1), ylim=(-EDGE - 0.1, EDGE + 0.1), aspect="equal", title=title)
        ax.set(xlabel="$w_1$", ylabel="$w_2$")
    figure.legend(handles=[least], loc="outside lower center", fontsize=10)  # beside the maps, not over a contour

    def show(walks: Walks) -> str:
        said = []
        for dot, points, name in zip(dots, (walks.sr, walks.bc), ("stochastic rounding", "BinaryConnect"), strict=True):
            cells = np.round((points + EDGE) / GRID).astype(int)
            share = np.zeros((len(ticks), len(ticks)))
            np.add.at(share, (cells[:, 1], cells[:, 0]), 1 / len(points))
            dot.set_sizes(np.sqrt(share.ravel()) * 420)
            dot.set_array(np.maximum(share.ravel(), 1e-3))
            near = np.max(abs(points - BEST), axis=1) < GRID
            said.append(f"{name} {np.mean(near):.0%}")
        return (
            f"η = {walks.lr:g}: share of {STEPS:,} steps spent on the four points around the least loss: {said[0]}, "
            f"{said[1]}."
        )

    return show
