"""Compresses a network by pruning, sharing, both and low rank, mildly to strongly, and measures each file."""

import copy
from functools import lru_cache
from typing import Any, NamedTuple

from torch import nn

from course_utils.coding.container import layout
from course_utils.compress import Recipe
from course_utils.data import Dataset
from course_utils.experiments.lesson import SMALL_INPUT, lesson_data, measure_accuracy, trained_network
from course_utils.experiments.storage.network_file import dense_bytes, write_and_measure
from course_utils.methods.lowrank import low_rank_layer
from course_utils.train import fit

__all__ = ["DENSITIES", "SERIES", "Frontier", "Point", "frontier"]

SERIES = ("pruning", "sharing", "pruning and sharing", "low rank (SVD)")
DENSITIES = (0.5, 0.3, 0.2, 0.12, 0.08, 0.05, 0.03)  # shares of the weights that remain after pruning
LEVELS = (64, 32, 16, 8, 4, 3, 2)
RANKS = (40, 25, 16, 10, 7, 5, 3)


class Point(NamedTuple):
    """A compressed network: bytes of its file, its accuracy on the test rows, and what was done to it."""

    size: int
    accuracy: float
    setting: str


class Frontier(NamedTuple):
    """The points of each series, from large to small files, and the dense network's bytes and accuracy."""

    series: dict[str, list[Point]]
    dense: int
    dense_accuracy: float
    data: str

    def __repr__(self) -> str:
        return f"{sum(map(len, self.series.values()))} compressed networks on {self.data}, each written as a file"


def frontier(data: str | Dataset = "digits") -> Frontier:
    """Compress the lesson's network in 28 ways, retrain each a little, write each as a file; once for each data set."""
    return copy.deepcopy(_load(data)) if isinstance(data, str) else _make(data)


@lru_cache(maxsize=2)
def _load(name: str) -> Frontier:
    return _make(name)


def _make(data: str | Dataset) -> Frontier:
    dataset, model = lesson_data(data), trained_network(data)
    epochs = 4 if dataset.features <= SMALL_INPUT else 1
    series = {
        name: [_compressed_point(model, dataset, recipe, setting) for setting, recipe in recipes.items()]
        for name, recipes in _recipes(epochs).items()
    }
    series["low rank (SVD)"] = [_low_rank_point(model, dataset, rank, epochs) for rank in RANKS]
    return Frontier(series, dense_bytes(model), measure_accuracy(model, dataset), dataset.name)


def _recipes(epochs: int) -> dict[str, dict[str, Recipe]]:
    """The recipes of each series, by their settings in words."""
    base: dict[str, Any] = {"lr": 2e-3, "share_lr": 5e-4, "init": "exact", "batch_size": 64}
    prunes: dict[str, Any] = {"prune_epochs": epochs, **base}
    shares: dict[str, Any] = {"share_epochs": max(1, epochs // 2), **base}
    return {
        "pruning": {f"{d:.0%} kept": Recipe(prune=1 - d, **prunes) for d in DENSITIES},
        "sharing": {f"{n} values": Recipe(levels=n, **shares) for n in LEVELS},
        "pruning and sharing": {
            f"{d:.0%} kept, 8 values": Recipe(prune=1 - d, levels=8, **(prunes | shares)) for d in DENSITIES
        },
    }


def _compressed_point(model: nn.Module, data: Dataset, recipe: Recipe, setting: str) -> Point:
    file = write_and_measure(model, recipe, data)
    return Point(file.size, file.accuracy, setting)


def _low_rank_point(model: nn.Sequential, data: Dataset, rank: int, epochs: int) -> Point:
    """Each layer as a product of two matrices of this rank, trained again, written as float32."""
    layers = [
        low_rank_layer(copy.deepcopy(layer), rank=rank)
        if isinstance(layer, nn.Linear) and rank < min(layer.weight.shape)
        else copy.deepcopy(layer)
        for layer in model
    ]
    thin = nn.Sequential(*layers)
    fit(
        thin,
        data,
        epochs=epochs,
        lr=2e-3,
        schedule="cosine",
        batch_size=64,
        evaluate_every=0,
        device="cpu",
        progress=False,
    )
    arrays = {name: tensor.numpy() for name, tensor in thin.state_dict().items()}
    size = sum(len(part.data) for part in layout(arrays))
    return Point(size, measure_accuracy(thin.eval(), data), f"rank {rank}")
