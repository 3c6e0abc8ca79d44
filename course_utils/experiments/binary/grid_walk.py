"""Trains two weights on the points of a grid, by stochastic rounding or by BinaryConnect, and records where they are.

(Li, De, Xu, Studer, Samet, Goldstein 2017, arXiv:1706.02379.)
"""

import math

import numpy as np

__all__ = ["GRID", "LIMIT", "MINIMUM", "STEPS", "walk"]

GRID = 0.25  # distance of the points
MINIMUM = np.array([0.37, -0.18])  # of the loss
NOISE = 1.0  # standard deviation of the gradients
STEPS = 2_000
LIMIT = 1.5  # weights are clipped to [-LIMIT, LIMIT]
START = (-1.0, 1.0)


def walk(lr: float, *, seed: int = 0, keep_real: bool, steps: int = STEPS) -> np.ndarray:
    """The points of the grid at which the gradient is taken, (steps, 2), after as many steps that are not recorded.

    The loss is |w - MINIMUM|^2 / 2, and noise is added to its gradient. `keep_real`: BinaryConnect, which keeps a real
    weight and rounds it to the nearest point for the gradient; otherwise the weight itself is rounded stochastically.
    """
    rng = np.random.default_rng(seed)
    noise, draws = rng.normal(0, NOISE, (2, 2 * steps)), rng.random((2, 2 * steps))
    points = np.empty((2 * steps, 2))
    for i, (minimum, real) in enumerate(zip(MINIMUM.tolist(), START, strict=True)):  # the loss is separable
        for t, (shock, draw) in enumerate(zip(noise[i].tolist(), draws[i].tolist(), strict=True)):
            point = round(real / GRID) * GRID if keep_real else real
            points[t, i] = point
            real -= lr * (point - minimum + shock)
            if not keep_real:
                real = math.floor(real / GRID + draw) * GRID
            real = min(max(real, -LIMIT), LIMIT)
    return points[steps:]
