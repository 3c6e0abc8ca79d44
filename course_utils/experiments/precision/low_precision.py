"""Trains a network that computes with b bits and updates its weights with b' bits (lecture, Algorithm 1)."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import PAUSE_EVERY, measure_accuracy
from course_utils.methods.quantize import LowPrecision
from course_utils.models import mlp
from course_utils.train import fit_epochs

__all__ = ["EPOCHS", "TrainingCurves", "train_low_precision"]

EPOCHS = 12


class TrainingCurves(NamedTuple):
    """The training loss of each epoch, and the accuracy before the training and after each epoch."""

    losses: list[float]
    accuracies: list[float]


def train_low_precision(
    data: Dataset, *, compute_bits: int | None, update_bits: int | None, stochastic: bool = False
) -> Iterator[TrainingCurves | None]:
    """The curves so far, before the training and after each epoch; without `compute_bits` in float32.

    None in a pause within an epoch. `update_bits`: None leaves the updates in float32. `stochastic`: they are
    rounded stochastically.

    Raises: FloatingPointError where the training diverges.
    """
    with random_numbers(0):
        model = mlp([data.features, 64, 64, data.classes])
    precision: Any = nullcontext()
    if compute_bits is not None:
        generator = torch.Generator().manual_seed(0)
        precision = LowPrecision(
            model, compute_bits=compute_bits, update_bits=update_bits, stochastic=stochastic, generator=generator,
            update_every=10,
        )  # fmt: skip
    accuracies: list[float] = []
    settings: dict[str, Any] = {"optimizer": "sgd", "lr": 0.05, "batch_size": 64, "device": "cpu"}
    with precision:
        for history in fit_epochs(model, data, epochs=EPOCHS, evaluate_every=0, pause_every=PAUSE_EVERY, **settings):
            if history is None:
                yield None
                continue
            accuracies.append(measure_accuracy(model, data))
            yield TrainingCurves([epoch.train_loss for epoch in history], list(accuracies))
