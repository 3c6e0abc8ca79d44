"""The decision boundary of a multilayer perceptron while it trains on points of two classes in the plane."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import PAUSE_EVERY
from course_utils.models import count_parameters, mlp
from course_utils.train import fit_epochs

__all__ = ["EDGE", "EPOCHS", "EVERY", "SIDE", "Boundary", "make_points", "train_boundary"]

EPOCHS = 60
EVERY = 3  # epochs between two results
SIDE = 64  # points of the map per axis
TRAIN, TEST = 400, 400
EDGE = 1.25
TURNS = 1.25  # of each spiral


class Boundary(NamedTuple):
    """A perceptron and the course of its training, an entry per result."""

    probability: np.ndarray  # of class 1 on the map, (SIDE, SIDE), now
    costs: list[float]  # (3) on the training points
    accuracy: list[float]  # on the test points
    sizes: list[int]
    parameters: int
    data: Dataset
    diverged: bool


@lru_cache(maxsize=8)
def make_points(shape: str, seed: int = 0) -> Dataset:
    """Points of two classes in the plane, between -1.25 and 1.25: "spirals", "moons" or "rings"; 400 + 400."""
    rng = np.random.default_rng(seed)
    n = TRAIN + TEST
    label = np.arange(n) % 2
    t = rng.random(n)
    if shape == "spirals":
        radius, angle = 0.12 + 0.95 * t, TURNS * 2 * np.pi * t + np.pi * label
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + rng.normal(0, 0.035, (n, 2))
    elif shape == "moons":
        angle = np.pi * t
        upper = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], 1)
        points = np.where(label[:, None] == 0, upper, -upper) * 0.68 + rng.normal(0, 0.08, (n, 2))
    else:
        radius = np.where(label == 0, 0.45 * np.sqrt(t), 0.75 + 0.3 * t)
        angle = rng.random(n) * 2 * np.pi
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + rng.normal(0, 0.05, (n, 2))
    x, y = torch.tensor(points, dtype=torch.float32), torch.tensor(label)
    return Dataset(shape, x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], classes=2)


def train_boundary(
    data: Dataset, *, width: int, depth: int, eta: float, batch_size: int, seed: int
) -> Iterator[Boundary | None]:
    """Train a perceptron by stochastic gradient descent, and yield it before the first epoch and after every third.

    None in a pause between.
    """
    sizes = [2, *[width] * depth, 2]
    with random_numbers(seed):
        model = mlp(sizes)
    probability, cost, accuracy = _measured(model, data)
    result = Boundary(probability, [cost], [accuracy], sizes, count_parameters(model), data, diverged=False)
    yield result
    epochs = fit_epochs(model, data, epochs=EPOCHS, batch_size=batch_size, lr=eta, optimizer="sgd", momentum=0.9,
                        evaluate_every=0, device="cpu", pause_every=PAUSE_EVERY)  # fmt: skip
    try:
        for history in epochs:
            if not history or len(history) % EVERY:
                if history is None:
                    yield None
                continue
            probability, cost, accuracy = _measured(model, data)
            result = result._replace(
                probability=probability, costs=[*result.costs, cost], accuracy=[*result.accuracy, accuracy]
            )
            yield result
    except FloatingPointError:  # the loss is no longer finite: a result here, not a mistake
        yield result._replace(diverged=True)


def _map_points() -> Tensor:
    """The points of the map, (SIDE * SIDE, 2), row by row from the bottom."""
    line = torch.linspace(-EDGE, EDGE, SIDE)
    return torch.cartesian_prod(line, line).flip(1)


@torch.no_grad()
def _measured(model: nn.Module, data: Dataset) -> tuple[np.ndarray, float, float]:
    """The probabilities on the map, the cost (3) on the training points, and the accuracy on the test points."""
    probability = model(_map_points()).softmax(1)[:, 1].reshape(SIDE, SIDE).numpy()
    cost = float(nn.functional.cross_entropy(model(data.x_train), data.y_train))
    return probability, cost, float((model(data.x_test).argmax(1) == data.y_test).float().mean())
