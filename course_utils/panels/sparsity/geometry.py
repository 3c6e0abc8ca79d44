"""Figure 9: why corners make zeros. A quadratic cost of two weights, the ball of a penalty, and where they touch."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from contourpy import contour_generator
from matplotlib.figure import Figure

from course_utils.panels.engine import Choice, Control, Panel, Show, Slider
from course_utils.plots import COLOURS, number

__all__ = ["geometry"]

Penalty = Callable[[np.ndarray, np.ndarray], np.ndarray]

LEAST_COST = np.array([1.0, 0.55])  # where the cost alone wants the two weights
CURVATURE = (1.0, 0.12)  # of the cost along its short and its long axis
LAMBDAS = np.concatenate([[0.0], np.geomspace(0.01, 1.0, 40)])
SHAPES = [0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 8.0]
EDGE = 1.5
GRID = np.linspace(-EDGE, EDGE, 151)  # 0 is one of its points


class Touch(NamedTuple):
    """What figure 9 shows, all arrays of points (2, n), NaN between pieces."""

    best: np.ndarray  # (lambdas, 2): the weights of least cost + lambda * penalty
    chosen: int  # the lambda in use
    cost_curves: np.ndarray
    cost_here: np.ndarray
    ball: np.ndarray


def geometry(*, penalty: Penalty | None = None) -> Panel:
    """Cost and penalty over two weights, and the path of their best compromise as lambda grows (lecture, figure 9).

    `penalty`: your own function of two arrays w1, w2, in place of sum |w|^p; for example
    ``lambda w1, w2: abs(w1) + abs(w2 - w1)``.
    """
    kinds = {"each weight alone: Σ|w|ᵖ": "p", "both as one group: √2·‖w‖₂": "group"}
    controls: list[Control] = [
        Slider(name="lam", label="λ, weight of the penalty", values=list(LAMBDAS), value=LAMBDAS[25]),
        Slider(name="p", label="p, shape of the ball", values=SHAPES, value=1.0),
        Slider(name="angle", label="Angle of the cost", values=list(range(0, 181, 5)), value=60, unit="°"),
    ]
    if penalty is None:
        controls.append(Choice(name="kind", label="Penalty", options=kinds))

    def compute(lam: float, p: float, angle: float, kind: str = "own") -> Touch:
        chosen = penalty or {"p": lambda a, b: np.abs(a) ** p + np.abs(b) ** p, "group": group}[kind]
        return touch(quadratic(angle), chosen, lam)

    title = "Where the cost and the penalty touch" if penalty is None else "Your penalty, and where the cost touches it"
    return Panel(title, controls, compute, draw, size=(960, 430))


def group(w1: np.ndarray, w2: np.ndarray) -> np.ndarray:
    """sqrt(|g|) ||g||_2 of a group of two, (9)."""
    return np.sqrt(2 * (w1**2 + w2**2))


def quadratic(angle: float) -> Penalty:
    """A cost with its least value at LEAST_COST, its long axis turned by `angle` degrees."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))

    def cost(w1: np.ndarray, w2: np.ndarray) -> np.ndarray:
        d1, d2 = w1 - LEAST_COST[0], w2 - LEAST_COST[1]
        along, across = c * d1 + s * d2, c * d2 - s * d1
        return 0.5 * (CURVATURE[1] * along**2 + CURVATURE[0] * across**2)

    return cost


def touch(cost: Penalty, penalty: Penalty, lam: float) -> Touch:
    """The best weights for every lambda, and the curves through those for this one."""
    best = minimise(cost, penalty, LAMBDAS)
    chosen = int(np.argmin(np.abs(LAMBDAS - lam)))
    here = best[chosen]
    w1, w2 = np.meshgrid(GRID, GRID)
    cost_grid, penalty_grid = cost(w1, w2), penalty(w1, w2)
    level, size = float(cost(*here)), float(penalty(*here))
    return Touch(
        best=best,
        chosen=chosen,
        cost_curves=curves(cost_grid, [0.02, 0.06, 0.14, 0.28, 0.5]),
        cost_here=curves(cost_grid, [level] if level > 1e-6 else []),
        ball=curves(penalty_grid, [size] if size > 1e-9 else []),
    )


