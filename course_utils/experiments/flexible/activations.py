"""Trains networks of several sizes with fixed, parametric and flexible activations, and counts their parameters."""

import copy
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from torch import nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import lesson_data, measure_accuracy
from course_utils.methods.activations import APL, KAF, Maxout, ParametricTanh
from course_utils.models import count_parameters, mlp
from course_utils.train import fit

__all__ = ["ACTIVATIONS", "WIDTHS", "Comparison", "Point", "comparison", "make_network"]

WIDTHS = (6, 12, 24, 48)
DEPTHS = (1, 2)
ACTIVATIONS: dict[str, Callable[..., nn.Module] | None] = {
    "ReLU": nn.ReLU,
    "ELU": nn.ELU,
    "SELU": nn.SELU,
    "PReLU (14)": lambda width: nn.PReLU(width),
    "scaled tanh (13)": ParametricTanh,
    "APL, S = 3 (15)": lambda width: APL(width, 3),
    "maxout, K = 3 (16)": None,  # a layer and its activation in one
    "KAF, D = 20 (17)": lambda width: KAF(width, init="normal"),
}


class Point(NamedTuple):
    """A trained network: its width and depth, its parameters, and its accuracy on the test rows."""

    width: int
    depth: int
    parameters: int
    accuracy: float


class Comparison:
    """Trained networks by activation; `points` lists those of each."""

    def __init__(self, data: str, points: dict[str, list[Point]]) -> None:
        self.data, self.points = data, points

    def __repr__(self) -> str:
        return f"{sum(map(len, self.points.values()))} networks with {len(self.points)} activations on {self.data}"

    def point(self, activation: str, *, width: int, depth: int) -> Point:
        """The network with this activation and shape."""
        return next(p for p in self.points[activation] if (p.width, p.depth) == (width, depth))


def make_network(activation: str, data: Dataset, *, width: int, depth: int) -> nn.Sequential:
    """A perceptron with so many hidden layers of this width and activation."""
    make = ACTIVATIONS[activation]
    with random_numbers(0):
        if make is not None:
            return mlp([data.features, *[width] * depth, data.classes], activation=make)
        layers = [Maxout(data.features if i == 0 else width, width, 3) for i in range(depth)]
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(width, data.classes))


def comparison(data: str | Dataset = "digits") -> Comparison:
    """Train networks of four widths and two depths with each activation; once for each data set that is named."""
    return copy.deepcopy(_load(data)) if isinstance(data, str) else _train(data)


@lru_cache(maxsize=2)
def _load(name: str) -> Comparison:
    return _train(name)


def _train(data: str | Dataset) -> Comparison:
    dataset = lesson_data(data)
    if len(dataset.y_train) > 3000:
        dataset = dataset.subset(3000)
    settings: dict[str, Any] = {"epochs": 12, "lr": 0.01, "batch_size": 64, "schedule": "cosine", "evaluate_every": 0}
    points: dict[str, list[Point]] = {name: [] for name in ACTIVATIONS}
    for name in ACTIVATIONS:
        for depth in DEPTHS:
            for width in WIDTHS:
                model = make_network(name, dataset, width=width, depth=depth)
                fit(model, dataset, device="cpu", progress=False, **settings)
                accuracy = measure_accuracy(model.eval(), dataset)
                points[name].append(Point(width, depth, count_parameters(model), accuracy))
    return Comparison(dataset.name, points)
