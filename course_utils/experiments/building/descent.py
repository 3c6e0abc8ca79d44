"""Mini-batch gradient descent (4) on a cost of two weights.

The problem is real: 442 patients with diabetes (Efron, Hastie, Johnstone, Tibshirani 2004).
A line w1 x + w2 is to predict how far the disease gets within a year (in hundreds) from the body-mass index.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.data.carried import diabetes

__all__ = ["STEPS", "Step", "Walk", "cost", "cost_and_gradient", "minimum", "patients", "plain_step", "walk"]

STEPS = 100
FAR = 1e8  # a weight beyond this never comes back

Step = Callable[[Tensor, Tensor, float], Tensor]


@lru_cache(maxsize=1)
def patients() -> tuple[np.ndarray, np.ndarray]:
    """The inputs (442, 2), body-mass index as (BMI - 22) / 5 and a column of ones for w2; the progress in hundreds."""
    body_mass_index, progress = diabetes()
    index = (body_mass_index - 22) / 5
    return np.stack([index, np.ones_like(index)], 1), progress / 100


def cost(w: np.ndarray) -> np.ndarray:
    """J(w): the mean of (w1 x + w2 - y)^2 over all rows (lecture, (3)); `w` of shape (2,), or (..., 2) for many.

    >>> round(float(cost(np.zeros(2))), 2)
    2.91
    """
    a, y = patients()
    return np.square(w @ a.T - y).mean(-1)


def cost_and_gradient(w: np.ndarray, rows: np.ndarray) -> tuple[float, np.ndarray]:
    """The cost of some rows, and its gradient of shape (2,)."""
    a, y = (values[rows] for values in patients())
    error = a @ w - y
    return float(error @ error) / len(rows), a.T @ error * (2 / len(rows))


@lru_cache(maxsize=1)
def minimum() -> np.ndarray:
    """The weights at which the cost has its minimum."""
    return np.linalg.lstsq(*patients())[0]


class Walk(NamedTuple):
    """A path of mini-batch descent, as far as the weights stayed finite."""

    path: np.ndarray  # (steps + 1, 2), the weights before each step and after the last
    batch_costs: np.ndarray  # (steps,), of the rows of each step
    costs: np.ndarray  # (steps + 1,), of all rows
    size: int  # of a batch
    eta: float
    diverged: bool

    def first(self, steps: int) -> "Walk":
        """The same walk after so many steps."""
        return self._replace(
            path=self.path[: steps + 1],
            batch_costs=self.batch_costs[:steps],
            costs=self.costs[: steps + 1],
            diverged=self.diverged and steps >= len(self.path),
        )


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
    path, batch_costs, queue = [w], [], np.empty(0, int)
    for _ in range(steps):
        if len(queue) < size:
            queue = np.concatenate([queue, rng.permutation(n)])
        rows, queue = queue[:size], queue[size:]
        batch_cost, gradient = cost_and_gradient(w, rows)
        batch_costs.append(batch_cost)
        total = momentum * total + gradient
        w = _after(step, w, total, eta)
        if not np.all(np.abs(w) < FAR):
            break
        path.append(w)
    points = np.array(path)
    return Walk(points, np.array(batch_costs), cost(points), size, eta, len(path) <= steps)


def _after(step: Step, w: np.ndarray, gradient: np.ndarray, eta: float) -> np.ndarray:
    """The weights after a step; ValueError where the reader's function does not give two numbers."""
    new = step(torch.tensor(w), torch.tensor(gradient), eta)
    if not isinstance(new, Tensor) or new.shape != w.shape:
        got = f"shape {tuple(new.shape)}" if isinstance(new, Tensor) else type(new).__name__
        raise ValueError(f"step must return a tensor of two weights like w, got {got}; try w - eta * gradient")
    return new.detach().double().numpy()
