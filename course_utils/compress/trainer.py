"""The trainings between the steps of a compression: on one transfer set, each with a checkpoint of its own."""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from course_utils.compress.recipe import Recipe
from course_utils.compress.stages import Stage
from course_utils.compress.transfer_set import Student, Teacher, transfer_set
from course_utils.data import Dataset
from course_utils.train import batches, fit_epochs
from course_utils.train.loop import with_bar

__all__ = ["NEEDS_DATA", "Trainer"]

NEEDS_DATA = "the recipe trains, so compress needs data=...; without it leave the epochs at 0"
WRITING = ("entropy", "gap_bits", "dense")  # of a recipe: what does not change any training


class Trainer:
    """Trains a network as a recipe says, on the training part of `data` and the answers of `teacher`.

    `origin`: the network that is compressed, as it was given. `folder`: where each training keeps its checkpoint.
    `pause_every`: seconds from one pause of a training to the next.
    """

    def __init__(
        self,
        recipe: Recipe,
        origin: nn.Module,
        data: Dataset | None,
        *,
        teacher: Teacher | None,
        seed: int,
        device: torch.device,
        folder: Path | None,
        progress: bool,
        pause_every: float | None = None,
    ) -> None:
        self.recipe, self.seed, self.device, self.folder, self.progress = recipe, seed, device, folder, progress
        self.pause_every = pause_every
        self.origin, self._data = _checksum(origin), data
        self.teacher = teacher if recipe.alpha else None

    @property
    def data(self) -> Dataset:
        """The data set that the network is for."""
        if self._data is None:
            raise ValueError(NEEDS_DATA)
        return self._data

    @cached_property
    def rows(self) -> Dataset:
        """The transfer set."""
        return transfer_set(
            self.data,
            teacher=self.teacher,
            copies=self.recipe.copies,
            augment=self.recipe.augment,
            seed=self.seed,
            device=self.device,
            progress=self.progress,
        )

    @property
    def distillation(self) -> dict[str, float]:
        """What a `Student` has to know of its teacher; alpha is 0 where there is none."""
        return {"temperature": self.recipe.temperature, "alpha": self.recipe.alpha if self.teacher else 0.0}

    def steps(self, epochs: int) -> int:
        """The optimizer steps of so many epochs."""
        return epochs * len(batches(len(self.rows.y_train), self.recipe.batch_size, torch.Generator()))

    def student(self, network: nn.Module) -> Student:
        """The network as it trains on the transfer set."""
        return Student(network, self.data.input_shape, **self.distillation)

    def train(
        self,
        student: Student,
        *,
        epochs: int,
        lr: float,
        name: str,
        after_step: Callable[[nn.Module], object] | None = None,
    ) -> Iterator[None]:
        """Train on the transfer set, from the checkpoint of this name if there is one, and yield at each pause."""
        steps = fit_epochs(
            student,
            self.rows,
            epochs=epochs,
            batch_size=self.recipe.batch_size,
            lr=lr,
            schedule="cosine",
            optimizer=student.make_optimizer if isinstance(student, Stage) else "adam",
            loss=student.loss,
            after_step=after_step,
            evaluate_every=0,
            checkpoint=None if self.folder is None else self.folder / f"{self.digest}-{name}.pt",
            pause_every=self.pause_every,
            device=self.device,
            seed=self.seed,
        )
        for _ in with_bar(steps, epochs=epochs, shown=self.progress):
            yield

    def train_stage(self, stage: Stage, *, epochs: int, lr: float, name: str) -> Iterator[None]:
        """Train while the stage prunes or freezes weights after its steps."""
        return self.train(stage, epochs=epochs, lr=lr, name=name, after_step=stage.after_step)

    @property
    def digest(self) -> str:
        """A short name for what is trained, from where and how: no other training takes its checkpoints."""
        # Biases are rounded while others train only where they freeze, otherwise in the end.
        writing = WRITING if self.recipe.freezing else (*WRITING, "bias_step")
        trained = {name: value for name, value in self.recipe.spelled().items() if name not in writing}
        spelled = json.dumps([trained, self.seed, self.teacher is not None, self.origin], sort_keys=True)
        return hashlib.sha256(spelled.encode()).hexdigest()[:12]


def _checksum(network: nn.Module) -> int:
    """One number for all parameters and buffers."""
    checksum = 0
    for tensor in network.state_dict().values():
        numbers = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)  # NumPy does not have every type
        checksum = zlib.crc32(numbers.numpy().tobytes(), checksum)
    return checksum
