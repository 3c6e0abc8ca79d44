"""Trains a network of kernel activation functions and records what its neurons' activations become (figure 17)."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import PAUSE_EVERY, measure_accuracy
from course_utils.methods.activations import KAF
from course_utils.models import mlp
from course_utils.train import fit_epochs

__all__ = ["EPOCHS", "Curves", "S", "train_kafs"]

S = torch.linspace(-4, 4, 161)
EPOCHS = 8
HIDDEN = 30


class Curves(NamedTuple):
    """The activation of each neuron of a layer on S, (neurons, points), at the start and now; the accuracy so far."""

    start: np.ndarray
    now: np.ndarray
    accuracies: list[float]


def train_kafs(
    data: Dataset, *, init: Literal["normal"] | Callable[[Tensor], Tensor], layer: int, lr: float, epochs: int = EPOCHS
) -> Iterator[Curves | None]:
    """The curves of a hidden layer (1 or 2) before the training and after each epoch; with 0 `epochs` only the former.

    None in a pause within an epoch. `init`: what the KAFs start from, "normal" or a function.
    """
    with random_numbers(0):
        model = mlp([data.features, HIDDEN, HIDDEN, data.classes], activation=lambda width: KAF(width, init=init))
    kaf = [module for module in model if isinstance(module, KAF)][layer - 1]
    start = evaluate_curves(kaf)
    curves = Curves(start, start, [measure_accuracy(model.eval(), data)])
    yield curves
    if not epochs:
        return
    settings: dict[str, Any] = {"batch_size": 64, "schedule": "cosine", "evaluate_every": 0, "device": "cpu"}
    for history in fit_epochs(model, data, epochs=epochs, lr=lr, pause_every=PAUSE_EVERY, **settings):
        if history is None:
            yield None
        elif history:
            accuracies = [*curves.accuracies, measure_accuracy(model.eval(), data)]
            curves = Curves(start, evaluate_curves(kaf), accuracies)
            yield curves


@torch.no_grad()
def evaluate_curves(kaf: KAF) -> np.ndarray:
    """The activation of each neuron on S, (neurons, points)."""
    return kaf(S.unsqueeze(1).expand(-1, kaf.features)).T.numpy().copy()
