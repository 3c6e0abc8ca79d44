"""Stochastic gradient descent on a cost of two weights: the path, the line that it draws, the training curve (4)."""

from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from course_utils._support.words import plural
from course_utils.experiments.building.descent import STEPS, Step, Walk, cost, minimum, patients, plain_step, walk
from course_utils.panels.engine import Button, Choice, Panel, Slider
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, HALO, number

__all__ = ["STARTS", "descent"]

RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.44, 0.46, 0.5, 0.6]
STARTS = {"upper left": (-1.0, 2.6), "lower left": (-1.2, -0.4), "lower right": (1.9, -0.4)}
EDGES = (-1.6, 2.8, -0.8, 3.0)  # of the picture: w1 from, to; w2 from, to
LEVELS = np.array([0.03, 0.12, 0.3, 0.6, 1.1, 1.9, 3, 4.5, 6.5, 9, 13, 18])  # of the contours, above the minimum


def descent(step: Step | None = None) -> Panel:
    """The path of mini-batch descent on the cost of a line with two weights, beside its training curve.

    `step`: your own update ``step(w, gradient, eta)`` in place of (4).
    """
    n = len(patients()[0])
    sizes = [1, 4, 16, 64, n]
    controls = [
        Slider(name="eta", label="Learning rate η", values=RATES, value=0.1),
        Slider(name="size", label="Batch size", values=sizes, value=n, texts=["1", "4", "16", "64", f"all {n}"]),
        Slider(name="steps", label="Steps taken", values=list(range(STEPS + 1)), value=STEPS),
        Slider(name="momentum", label="Momentum", values=[0.0, 0.5, 0.9], value=0.0),
        Choice(name="start", label="Start", options={name: name for name in STARTS}),
        Button(name="again", label="Other batches"),
    ]

    @lru_cache(maxsize=32)
    def full_walk(eta: float, size: int, momentum: float, start: str, again: int) -> Walk:
        rule = step or plain_step
        return walk(eta=eta, size=size, start=STARTS[start], momentum=momentum, seed=again, step=rule)

    def compute(eta: float, size: float, steps: float, momentum: float, start: str, again: int) -> Walk:
        return full_walk(eta, int(size), momentum, start, again).first(int(steps))

    title = "Gradient descent on a cost of two weights" if step is None else "Gradient descent by your step"
    return Panel(title, controls, compute, lambda figure: DescentPicture(figure).show, size=(960, 370))


class DescentPicture:
    """The surface with the path, the patients with the line, the cost at each step."""

    def __init__(self, figure: Figure) -> None:
        surface, data, curve = figure.subplots(1, 3, width_ratios=[1.15, 1, 1])
        self.bottom = float(cost(minimum()))
        self._draw_surface(surface)
        self._draw_data(data)
        self._draw_curve(curve)

    def _draw_surface(self, surface: Axes) -> None:
        w1, w2 = np.meshgrid(np.linspace(*EDGES[:2], 60), np.linspace(*EDGES[2:], 60))
        heights = cost(np.stack([w1, w2], -1))
        levels = self.bottom + LEVELS
        surface.contourf(w1, w2, heights, levels=[0, *levels, 1e3], cmap="Blues", norm="log", alpha=0.55)
        surface.contour(w1, w2, heights, levels=levels, colors="#7C97AD", linewidths=0.7)
        surface.plot(*minimum(), "*", ms=15, color="white", mec=COLOURS["ink"])
        (self.path,) = surface.plot([], [], ".-", ms=6, lw=1.5, color=COLOURS["orange"])
        (self.now,) = surface.plot([], [], "o", ms=10, color=COLOURS["orange"], mec="white", mew=1.4)
        # Written beside the points, because what is drawn inside the axes would lie over a legend.
        self.start_label = point_label(surface, "start", (8, 5), "left")
        self.now_label = point_label(surface, "now", (10, 6), "left")
        point_label(surface, "minimum", (-11, -13), "right").xy = tuple(minimum())
        surface.set(xlim=EDGES[:2], ylim=EDGES[2:], xlabel="$w_1$", ylabel="$w_2$", title="Cost J of every pair")

    def _draw_data(self, data: Axes) -> None:
        inputs, progress = patients()
        data.plot(inputs[:, 0], progress, ".", ms=4, color=FAINT)
        (self.line,) = data.plot([], [], color=COLOURS["orange"], lw=2.4)
        data.set(xlim=(-1, 4.2), ylim=(-0.6, 3.8))
        data.set(xlabel="x = (body-mass index − 22) / 5", ylabel="y, progress in hundreds", title="The line now")

    def _draw_curve(self, curve: Axes) -> None:
        (self.batch,) = curve.plot([], [], "x", ms=5, mew=1.1, color=COLOURS["sky"], label="of the mini-batch")
        (self.curve,) = curve.plot([], [], color=COLOURS["blue"], lw=2.2, label="of all rows, J")
        (self.end,) = curve.plot([], [], "o", ms=8, color=COLOURS["orange"], mec="white", mew=1.2, label="now")
        curve.axhline(self.bottom, color=COLOURS["ink"], lw=1, ls=":", label="minimum")
        curve.set(yscale="log", xlim=(-1, STEPS + 1), ylim=(0.01, 1000), xlabel="step", title="Cost")
        curve.set_yticks([0.01, 0.1, 1, 10, 100, 1000], ["0.01", "0.1", "1", "10", "100", "1,000"])
        curve.minorticks_off()
        self.legend = curve.legend(loc="upper right", fontsize=9.5, handlelength=1.6)

    def show(self, walk: Walk) -> str:
        rows, steps = len(patients()[0]), len(walk.path) - 1
        start, w = walk.path[0], walk.path[-1]
        self.path.set_data(*walk.path.T)
        self.now.set_data([w[0]], [w[1]])
        self.start_label.xy, self.now_label.xy = tuple(start), tuple(w)
        self.start_label.set_visible(bool(np.abs(start - w).max() > 0.4))  # or one would lie over the other
        ends = np.array([-1.0, 4.2])
        self.line.set_data(ends, w[0] * ends + w[1])
        self.curve.set_data(range(steps + 1), walk.costs)
        self.end.set_data([steps], walk.costs[-1:])
        batch_costs: Any = [] if walk.size == rows else walk.batch_costs
        self.batch.set_data(range(len(batch_costs)), batch_costs)
        name_what_is_drawn(self.legend)
        return describe(walk, self.bottom)


def describe(walk: Walk, bottom: float) -> str:
    """The sentence under the panel: the weights and the cost now; `bottom`: the cost at the minimum."""
    rows, steps, w = len(patients()[0]), len(walk.path) - 1, walk.path[-1]
    if walk.diverged:  # by the step after the last one that is drawn
        return f"After {plural(steps + 1, 'step')} of η = {walk.eta:g} the weights are beyond 100 million: it diverges."
    return (
        f"After {plural(steps, 'step')} of η = {walk.eta:g} ({steps * walk.size / rows:.1f} epochs) w₁ = "
        f"{number(w[0], '.3g')}, w₂ = {number(w[1], '.3g')}: the cost is {number(walk.costs[-1], '.3g')}, "
        f"at the start {walk.costs[0]:.3g}, at the minimum {bottom:.3g}."
    )


def point_label(axes: Axes, text: str, offset: tuple[int, int], side: str) -> Annotation:
    """A bold text with a white edge beside a point that is set later."""
    return axes.annotate(
        text,
        (0, 0),
        offset,
        textcoords="offset points",
        ha=side,
        fontsize=10,
        fontweight="bold",
        path_effects=HALO,
        annotation_clip=True,
    )
