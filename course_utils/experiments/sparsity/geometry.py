"""Where a quadratic cost of two weights and a penalty touch: the best weights for every lambda (lecture, figure 9)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from contourpy import contour_generator

from course_utils.plots import number

__all__ = [
    "EDGE",
    "GRID",
    "LAMBDAS",
    "MINIMUM",
    "Penalty",
    "Touch",
    "group",
    "minimise",
    "p_norm",
    "quadratic",
    "touch",
]

Penalty = Callable[[np.ndarray, np.ndarray], np.ndarray]

MINIMUM = np.array([1.0, 0.55])  # of the cost alone
CURVATURE = (1.0, 0.12)  # of the cost along its short and its long axis
LAMBDAS = np.concatenate([[0.0], np.geomspace(0.01, 1.0, 40)])
EDGE = 1.5
GRID = np.linspace(-EDGE, EDGE, 151)  # 0 is one of its points


class Touch(NamedTuple):
    """What figure 9 shows, all arrays of points (2, n), NaN between pieces."""

    best: np.ndarray  # (lambdas, 2): the minimum of cost + lambda * penalty
    chosen: int  # the lambda in use
    cost_curves: np.ndarray
    cost_level: np.ndarray  # the contour of the cost through the best weights
    ball: np.ndarray


def p_norm(p: float) -> Penalty:
    """The penalty |w1|^p + |w2|^p."""
    return lambda w1, w2: np.abs(w1) ** p + np.abs(w2) ** p


def group(w1: np.ndarray, w2: np.ndarray) -> np.ndarray:
    """sqrt(|g|) ||g||_2 of a group of two, (9)."""
    return np.sqrt(2 * (w1**2 + w2**2))


def quadratic(angle: float) -> Penalty:
    """A cost with its minimum at MINIMUM, its long axis turned by `angle` degrees."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))

    def cost(w1: np.ndarray, w2: np.ndarray) -> np.ndarray:
        d1, d2 = w1 - MINIMUM[0], w2 - MINIMUM[1]
        along, across = c * d1 + s * d2, c * d2 - s * d1
        return 0.5 * (CURVATURE[1] * along**2 + CURVATURE[0] * across**2)

    return cost


def touch(cost: Penalty, penalty: Penalty, lam: float) -> Touch:
    """The best weights for every lambda, and the curves through those for this one.

    Raises: ValueError for a penalty that is not a finite number everywhere on the grid.
    """
    penalty = _checked(penalty)
    best = minimise(cost, penalty, LAMBDAS)
    chosen = int(np.argmin(np.abs(LAMBDAS - lam)))
    w1, w2 = np.meshgrid(GRID, GRID)
    cost_grid, penalty_grid = cost(w1, w2), penalty(w1, w2)
    level, size = float(cost(*best[chosen])), float(penalty(*best[chosen]))
    return Touch(
        best=best,
        chosen=chosen,
        cost_curves=_contours(cost_grid, [0.02, 0.06, 0.14, 0.28, 0.5]),
        cost_level=_contours(cost_grid, [level] if level > 1e-6 else []),
        ball=_contours(penalty_grid, [size] if size > 1e-9 else []),
    )


def _checked(penalty: Penalty) -> Penalty:
    """The same function of copies, as a reader's may overwrite its arrays; ValueError where it gives no number."""

    def checked(w1: np.ndarray, w2: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.asarray(penalty(w1.copy(), w2.copy()), dtype=float)
        first, second, values = np.broadcast_arrays(w1, w2, values)
        if not np.isfinite(values).all():
            at = tuple(np.argwhere(~np.isfinite(values))[0])
            raise ValueError(
                f"penalty must return a finite number for all weights from −{EDGE:g} to {EDGE:g}, got {values[at]:g} "
                f"for w1 = {number(first[at], '.3g')} and w2 = {number(second[at], '.3g')}; write it so that it is "
                "defined there, such as with abs(w1) under a root"
            )
        return values

    return checked


def minimise(cost: Penalty, penalty: Penalty, lams: np.ndarray) -> np.ndarray:
    """argmin over (w1, w2) of cost + lam * penalty for each lam, (len(lams), 2), on a grid that is refined three times.

    A grid finds the global minimum also for p < 1, where the objective has several. 0 stays a candidate for each
    weight in every round, so a weight that should be zero is exactly zero.
    """
    w1, w2 = np.meshgrid(GRID, GRID, indexing="ij")
    objective = cost(w1, w2) + lams[:, None, None] * penalty(w1, w2)
    candidates = np.broadcast_to(GRID, (len(lams), len(GRID)))
    best = _argmin(objective, candidates, candidates)
    width = GRID[1] - GRID[0]
    for _ in range(3):
        offsets = np.linspace(-width, width, 13)
        axes = [np.concatenate([best[:, [i]] + offsets, np.zeros((len(lams), 1))], axis=1) for i in (0, 1)]
        a, b = axes[0][:, :, None], axes[1][:, None, :]
        objective = cost(a, b) + lams[:, None, None] * penalty(a, b)
        best = _argmin(objective, *axes)
        width /= 6
    return best


def _argmin(objective: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The candidates (first, second) of the smallest objective for each lambda, (lambdas, 2)."""
    rows = np.arange(len(objective))
    # Backwards, so that of equal values the last one, the exact zero, is taken.
    flat = objective.reshape(len(objective), -1)[:, ::-1]
    i, j = np.divmod(flat.shape[1] - 1 - flat.argmin(axis=1), objective.shape[2])
    return np.stack([first[rows, i], second[rows, j]], axis=1)


def _contours(grid: np.ndarray, levels: list[float]) -> np.ndarray:
    """The contour lines of a function on the grid as one array (2, n), for one matplotlib line."""
    lines = contour_generator(GRID, GRID, grid)
    gap = np.full((1, 2), np.nan)
    pieces = [gap]
    for level in levels:
        for piece in lines.lines(level):
            pieces += [np.asarray(piece), gap]
    return np.concatenate(pieces).T
