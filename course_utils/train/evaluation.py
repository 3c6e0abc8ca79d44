"""How good a network is: `evaluate` measures its loss and its accuracy on the test part."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.train.out_of_memory import attempt, halved
from course_utils.train.settings import Loss

__all__ = ["ROWS_AT_ONCE", "Metrics", "evaluate"]

ROWS_AT_ONCE = 2048  # enough to keep a device busy, few enough for the memory of a small machine


@dataclass(frozen=True)
class Metrics:
    """The result of `evaluate`: the mean loss, the accuracy, and the number of rows that are classified wrongly."""

    loss: float
    accuracy: float
    errors: int


def evaluate(model: nn.Module, data: Dataset, *, loss: Loss = F.cross_entropy) -> Metrics:
    """Measure a network on the test part of `data`, where the network lies; it is left in the mode it was in.

    Raises: ValueError if the test part is empty; torch.OutOfMemoryError if the memory is too small for one row.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> evaluate(mlp([64, 10]), load_dataset("digits")).errors > 300
    True
    """
    rows_at_once = min(ROWS_AT_ONCE, len(data.y_test))
    if not rows_at_once:
        raise ValueError(f"evaluate needs test rows, but {data.name} has none; use data.split() to hold some out")
    was_training = model.training
    model.eval()
    try:
        while (metrics := attempt(partial(_metrics, model, data, loss, rows_at_once))) is None:
            rows_at_once = halved(rows_at_once, work=f"an evaluation on {data.name}")
    finally:
        model.train(was_training)
    return metrics


@torch.no_grad()
def _metrics(model: nn.Module, data: Dataset, loss: Loss, rows_at_once: int) -> Metrics:
    parameter = next(model.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    n, total, correct = len(data.y_test), 0.0, 0
    for x, y in zip(data.x_test.split(rows_at_once), data.y_test.split(rows_at_once), strict=True):
        logits, labels = model(x.to(device)), y.to(device)
        total += float(loss(logits, labels)) * len(labels)
        correct += int((logits.argmax(1) == labels).sum())
    return Metrics(loss=total / n, accuracy=correct / n, errors=n - correct)
