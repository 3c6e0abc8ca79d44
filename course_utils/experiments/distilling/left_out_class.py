"""Distils a student from whose training rows a class was left out, and searches the bias that brings the class back.

(Hinton, Vinyals, Dean 2015, arXiv:1503.02531.)
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils.data import Dataset
from course_utils.experiments.distilling.student import student_for
from course_utils.experiments.lesson import PAUSE_EVERY
from course_utils.methods.distill import Distillation, best_bias
from course_utils.train import fit_epochs

__all__ = ["EPOCHS", "LeftOutClass", "Student", "train_without_class"]

EPOCHS = 25


class Student(NamedTuple):
    """A student's logits for all test rows after so many epochs, and the class that its training rows lack."""

    logits: Tensor
    labels: Tensor
    label: int
    epoch: int

    def evaluate(self, shift: float) -> "LeftOutClass":
        """Its answers on the second half of the test rows; the best shift is searched on the first half."""
        half = len(self.labels) // 2
        best = 0.0
        if self.epoch == EPOCHS:
            best = best_bias(self.logits[:half], self.labels[:half], label=self.label)
        return LeftOutClass(self.logits[half:], self.labels[half:], self.label, shift, best, self.epoch)


class LeftOutClass(NamedTuple):
    """Logits of test rows, the class that was left out, the shift of its bias, and the best shift (0 until the end)."""

    logits: Tensor
    labels: Tensor
    label: int
    shift: float
    best: float
    epoch: int

    def wrong(self, shift: float) -> Tensor:
        """Which rows are classified wrongly with the logit of the class shifted, a mask."""
        logits = self.logits.clone()
        logits[:, self.label] += shift
        return logits.argmax(1) != self.labels

    def errors(self, shift: float) -> tuple[int, int]:
        """The number of all errors, and of those on the class that was left out."""
        wrong = self.wrong(shift)
        return int(wrong.sum()), int((wrong & (self.labels == self.label)).sum())


def train_without_class(
    data: Dataset, teacher: nn.Module, *, label: int, temperature: float
) -> Iterator[Student | None]:
    """A student of the teacher's soft answers to the training rows without a class, before and after each epoch.

    None in a pause within an epoch.
    """
    keep = data.y_train != label
    part = Dataset(data.name, data.x_train[keep], data.y_train[keep], data.x_test, data.y_test, data.classes)
    student = student_for(data, 64, 0)
    distillation = Distillation(student, teacher, temperature=temperature, alpha=1.0)
    run = fit_epochs(distillation, part, epochs=EPOCHS, lr=0.01, batch_size=64, schedule="cosine",
                     loss=distillation.loss, evaluate_every=0, device="cpu", pause_every=PAUSE_EVERY)  # fmt: skip
    for history in run:
        if history is None:
            yield None
            continue
        with torch.no_grad():
            logits = student.eval()(data.x_test)
        yield Student(logits, data.y_test, label, len(history))
