"""Trains one network plainly, with binary weights, with random binary weights, and with dropout."""

import copy
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from torch import nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import SMALL_INPUT, lesson_data
from course_utils.methods.binarize import BinaryLinear, clip_
from course_utils.train import evaluate, fit

__all__ = ["KINDS", "Noises", "first_layer", "make_network", "noises", "settings_for"]

KINDS = {
    "no regularizer": "none",
    "BinaryConnect, deterministic": "det",
    "BinaryConnect, stochastic": "stoch",
    "50 % dropout": "dropout",
}


class Noises:
    """Four trained networks: `models` and `errors`, in percent of the test rows, by kind."""

    def __init__(self, data: Dataset, models: dict[str, nn.Sequential]) -> None:
        self.data, self.models = data, models
        self.errors = {kind: 100 - 100 * evaluate(model, data).accuracy for kind, model in models.items()}

    def __repr__(self) -> str:
        lines = [f"{name:30} test error {self.errors[kind]:5.2f} %" for name, kind in KINDS.items()]
        return "\n".join([f"on {self.data.name}, {len(self.data.y_test):,} test rows", *lines])


def make_network(kind: str, data: Dataset, *, hidden: int, seed: int = 0) -> nn.Sequential:
    """Two hidden layers with batch normalization, as in BinaryConnect, and one of the four kinds of noise."""
    linear: Callable[..., nn.Module] = nn.Linear
    if kind in ("det", "stoch"):
        linear = partial(BinaryLinear, stochastic=kind == "stoch")
    layers: list[nn.Module] = [nn.Flatten()]
    with random_numbers(seed):
        for n, m in ((data.features, hidden), (hidden, hidden)):
            layers += [linear(n, m), nn.BatchNorm1d(m), nn.ReLU()]
            if kind == "dropout":
                layers.append(nn.Dropout(0.5))
        layers += [linear(hidden, data.classes), nn.BatchNorm1d(data.classes)]
        for layer in layers:
            if isinstance(layer, BinaryLinear):  # spread over the whole range, so that the signs carry information
                nn.init.uniform_(layer.weight, -1, 1)
    return nn.Sequential(*layers)


def first_layer(model: nn.Sequential) -> nn.Linear:
    """The layer whose rows are the features."""
    return next(layer for layer in model if isinstance(layer, nn.Linear))


def settings_for(kind: str) -> dict[str, Any]:
    """How the network of a kind is trained: binary weights need larger steps to change their signs."""
    lr = {"none": 3e-3, "dropout": 3e-3, "det": 0.03, "stoch": 0.1}[kind]
    return {"lr": lr, "batch_size": 64, "schedule": "cosine", "after_step": clip_}


def noises(data: str | Dataset = "digits", *, epochs: int = 20, hidden: int = 128) -> Noises:
    """Train the four networks; those of a data set that is named only once."""
    return (
        copy.deepcopy(_load(data, epochs, hidden))
        if isinstance(data, str)
        else _train(lesson_data(data), epochs, hidden)
    )


@lru_cache(maxsize=2)
def _load(name: str, epochs: int, hidden: int) -> Noises:
    return _train(lesson_data(name), epochs, hidden)


def _train(data: Dataset, epochs: int, hidden: int) -> Noises:
    if data.features > SMALL_INPUT:
        epochs = max(1, epochs // 3)
    models = {}
    for kind in KINDS.values():
        model = make_network(kind, data, hidden=hidden)
        fit(model, data, epochs=epochs, evaluate_every=0, device="cpu", progress=False, **settings_for(kind))
        models[kind] = model.eval()
    return Noises(data, models)
