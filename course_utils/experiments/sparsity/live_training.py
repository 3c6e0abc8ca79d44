"""One network under a penalty, epoch by epoch: its weights, its neurons, its zeros and its accuracy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import PAUSE_EVERY
from course_utils.experiments.sparsity.lambda_path import Plan
from course_utils.methods.penalties import Regularizer, active_neurons
from course_utils.models import mlp
from course_utils.train import fit_epochs

__all__ = ["Course", "train_under_penalty"]


@dataclass
class Course:
    """The course of one training; the lists have an entry per epoch, the first before any training."""

    weights: list[np.ndarray] = field(default_factory=list)  # now
    neurons: list[list[int]] = field(default_factory=list)
    zeros: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)

    @torch.no_grad()
    def add(self, model: nn.Sequential, data: Dataset) -> None:
        """Add the present state of the network."""
        weights = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
        self.weights = [w.detach().clone().numpy() for w in weights]
        self.neurons.append(active_neurons(model))
        self.zeros.append(sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights))
        self.accuracy.append(float((model(data.x_test).argmax(1) == data.y_test).float().mean()))


def train_under_penalty(
    data: Dataset, plan: Plan, *, kind: str, lam: float, method: str, seed: int, prox: Callable[..., Tensor] | None
) -> Iterator[Course | None]:
    """Train a perceptron of the plan's sizes, and yield its course before the first epoch and after each.

    None in a pause within an epoch. `method`: "prox" or "gradient"; `prox`: the reader's own step, or None.
    """
    with random_numbers(seed):
        model = mlp([data.features, *plan.hidden, data.classes])
    course = Course()
    course.add(model, data)
    yield course
    for history in fit_epochs(
        model,
        data,
        epochs=plan.epochs,
        evaluate_every=0,
        optimizer="sgd",
        lr=plan.lr,
        batch_size=plan.batch_size,
        schedule="cosine",
        regularizer=Regularizer(kind, lam=lam, prox=prox),
        method=method,
        seed=seed,
        pause_every=PAUSE_EVERY,
    ):
        if history is None:
            yield None
        elif history:
            course.add(model, data)
            yield course
