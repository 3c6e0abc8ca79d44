"""What the panels of several notebooks share: data of a size for a lesson, and networks trained on them, once each."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import torch
from torch import nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset, load_dataset
from course_utils.models import mlp
from course_utils.train import fit

__all__ = ["as_column", "classroom", "hidden_sizes", "measure_accuracy", "ready_to_train", "trained"]

ROWS, TEST_ROWS = 12_000, 2_000


def classroom(data: str | Dataset) -> Dataset:
    """A data set by its name or as it is, with at most 12,000 rows to train and 2,000 to test on."""
    return _of_name(data) if isinstance(data, str) else _shortened(data)


@lru_cache(maxsize=4)
def _of_name(name: str) -> Dataset:
    return _shortened(load_dataset(name))


def _shortened(data: Dataset) -> Dataset:
    if len(data.y_train) > ROWS:
        data = data.subset(ROWS, seed=0)
    return replace(data, x_test=data.x_test[:TEST_ROWS], y_test=data.y_test[:TEST_ROWS])


def hidden_sizes(data: Dataset) -> tuple[int, int]:
    """Hidden layers of a lesson's perceptron: those of LeNet-300-100 for large inputs, 100 and 50 for small ones."""
    return (300, 100) if data.features > 100 else (100, 50)


def trained(data: str | Dataset, *, seed: int = 0) -> nn.Sequential:
    """The perceptron of a lesson, trained; the same one at each call, so it must not be changed."""
    room = classroom(data)
    key = (room.name, len(room.y_train), seed)
    if key not in _TRAINED:
        _TRAINED[key] = make_trained(room, lambda: mlp([room.features, *hidden_sizes(room), room.classes]), seed=seed)
    return _TRAINED[key]


_TRAINED: dict[tuple[str, int, int], nn.Sequential] = {}


def make_trained(data: Dataset, make: Callable[[], nn.Sequential], *, seed: int = 0, epochs: int = 20) -> nn.Sequential:
    """A new network, trained as a lesson trains: by Adam, in seconds."""
    with random_numbers(seed):
        model = make()
    epochs = epochs if data.features <= 100 else max(1, epochs // 3)
    fit(
        model,
        data,
        epochs=epochs,
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
    """Load what torch needs for its first optimizer: a second that must not pass after the press of *Train live*."""
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


@torch.no_grad()
def measure_accuracy(model: nn.Module, data: Dataset) -> float:
    """The share of the test rows that a network in evaluation mode gets right."""
    return float((model(data.x_test).argmax(1) == data.y_test).float().mean())


def as_column(lines: list[str]) -> str:
    """Lines below each other, for a text in a picture."""
    return "\n".join(lines)
