"""Trainings that are killed: in a process of its own, at a moment of the clock or in the middle of a checkpoint.

The processes are forked from a server that has imported PyTorch and this course once, and has computed nothing.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, BinaryIO

import torch
from torch import nn

from course_utils._support import files
from course_utils.data import load_dataset
from course_utils.methods.penalties import Regularizer
from course_utils.train import checkpoint, fit

# What `fit` imports, and PyTorch with the first optimizer: seconds for each process.
SHARED = ["course_utils.train.loop", "torch._dynamo", "tqdm.auto"]
EPOCHS = 10
DIGITS = load_dataset("digits").subset(300)
SGD: dict[str, Any] = {"optimizer": "sgd", "lr": 0.1}
VARIANTS: dict[str, dict[str, Any]] = {
    "adam": {"optimizer": "adam", "lr": 0.01, "schedule": "cosine", "weight_decay": 1e-3},
    "prox": SGD | {"schedule": "cosine", "regularizer": Regularizer("sparse_group", lam=1e-3), "norm": True},
    "adam and prox": {"optimizer": "adam", "lr": 0.01, "regularizer": Regularizer("group", lam=1e-2)},
    "momentum": SGD | {"momentum": 0.95, "regularizer": Regularizer("l2", lam=1e-3), "method": "gradient"},
    "a large network": {"optimizer": "adam", "lr": 1e-3, "schedule": "cosine", "width": 2000},
}


@dataclass(frozen=True)
class Moment:
    """When a process is killed: after a share of the time that all takes, or in its `write`th checkpoint.

    There after a share of the bytes; or, where that is None, just before or just after the draft takes its name.
    """

    clock: float | None = None
    write: int = 1
    share: float | None = None
    after: bool = False


def network(*, width: int = 16, norm: bool = False) -> nn.Module:
    torch.manual_seed(0)
    middle = nn.BatchNorm1d(width) if norm else nn.ReLU()
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), middle, nn.Dropout(0.3), nn.Linear(width, 10))


def attempt(
    variant: str, path: Path, moment: Moment | None = None, uninterrupted: tuple[float, int] = (0.0, 0)
) -> float:
    """Train in a new process, from the checkpoint if child_end is one; the seconds that it took, NaN if it was killed.

    `uninterrupted`: the seconds and the bytes of a training that is not killed.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(SHARED)
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_train, args=(child_end, variant, path, moment, uninterrupted[1]))
    process.start()
    child_end.close()
    try:
        parent_end.recv()  # all is imported, and training begins
        if moment is not None and moment.clock is not None:
            sleep(moment.clock * uninterrupted[0])
            process.kill()
        process.join(60)
        if process.exitcode == -signal.SIGKILL:
            return float("nan")
        assert process.exitcode == 0
        return float(parent_end.recv())
    finally:
        process.kill()
        process.join()
        process.close()
        parent_end.close()


def _train(parent: Connection, variant: str, path: Path, moment: Moment | None, size: int) -> None:
    torch.set_num_threads(1)
    settings = dict(VARIANTS[variant])
    model = network(**{name: settings.pop(name) for name in ("width", "norm") if name in settings})
    if moment is not None and moment.clock is None:
        _arm(moment, size)
    parent.send("ready")
    started = perf_counter()
    fit(model, DIGITS, epochs=EPOCHS, batch_size=32, device="cpu", checkpoint=path, progress=False, **settings)
    parent.send(perf_counter() - started)


def _arm(moment: Moment, size: int) -> None:
    """Let this process be killed in one of the checkpoints that it writes."""
    written, writes, replace = files.written_atomically, 0, os.replace

    @contextmanager
    def watched(path: Path) -> Iterator[Any]:
        nonlocal writes
        writes += 1
        with written(path) as file:
            yield _Trap(file, int(moment.share * size)) if writes == moment.write and moment.share is not None else file

    def replaced(draft: Path, path: Path) -> None:
        if writes < moment.write or moment.share is not None:
            return replace(draft, path)
        if moment.after:
            replace(draft, path)
        _die()

    checkpoint.written_atomically = watched  # type: ignore[assignment]
    os.replace = replaced  # type: ignore[assignment]


class _Trap:
    """A file whose writer is killed when it has written so many bytes."""

    def __init__(self, file: BinaryIO, left: int) -> None:
        self.file, self.left = file, left
        self.flush: Callable[[], None] = file.flush

    def write(self, data: bytes) -> int:
        if len(data) > self.left:
            self.file.write(memoryview(data)[: self.left])
            self.file.flush()
            _die()
        self.left -= len(data)
        return self.file.write(data)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
