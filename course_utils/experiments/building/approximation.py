"""One hidden layer of ReLUs, (1) and (2), meets any continuous function of one number: each unit adds one bend."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["MAX_UNITS", "PLACEMENTS", "Approximations", "Layer", "X", "bends", "build_layer", "values_of"]

X = torch.linspace(-1, 1, 401, dtype=torch.float64)  # where the functions are evaluated
MAX_UNITS = 40
PLACEMENTS = ("greedy", "even")


class Layer(NamedTuple):
    """A hidden layer h = g(W x + b) of one input, and the output v h + c: `w`, `b`, `v` of shape (units,)."""

    w: Tensor
    b: Tensor
    v: Tensor
    c: float

    def parts(self, x: Tensor) -> Tensor:
        """What each unit contributes to the output, (units, n), at the n places `x`."""
        hidden = torch.relu(self.w[:, None] * x + self.b[:, None])  # (1) and (2)
        return self.v[:, None] * hidden

    def __call__(self, x: Tensor) -> Tensor:
        """The output at the places `x`."""
        return self.parts(x).sum(0) + self.c


class Approximations:
    """A function on X met by 1, 2, ..., MAX_UNITS units: `errors`, the largest ones for each placement of the bends."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.target = values_of(function)
        self.knots = {placement: bends(self.target, placement) for placement in PLACEMENTS}
        self.errors = {
            placement: [float((build_layer(self.target, knots)(X) - self.target).abs().max()) for knots in plan]
            for placement, plan in self.knots.items()
        }

    def layer(self, units: int, placement: str) -> tuple[Layer, float]:
        """The layer of so many units, and the place of its newest bend: the last one where all are evenly placed."""
        knots = self.knots[placement][units - 1]
        newest = knots[-1] if placement == "greedy" and units > 1 else sorted(knots)[-2]
        return build_layer(self.target, knots), float(X[newest])


def build_layer(target: Tensor, knots: list[int]) -> Layer:
    """The layer that meets the function at some places of X and is straight between them.

    The unit of the k-th place t_k is g(x - t_k); its output weight is the change of the slope at its bend.

    `target`: the function on X; `knots`: numbers of places, the first and the last among them.

    >>> layer = build_layer(X.abs(), [0, 200, 400])
    >>> layer.v.tolist(), layer.c
    ([-1.0, 2.0], 1.0)
    """
    places = sorted(knots)
    t, f = X[places], target[places]
    slopes = f.diff() / t.diff()
    v = torch.cat([slopes[:1], slopes.diff()])
    return Layer(torch.ones_like(v), -t[:-1], v, float(f[0]))


@torch.no_grad()
def bends(target: Tensor, placement: str) -> list[list[int]]:
    """Numbers of the places at which 1, 2, ..., MAX_UNITS units meet the function; no unit bends at the right end.

    `placement`: "even", or "greedy", where each unit more bends the line at the place of the largest error.
    """
    last = len(X) - 1
    if placement == "even":
        return [[round(last * i / n) for i in range(n + 1)] for n in range(1, MAX_UNITS + 1)]
    plan = [[0, last]]
    while len(plan) < MAX_UNITS:
        error = (build_layer(target, plan[-1])(X) - target).abs()
        error[plan[-1]] = -1.0  # a place is taken once
        plan.append([*plan[-1], int(error.argmax())])
    return plan


def values_of(function: Callable[[Tensor], Tensor]) -> Tensor:
    """The function on X; ValueError where it does not give one number for each place."""
    values = torch.as_tensor(function(X.clone()), dtype=torch.float64)
    if values.shape != X.shape or not bool(values.isfinite().all()):
        raise ValueError(
            f"the function must give one finite number for each of the {len(X)} places, got shape "
            f"{tuple(values.shape)}; try lambda x: torch.sin(5 * x)"
        )
    return values
