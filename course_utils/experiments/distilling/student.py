"""Trains two students that start alike, one on the labels only and one with a teacher."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import PAUSE_EVERY, measure_accuracy
from course_utils.methods.distill import Distillation
from course_utils.models import count_parameters, mlp
from course_utils.train import History, fit_epochs

__all__ = ["Loss", "StudentPair", "error_percent", "student_for", "train_pair"]

Loss = Callable[..., Tensor]
OVER = History()


class StudentPair(NamedTuple):
    """Errors in percent so far, before training and after each of `epochs`: on labels only, and distilled."""

    alone: list[float]
    distilled: list[float]
    parameters: int
    epochs: int


def student_for(data: Dataset, width: int, seed: int) -> nn.Sequential:
    """A student with one hidden layer, the same for the same seed."""
    with random_numbers(seed):
        return mlp([data.features, width, data.classes]).eval()


class CustomDistillation(Distillation):
    """Distillation with a loss like `distillation_loss` in its place."""

    def __init__(
        self, student: nn.Module, teacher: nn.Module, *, temperature: float, alpha: float, custom_loss: Loss
    ) -> None:
        super().__init__(student, teacher, temperature=temperature, alpha=alpha)
        self._custom_loss = custom_loss

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch: that of the caller in training mode, plain cross-entropy in eval mode."""
        if not self.training:
            return super().loss(logits, labels)
        student_logits, teacher_logits = logits.chunk(2, 1)
        loss = self._custom_loss(student_logits, teacher_logits, labels, temperature=self.temperature, alpha=self.alpha)
        if not isinstance(loss, Tensor) or loss.ndim:
            got = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(f"loss must return one number as a 0-d tensor, got {got}; take the mean over the rows")
        return loss


def train_pair(
    data: Dataset,
    teacher: nn.Module,
    *,
    temperature: float,
    alpha: float,
    width: int,
    rows: int,
    seed: int,
    train: bool = True,
    loss: Loss | None = None,
) -> Iterator[StudentPair | None]:
    """Errors of both students on the test rows, before the training and after each epoch; the same pair, growing.
    None in a pause within an epoch.

    width: hidden neurons of a student; rows: training rows that it gets, chosen by the seed. Without `train` only the
    start. `loss`: a function like `distillation_loss` in its place.
    """
    students = [student_for(data, width, seed) for _ in range(2)]
    part = data.subset(rows, seed=seed)
    start = error_percent(students[0], data)
    pair = StudentPair([start], [start], count_parameters(students[0]), epochs=max(20, 6000 // rows))
    yield pair
    if not train:
        return
    settings: dict[str, Any] = {
        "epochs": pair.epochs, "lr": 0.01, "batch_size": 25, "schedule": "cosine", "seed": seed, "evaluate_every": 0,
        "device": "cpu", "pause_every": PAUSE_EVERY,
    }  # fmt: skip
    if loss is None:
        distillation = Distillation(students[1], teacher, temperature=temperature, alpha=alpha)
    else:
        distillation = CustomDistillation(students[1], teacher, temperature=temperature, alpha=alpha, custom_loss=loss)
    runs = (
        fit_epochs(students[0], part, **settings),
        fit_epochs(distillation, part, loss=distillation.loss, **settings),
    )
    for history in epoch_by_epoch(*runs):
        if history is None:
            yield None
        elif history:
            for errors, student in zip((pair.alone, pair.distilled), students, strict=True):
                errors.append(error_percent(student.eval(), data))
            yield pair


def epoch_by_epoch(*runs: Iterator[History | None]) -> Iterator[History | None]:
    """The histories of trainings that go on side by side, once all have come to the same epoch; None in each pause."""
    while True:
        for run in runs:
            while (history := next(run, OVER)) is None:
                yield None
            if history is OVER:
                return
        yield history


def error_percent(model: nn.Module, data: Dataset) -> float:
    """Errors on the test rows, in percent."""
    return 100 - 100 * measure_accuracy(model, data)
