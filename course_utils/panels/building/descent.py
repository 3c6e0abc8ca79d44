"""Stochastic gradient descent on a cost of two weights: the path, the line that it draws, the training curve (4).

The problem is real: 442 patients with diabetes, which scikit-learn carries (Efron, Hastie, Johnstone, Tibshirani 2004).
A line w1 x + w2 is to predict how far the disease gets within a year (in hundreds) from the body-mass index.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from course_utils.panels.engine import Button, Choice, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, number

__all__ = ["STEPS", "Walk", "cost", "descent", "look", "patients", "steepest_rate", "walk"]

STEPS = 100
FAR = 1e8  # a weight beyond this has left for good
RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.44, 0.46, 0.5, 0.6]
STARTS = {"upper left": (-1.0, 2.6), "lower left": (-1.2, -0.4), "lower right": (1.9, -0.4)}
EDGES = (-1.6, 2.8, -0.8, 3.0)  # of the picture: w1 from, to; w2 from, to

Step = Callable[[Tensor, Tensor, float], Tensor]


@lru_cache(maxsize=1)
def patients() -> tuple[np.ndarray, np.ndarray]:
    """The inputs (442, 2), body-mass index as (BMI - 22) / 5 and a column of ones for w2; the progress in hundreds."""
    from sklearn.datasets import load_diabetes

    table, progress = load_diabetes(return_X_y=True, scaled=False)
    index = (table[:, 2] - 22) / 5
    return np.stack([index, np.ones_like(index)], 1), progress / 100


def cost(w: np.ndarray) -> np.ndarray:
    """J(w): the mean of (w1 x + w2 - y)^2 over all rows (lecture, (3)); `w` of shape (2,), or (..., 2) for many.

    >>> round(float(cost(np.zeros(2))), 2)
    2.91
    """
    a, y = patients()
    return np.square(w @ a.T - y).mean(-1)


def look(w: np.ndarray, rows: np.ndarray) -> tuple[float, np.ndarray]:
    """What some rows say: the cost, and its gradient of shape (2,)."""
    a, y = (values[rows] for values in patients())
    error = a @ w - y
    return float(error @ error) / len(rows), a.T @ error * (2 / len(rows))


@lru_cache(maxsize=1)
def least() -> np.ndarray:
    """The weights of least cost."""
    return np.linalg.lstsq(*patients())[0]


@lru_cache(maxsize=1)
def steepest_rate() -> float:
    """The step size above which steps on all rows no longer come to rest: 2 over the largest curvature of the cost."""
    a, _ = patients()
    return 2 / float(np.linalg.eigvalsh(2 * a.T @ a / len(a))[-1])


class Walk(NamedTuple):
    """The weights before each step and after the last, (steps + 1, 2), as far as they stayed finite; what each batch
    said the cost was; and the settings."""

    path: np.ndarray
    seen: np.ndarray
    costs: np.ndarray
    size: int
    eta: float
    left: bool


def plain_step(w: Tensor, gradient: Tensor, eta: float) -> Tensor:
    """w - eta * gradient (lecture, (4))."""
    return w - eta * gradient


def walk(
    *, eta: float, size: int, start: tuple[float, float], momentum: float = 0.0, seed: int = 0, steps: int = STEPS,
    step: Step = plain_step,
) -> Walk:  # fmt: skip
    """Mini-batch descent from `start`: each step sees `size` rows, and each row is seen once before any comes again.

    With momentum m, what is handed to `step` is a running sum: the gradient, plus m times the sum so far.
    """
    n = len(patients()[0])
    rng = np.random.default_rng(seed)
    w, total = np.array(start), np.zeros(2)
    path, seen, queue = [w], [], np.empty(0, int)
    for _ in range(steps):
        if len(queue) < size:
            queue = np.concatenate([queue, rng.permutation(n)])
        rows, queue = queue[:size], queue[size:]
        seen_cost, slope = look(w, rows)
        seen.append(seen_cost)
        total = momentum * total + slope
        w = after(step, w, total, eta)
        if not np.all(np.abs(w) < FAR):
            break
        path.append(w)
    points = np.array(path)
    return Walk(points, np.array(seen), cost(points), size, eta, len(path) <= steps)


def after(step: Step, w: np.ndarray, gradient: np.ndarray, eta: float) -> np.ndarray:
    """The weights after a step; ValueError where the reader's function does not give two numbers."""
    new = step(torch.tensor(w), torch.tensor(gradient), eta)
    if not isinstance(new, Tensor) or new.shape != w.shape:
        got = f"shape {tuple(new.shape)}" if isinstance(new, Tensor) else type(new).__name__
        raise ValueError(f"step must return a tensor of two weights like w, got {got}; try w - eta * gradient")
    return new.detach().double().numpy()


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
    def whole(eta: float, size: int, momentum: float, start: str, again: int) -> Walk:
        rule = step or plain_step
        return walk(eta=eta, size=size, start=STARTS[start], momentum=momentum, seed=again, step=rule)

    def compute(eta: float, size: float, steps: float, momentum: float, start: str, again: int) -> Walk:
        found, t = whole(eta, int(size), momentum, start, again), int(steps)
        left = found.left and t >= len(found.path)
        return found._replace(path=found.path[: t + 1], seen=found.seen[:t], costs=found.costs[: t + 1], left=left)

    title = "Downhill on a cost of two weights" if step is None else "Downhill by your step"
    return Panel(title, controls, compute, draw, size=(960, 370))


