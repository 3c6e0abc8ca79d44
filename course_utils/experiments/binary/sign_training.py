"""Trains a network with binary weights and records its real weights, its accuracy and the signs that flip."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from course_utils.data import Dataset
from course_utils.experiments.binary.regularizers import first_layer, make_network, settings_for
from course_utils.experiments.lesson import PAUSE_EVERY, measure_accuracy
from course_utils.train import fit_epochs

__all__ = ["EPOCHS", "SignTraining", "train_signs"]

EPOCHS = 15


class SignTraining(NamedTuple):
    """The real weights of the first layer now; of each epoch the accuracy and the share of signs that flipped."""

    weights: np.ndarray
    accuracies: list[float]
    flipped: list[float]


def train_signs(
    data: Dataset, kind: str, *, lr: float, seed: int, epochs: int = EPOCHS
) -> Iterator[SignTraining | None]:
    """The state before the training and after each epoch; with 0 `epochs` only the former.

    None in a pause within an epoch. `kind`: "stoch", "det" or "none", as in `regularizers.KINDS`.
    """
    model = make_network(kind, data, hidden=96, seed=seed)
    weight = first_layer(model).weight
    before = weight.detach().clone().numpy()
    accuracies, flipped = [measure_accuracy(model.eval(), data)], [0.0]
    yield SignTraining(before, list(accuracies), list(flipped))
    if not epochs:
        return
    settings = settings_for(kind) | {"lr": lr, "evaluate_every": 0, "device": "cpu", "pause_every": PAUSE_EVERY}
    for history in fit_epochs(model, data, epochs=epochs, seed=seed, **settings):
        if not history:
            if history is None:
                yield None
            continue
        now = weight.detach().clone().numpy()
        accuracies.append(measure_accuracy(model.eval(), data))
        flipped.append(float(np.mean((now >= 0) != (before >= 0))))
        before = now
        yield SignTraining(now, list(accuracies), list(flipped))