def minimise(cost: Penalty, penalty: Penalty, lams: np.ndarray) -> np.ndarray:
    """argmin over (w1, w2) of cost + lam * penalty for each lam, (len(lams), 2), on a grid that is refined three times.

    A grid finds the global minimum also for p < 1, where the objective has several. 0 stays a candidate for each
    weight in every round, so a weight that should be zero is exactly zero.
    """
    w1, w2 = np.meshgrid(GRID, GRID, indexing="ij")
    objective = cost(w1, w2) + lams[:, None, None] * penalty(w1, w2)
    best = _least(
        objective, np.broadcast_to(GRID, (len(lams), len(GRID))), np.broadcast_to(GRID, (len(lams), len(GRID)))
    )
    width = GRID[1] - GRID[0]
    for _ in range(3):
        offsets = np.linspace(-width, width, 13)
        axes = [np.concatenate([best[:, [i]] + offsets, np.zeros((len(lams), 1))], axis=1) for i in (0, 1)]
        a, b = axes[0][:, :, None], axes[1][:, None, :]
        objective = cost(a, b) + lams[:, None, None] * penalty(a, b)
        best = _least(objective, *axes)
        width /= 6
    return best


def _least(objective: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    rows = np.arange(len(objective))
    # Backwards, so that of equal values the last one, the exact zero, is taken.
    flat = objective.reshape(len(objective), -1)[:, ::-1]
    i, j = np.divmod(flat.shape[1] - 1 - flat.argmin(axis=1), objective.shape[2])
    return np.stack([first[rows, i], second[rows, j]], axis=1)


def curves(grid: np.ndarray, levels: list[float]) -> np.ndarray:
    """The contour lines of a function on the grid as one array (2, n), for one matplotlib line."""
    lines = contour_generator(GRID, GRID, grid)
    gap = np.full((1, 2), np.nan)
    pieces = [gap]
    for level in levels:
        for piece in lines.lines(level):
            pieces += [np.asarray(piece), gap]
    return np.concatenate(pieces).T


def draw(figure: Figure) -> Show:
    """Left the plane of the two weights, right the path of the best weights over lambda."""
    plane, path = figure.subplots(1, 2, width_ratios=[1, 1.15])
    plane.axhline(0, color="#C4CAD0", lw=1)
    plane.axvline(0, color="#C4CAD0", lw=1)
    plane.plot(*LEAST_COST, "+", color=COLOURS["ink"], ms=11, mew=2)
    plane.annotate("least cost", LEAST_COST, xytext=(6, 6), textcoords="offset points", color=COLOURS["ink"])
    (background,) = plane.plot([], [], color=COLOURS["sky"], lw=0.9)
    (level,) = plane.plot([], [], color=COLOURS["blue"], label="cost, as at the best weights")
    (ball,) = plane.plot([], [], "--", color=COLOURS["orange"], label="penalty, as at the best weights")
    (dot,) = plane.plot([], [], "o", color=COLOURS["ink"], ms=9, label="best weights")
    plane.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xlabel="$w_1$", ylabel="$w_2$", aspect="equal")
    figure.legend(handles=[level, ball, dot], loc="outside lower left", ncols=3, fontsize=10)
    x = np.maximum(LAMBDAS, 0.007)  # lambda = 0 has its place left of the logarithmic axis
    (first,) = path.plot([], [], color=COLOURS["green"], label="$w_1$")
    (second,) = path.plot([], [], "-.", color=COLOURS["purple"], label="$w_2$")
    here = path.axvline(1, color=COLOURS["ink"], lw=1)
    path.axhline(0, color="#C4CAD0", lw=1)
    path.set(xscale="log", xlim=(0.0065, 1.05), ylim=(-1.2, EDGE), xlabel="λ", title="Best weights as λ grows")
    path.set_xticks([0.007, 0.01, 0.1, 1], ["0", "0.01", "0.1", "1"])
    path.legend(loc="upper right")

    def show(result: Touch) -> str:
        background.set_data(*result.cost_curves)
        level.set_data(*result.cost_here)
        ball.set_data(*result.ball)
        w = result.best[result.chosen]
        dot.set_data([w[0]], [w[1]])
        first.set_data(x, result.best[:, 0])
        second.set_data(x, result.best[:, 1])
        here.set_xdata([x[result.chosen]] * 2)
        zeros = int((w == 0).sum())
        said = ["Neither weight is exactly zero", "One weight is exactly zero", "Both weights are exactly zero"][zeros]
        best = " and ".join(number(weight, ".3f" if abs(weight) >= 5e-4 else ".0e") for weight in w)
        return f"λ = {LAMBDAS[result.chosen]:.3g}: the best weights are {best}. {said}."

    return show
