"""Compresses a network, writes it to disk, reads it back, and measures it."""

import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from course_utils._support.pauses import in_a_thread, without_pauses
from course_utils.compress import CompressedModel, Recipe
from course_utils.compress.pipeline import compress_with_pauses
from course_utils.data import Dataset
from course_utils.experiments.lesson import PAUSE_EVERY, measure_accuracy

__all__ = ["NetworkFile", "before_and_after_retraining", "dense_bytes", "write_and_measure"]


class NetworkFile(NamedTuple):
    """A file that was written and read back: its bytes, also by kind, and the accuracy of the network in it."""

    size: int
    by_kind: dict[str, float]
    accuracy: float


def dense_bytes(model: nn.Module) -> int:
    """The bytes of all parameters in float32."""
    return 4 * sum(p.numel() for p in model.parameters())


def write_and_measure(model: nn.Module, recipe: Recipe, data: Dataset) -> NetworkFile:
    """Compress by a recipe, write to disk, read back, and measure."""
    return without_pauses(_write_with_pauses(model, recipe, data))


def _write_with_pauses(model: nn.Module, recipe: Recipe, data: Dataset) -> Generator[None, None, NetworkFile]:
    settings: dict[str, Any] = {"progress": False, "device": "cpu", "pause_every": PAUSE_EVERY}
    compressed = yield from compress_with_pauses(model, recipe, data=data, **settings)
    # Each bit of a mixed coder depends on those before it: a second without a place to pause in.
    size, restored, by_kind = yield from in_a_thread(lambda: _written_and_read(compressed))
    return NetworkFile(size, by_kind, measure_accuracy(restored.to_model(), data))


def _written_and_read(compressed: CompressedModel) -> tuple[int, CompressedModel, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.cun"
        compressed.save(path)
        restored = CompressedModel.load(path)
        return path.stat().st_size, restored, restored.report().by_kind


def before_and_after_retraining(
    model: nn.Module, data: Dataset, *, prune: float | None, levels: int | None, entropy: str | None
) -> Iterator[NetworkFile | None]:
    """The file without any retraining, then the file after a short one; the arguments are those of a Recipe.

    None in a pause between.
    """
    recipe: dict[str, Any] = {"prune": prune, "levels": levels, "entropy": entropy, "init": "exact"}
    yield (yield from _write_with_pauses(model, Recipe(**recipe), data))
    # In retraining, shared values stay shared and pruned weights stay zero.
    epochs: dict[str, Any] = {"prune_epochs": 0 if prune is None else 4, "share_epochs": 0 if levels is None else 2}
    retrained = Recipe(**recipe, **epochs, rounds=1, lr=2e-3, share_lr=5e-4, batch_size=64)
    yield (yield from _write_with_pauses(model, retrained, data))