def draw(figure: Figure) -> Show:
    """The surface with the path, the patients with the line, the cost at each step."""
    surface, data, course = figure.subplots(1, 3, width_ratios=[1.15, 1, 1])
    w1, w2 = np.meshgrid(np.linspace(*EDGES[:2], 60), np.linspace(*EDGES[2:], 60))
    heights = cost(np.stack([w1, w2], -1))
    best = least()
    bottom = float(cost(best))
    levels = bottom + np.array([0.03, 0.12, 0.3, 0.6, 1.1, 1.9, 3, 4.5, 6.5, 9, 13, 18])
    surface.contourf(w1, w2, heights, levels=[0, *levels, 1e3], cmap="Blues", norm="log", alpha=0.55)
    surface.contour(w1, w2, heights, levels=levels, colors="#7C97AD", linewidths=0.7)
    surface.plot(*best, "*", ms=15, color="white", mec=COLOURS["ink"])
    (path,) = surface.plot([], [], ".-", ms=6, lw=1.5, color=COLOURS["orange"])
    (now,) = surface.plot([], [], "o", ms=10, color=COLOURS["orange"], mec="white", mew=1.4)
    # Written beside the points, because what is drawn inside the axes would lie over a legend.
    labels = [
        surface.annotate(
            name,
            (0, 0),
            offset,
            textcoords="offset points",
            ha=side,
            fontsize=10,
            fontweight="bold",
            path_effects=[withStroke(linewidth=3, foreground="white")],
            annotation_clip=True,
        )
        for name, offset, side in (("start", (8, 5), "left"), ("now", (10, 6), "left"), ("least", (-11, -13), "right"))
    ]
    labels[2].xy = tuple(best)
    surface.set(xlim=EDGES[:2], ylim=EDGES[2:], xlabel="$w_1$", ylabel="$w_2$", title="Cost J of every pair")

    a, y = patients()
    x = a[:, 0]
    data.plot(x, y, ".", ms=4, color=FAINT)
    ends = np.array([-1.0, 4.2])
    (line,) = data.plot([], [], color=COLOURS["orange"], lw=2.4)
    data.set(
        xlim=(-1, 4.2), ylim=(-0.6, 3.8), xlabel="x = (body-mass index − 22) / 5", ylabel="y, progress in hundreds"
    )
    data.set_title("The line now")

    (batch,) = course.plot([], [], "x", ms=5, mew=1.1, color=COLOURS["sky"], label="of the mini-batch")
    (curve,) = course.plot([], [], color=COLOURS["blue"], lw=2.2, label="of all rows, J")
    (end,) = course.plot([], [], "o", ms=8, color=COLOURS["orange"], mec="white", mew=1.2, label="now")
    course.axhline(bottom, color=COLOURS["ink"], lw=1, ls=":", label="least")
    course.set(yscale="log", xlim=(-1, STEPS + 1), ylim=(0.01, 1000), xlabel="step", title="Cost")
    course.set_yticks([0.01, 0.1, 1, 10, 100, 1000], ["0.01", "0.1", "1", "10", "100", "1000"])
    course.minorticks_off()
    course.legend(loc="upper right", fontsize=9.5, handlelength=1.6)

    def show(found: Walk) -> str:
        path.set_data(*found.path.T)
        now.set_data(*found.path[-1:].T)
        labels[0].xy, labels[1].xy = found.path[0], found.path[-1]
        labels[0].set_visible(np.abs(found.path[0] - found.path[-1]).max() > 0.4)  # or one would lie over the other
        end.set_data([len(found.costs) - 1], found.costs[-1:])
        w = found.path[-1]
        line.set_data(ends, w[0] * ends + w[1])
        curve.set_data(range(len(found.costs)), found.costs)
        whole = found.size == len(x)
        batch.set_data(range(len(found.seen)) if not whole else [], found.seen if not whole else [])
        t = len(found.path) - 1
        where = f"After {t} steps of η = {found.eta:g} ({t * found.size / len(x):.1f} epochs)"
        if found.left:
            return f"After {t} steps of η = {found.eta:g} the weights are beyond 100 million: it diverges."
        return (
            f"{where} w₁ = {number(w[0], '.3g')}, w₂ = {number(w[1], '.3g')}: the cost is {found.costs[-1]:.3g}, "
            f"at the start {found.costs[0]:.3g}, the least possible {bottom:.3g}."
        )

    return show
