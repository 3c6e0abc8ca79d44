"""What the experiments of several notebooks share: data of a size for a lesson, and networks trained on them once."""

import copy
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset, load_dataset
from course_utils.methods.weights import weights_of
from course_utils.models import mlp
from course_utils.train import fit, fit_epochs

__all__ = [
    "PAUSE_EVERY",
    "Pauses",
    "accuracy_with_weights",
    "fit_with_pauses",
    "hidden_sizes",
    "last",
    "lesson_data",
    "measure_accuracy",
    "ready_to_train",
    "trained_network",
]

Result = TypeVar("Result")

TRAINING_ROWS, TEST_ROWS = 12_000, 2_000
PAUSE_EVERY = 0.012  # seconds of a live training from one pause, in which sliders are answered, to the next
SMALL_INPUT = 100  # features: above that a lesson trains wider layers for fewer epochs


def lesson_data(data: str | Dataset) -> Dataset:
    """A data set by its name or as it is, with at most 12,000 rows to train and 2,000 to test on."""
    return _load_short(data) if isinstance(data, str) else _shorten(data)


@lru_cache(maxsize=4)
def _load_short(name: str) -> Dataset:
    return _shorten(load_dataset(name))


def _shorten(data: Dataset) -> Dataset:
    if len(data.y_train) > TRAINING_ROWS:
        data = data.subset(TRAINING_ROWS, seed=0)
    return replace(data, x_test=data.x_test[:TEST_ROWS], y_test=data.y_test[:TEST_ROWS])


def hidden_sizes(data: Dataset) -> tuple[int, int]:
    """Hidden layers of a lesson's perceptron: those of LeNet-300-100 for large inputs, 100 and 50 for small ones."""
    return (300, 100) if data.features > SMALL_INPUT else (100, 50)


def trained_network(data: str | Dataset, *, seed: int = 0) -> nn.Sequential:
    """A copy of the lesson's trained perceptron, which is trained once for each data set and seed.

    >>> network = trained_network("digits")
    >>> network[1].weight.detach().zero_().sum()  # prune all of the copy
    tensor(0.)
    >>> measure_accuracy(trained_network("digits"), lesson_data("digits")) > 0.9
    True
    """
    dataset = lesson_data(data)
    key = (dataset.name, len(dataset.y_train), seed)
    if key not in _TRAINED:
        _TRAINED[key] = _train(dataset, seed)
    return copy.deepcopy(_TRAINED[key])


def fit_with_pauses(model: nn.Module, data: Dataset, **settings: Any) -> Iterator[None]:
    """Train as `fit` does; None in each pause."""
    for history in fit_epochs(model, data, pause_every=PAUSE_EVERY, **settings):
        if history is None:
            yield None


def last(results: Iterable[Result | None]) -> Result:
    """The last result of a live training, with no pauses in between.

    >>> last(iter([1, None, 2, None]))
    2
    """
    *_, result = (result for result in results if result is not None)
    return result


class Pauses:
    """Tells a live training of its own loop when a pause is due."""

    def __init__(self) -> None:
        self._next = time.perf_counter() + PAUSE_EVERY

    def due(self) -> bool:
        """Whether it is time for a pause; the next one is due so long after."""
        if (now := time.perf_counter()) < self._next:
            return False
        self._next = now + PAUSE_EVERY
        return True


_TRAINED: dict[tuple[str, int, int], nn.Sequential] = {}


def _train(data: Dataset, seed: int) -> nn.Sequential:
    with random_numbers(seed):
        model = mlp([data.features, *hidden_sizes(data), data.classes])
    fit(
        model,
        data,
        epochs=20 if data.features <= SMALL_INPUT else 6,
        lr=3e-3,
        batch_size=64,
        schedule="cosine",
        seed=seed,
        evaluate_every=0,
        device="cpu",
        progress=False,
    )
    return model.eval()


def ready_to_train() -> None:
    """Load what torch needs for its first optimizer: a second that must not pass after the press of *Train*."""
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


@torch.no_grad()
def measure_accuracy(model: nn.Module, data: Dataset) -> float:
    """The accuracy on the test rows of a network in evaluation mode, from 0 to 1."""
    return float((model(data.x_test).argmax(1) == data.y_test).float().mean())


@torch.no_grad()
def accuracy_with_weights(model: nn.Module, weights: list[Tensor], data: Dataset) -> float:
    """The accuracy on the test rows of a network with one of `weights` in the place of each weight matrix."""
    replaced = {old.key: new for old, new in zip(weights_of(model).values(), weights, strict=True)}
    logits = torch.func.functional_call(model, replaced, (data.x_test,))
    return float((logits.argmax(1) == data.y_test).float().mean())
