"""The trainings between the steps of a compression: on the same data, each with a checkpoint of its own."""

import copy
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.description import Description
from course_utils.compress.any_data import Batches, train_on_batches
from course_utils.compress.recipe import Recipe
from course_utils.compress.stages import Stage
from course_utils.compress.transfer_set import Student, Teacher, transfer_set
from course_utils.data import Dataset
from course_utils.methods.distill import soft_loss
from course_utils.train import Settings, batches, fit_epochs
from course_utils.train.loop import with_bar

__all__ = ["NEEDS_DATA", "Loss", "Trainer"]

Loss = Callable[[Any, Any], Tensor]

NEEDS_DATA = "the recipe trains, so compress needs data=...; without it leave the epochs at 0"
WRITING = ("entropy", "gap_bits", "dense")  # of a recipe: what does not change any training


class Trainer:
    """Trains a network as a recipe says, on the training part of `data` and the answers of `teacher`.

    `origin`: the network that is compressed, as it was given. `loss`, `teacher_loss`: as in `compress`. `folder`: where
    each training keeps its checkpoint. `pause_every`: seconds from one pause of a training to the next.
    """

    def __init__(
        self,
        recipe: Recipe,
        origin: nn.Module,
        data: Any,
        *,
        teacher: Teacher | None,
        loss: Loss | None = None,
        teacher_loss: Loss | None = None,
        seed: int,
        device: torch.device,
        folder: Path | None,
        progress: bool,
        pause_every: float | None = None,
    ) -> None:
        self.recipe, self.seed, self.device, self.folder, self.progress = recipe, seed, device, folder, progress
        self.pause_every = pause_every
        self.origin = _checksum(origin)
        self.teacher = teacher if recipe.alpha else None
        self.loss, self.teacher_loss = loss or F.cross_entropy, teacher_loss
        self._data: Dataset | Batches | None = data
        if recipe.trains and not (isinstance(data, Dataset) and loss is None and teacher_loss is None):
            self._data = self._batches(data, loss)

    def _batches(self, data: Any, loss: Loss | None) -> Batches:
        if data is None:
            raise ValueError(NEEDS_DATA)
        if self.recipe.copies:
            raise ValueError(
                "augmented copies need a Dataset of images of the course and no loss of one's own; leave `copies` out, "
                "and augment in a DataLoader"
            )
        if self.teacher is not None and loss is not None and self.teacher_loss is None:
            raise ValueError(
                "a loss of one's own and a teacher need teacher_loss too, a function of the outputs of both, such as "
                "torch.nn.functional.mse_loss"
            )
        if isinstance(data, Dataset):
            data = (data.x_train, data.y_train)
        return Batches(data, batch_size=self.recipe.batch_size, seed=self.seed)

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of an image that a row of the transfer set stands for; None where there is no such set."""
        return self._data.input_shape if isinstance(self._data, Dataset) else None

    @cached_property
    def rows(self) -> Dataset:
        """The transfer set."""
        if not isinstance(self._data, Dataset):
            raise ValueError(NEEDS_DATA)
        return transfer_set(
            self._data,
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
        if isinstance(self._data, Batches):
            return epochs * len(self._data)
        return epochs * len(batches(len(self.rows.y_train), self.recipe.batch_size, torch.Generator()))

    def student(self, network: nn.Module) -> Student:
        """The network as it trains on the transfer set."""
        return Student(network, self.input_shape, **self.distillation)

    def train(
        self,
        student: Student,
        *,
        epochs: int,
        lr: float,
        name: str,
        after_step: Callable[[nn.Module], object] | None = None,
    ) -> Iterator[None]:
        """Train from the checkpoint of this name, if there is one, and yield at each pause."""
        settings = Settings(
            epochs=epochs,
            batch_size=self.recipe.batch_size,
            lr=lr,
            schedule="cosine",
            optimizer=student.make_optimizer if isinstance(student, Stage) else "adam",
            loss=student.loss,
            after_step=after_step,
            seed=self.seed,
        )
        checkpoint = None if self.folder is None else self.folder / f"{self.digest}-{name}.pt"
        if isinstance(self._data, Batches):
            return self._train_on_batches(student, self._data, settings, checkpoint)
        return self._train_on_rows(student, settings, checkpoint)

    def _train_on_rows(self, student: Student, settings: Settings, checkpoint: Path | None) -> Iterator[None]:
        steps = fit_epochs(
            student,
            self.rows,
            **{field.name: getattr(settings, field.name) for field in fields(settings)},
            evaluate_every=0,
            checkpoint=checkpoint,
            pause_every=self.pause_every,
            device=self.device,
        )
        for _ in with_bar(steps, epochs=settings.epochs, shown=self.progress):
            yield

    def _train_on_batches(
        self, student: Student, data: Batches, settings: Settings, checkpoint: Path | None
    ) -> Iterator[None]:
        origin = next((p.device for p in student.parameters()), self.device)
        teacher = self.teacher
        if isinstance(teacher, nn.Module):
            teacher = copy.deepcopy(teacher).to(self.device).eval()
        try:
            student.to(self.device)
            trainable = [p for p in student.parameters() if p.requires_grad]
            yield from train_on_batches(
                student,
                data,
                epochs=settings.epochs,
                rate=lambda step, steps: settings.lr * settings.rate(step, steps),
                optimizer=settings.make_optimizer(trainable),
                loss=self.loss,
                teacher=teacher,
                teacher_loss=self.teacher_loss or partial(soft_loss, temperature=self.recipe.temperature),
                alpha=self.recipe.alpha,
                after_step=settings.after_step,
                device=self.device,
                seed=settings.seed,
                checkpoint=checkpoint,
                described={} if checkpoint is None else self._described(data),
                pause_every=self.pause_every,
            )
        finally:
            student.to(origin)

    def _described(self, data: Batches) -> dict[str, str]:
        """What decides a training on batches, beside the network and the recipe."""
        description = Description()
        parts = {
            "data": data.loader.dataset,
            "batches": len(data),
            "loss": self.loss,
            "teacher": self.teacher,
            "teacher_loss": self.teacher_loss,
        }
        try:
            for name, value in parts.items():
                description.add(name, value)
        except ValueError as error:
            raise ValueError(f"{error}; compress without a checkpoint, or without that") from error
        return description.lines

    def train_stage(self, stage: Stage, *, epochs: int, lr: float, name: str) -> Iterator[None]:
        """Train while the stage prunes or freezes weights after its steps."""
        return self.train(stage, epochs=epochs, lr=lr, name=name, after_step=stage.after_step)

    @property
    def digest(self) -> str:
        """A short name for what is trained, from where and how: no other training takes its checkpoints."""
        # Biases are rounded while others train only where they freeze, otherwise in the end.
        writing = WRITING if self.recipe.freezing else (*WRITING, "bias_step")
        trained = {name: value for name, value in self.recipe.spelled().items() if name not in writing}
        kind = type(self._data).__name__
        spelled = json.dumps([trained, self.seed, self.teacher is not None, self.origin, kind], sort_keys=True)
        return hashlib.sha256(spelled.encode()).hexdigest()[:12]


def _checksum(network: nn.Module) -> int:
    """One number for all parameters and buffers."""
    checksum = 0
    for tensor in network.state_dict().values():
        numbers = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)  # NumPy does not have every type
        checksum = zlib.crc32(numbers.numpy().tobytes(), checksum)
    return checksum
