"""How a network fits data that mean something, and data that do not: `memorize` follows the training of many at once.

Random labels cannot be understood, only learnt by heart. An over-parameterised network, one with more parameters than
training rows, drives its training error to zero on them all the same (Zhang et al. 2016, arXiv:1611.03530): the share
of corrupted labels moves the time that this takes, and the error on test rows.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.train.ensemble import Forward, seeded, stacked_forward
from course_utils.train.loop import ROWS_AT_ONCE, batches, pick_device
from course_utils.train.not_finite import check_labels, unusable_inputs
from course_utils.train.settings import Settings

__all__ = ["Curves", "memorize"]


class Curves(NamedTuple):
    """What has been measured so far of S networks: tensors (S, epochs + 1), the first column before any training."""

    train_loss: Tensor  # the mean cross-entropy on the training rows, at the end of the epoch
    train_error: Tensor  # the share of training rows that are answered with another label than the given one
    test_error: Tensor  # the same on the test rows

    def fitted(self) -> Tensor:
        """The first epoch without an error on the training rows, (S,); -1 where there was none.

        >>> none = torch.zeros(2, 3)
        >>> Curves(none, torch.tensor([[0.9, 0.1, 0.0], [0.9, 0.5, 0.2]]), none).fitted()
        tensor([ 2, -1])
        """
        done = self.train_error == 0
        return torch.where(done.any(1), done.int().argmax(1), -1)


def memorize(
    make_model: Callable[[], nn.Module],
    datasets: Sequence[Dataset],
    *,
    epochs: int,
    device: str | torch.device = "auto",
    **settings: Any,
) -> Iterator[Curves]:
    """Train one network on each data set, all in one batched run, and yield the growing curves after each epoch.

    The networks start alike and see their rows in the same order, so they differ by their data alone. `datasets`: all
    with the same numbers of rows; where they share their inputs (as `random_labels` leaves them) these are kept once.
    `settings`: batch_size, lr, schedule, optimizer, momentum, weight_decay and seed of `Settings`. Network s is, up to
    rounding, what `fit` with these settings makes of data set s.

    Raises: ValueError for no data sets, for data sets of different shapes, wrong labels, or a network with batch
    normalisation; FloatingPointError if a loss is no longer finite.

    >>> from course_utils.data.corruption import random_labels
    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> digits = load_dataset("digits").subset(200)
    >>> both = [random_labels(digits, share) for share in (0, 1)]
    >>> *_, curves = memorize(lambda: mlp([64, 200, 10]), both, epochs=60, lr=0.01)
    >>> true, random = curves.fitted().tolist()
    >>> 0 < true < random
    True
    """
    plan, target = Settings(epochs=epochs, **settings), pick_device(device)
    for data in datasets:
        check_labels(data)
    own = any(d.x_train is not datasets[0].x_train for d in datasets[1:])
    x_train, y_train, x_test, y_test = (t.to(target) for t in _stacked(datasets, own))
    model = seeded(make_model, plan.seed).to(target)
    params = {
        name: p.detach().expand(len(datasets), *p.shape).clone().requires_grad_()
        for name, p in model.named_parameters()
    }
    forward, optimizer = stacked_forward(model), plan.make_optimizer(list(params.values()))
    order = torch.Generator().manual_seed(plan.seed)
    columns = [_measure(forward, params, own, x_train, y_train, x_test, y_test)]
    yield _curves(columns)
    for number in range(epochs):
        parts = batches(y_train.shape[1], plan.batch_size, order)
        model.train()
        for i, rows in enumerate(parts):
            rows = rows.to(target, non_blocking=True)
            logits = forward(params, x_train[:, rows] if own else x_train[rows], own)
            optimizer.zero_grad()
            F.cross_entropy(logits.flatten(0, 1), y_train[:, rows].flatten(), reduction="sum").div(len(rows)).backward()
            for group in optimizer.param_groups:
                group["lr"] = plan.lr * plan.rate(number * len(parts) + i, epochs * len(parts))
            optimizer.step()
        model.eval()
        columns.append(_measure(forward, params, own, x_train, y_train, x_test, y_test))
        _check_finite(columns[-1][0], datasets, number + 1, plan.lr)
        yield _curves(columns)


def _check_finite(losses: Tensor, datasets: Sequence[Dataset], epoch: int, lr: float) -> None:
    bad = (~losses.isfinite()).nonzero()[:, 0].tolist()
    if bad:
        reason = unusable_inputs(datasets[bad[0]]) or f"lr={lr:g} is too large; try lr={min(lr / 10, 0.1):g}"
        raise FloatingPointError(f"the loss is no longer finite in epoch {epoch} of the networks {bad}: {reason}")


def _stacked(datasets: Sequence[Dataset], own: bool) -> tuple[Tensor, ...]:
    """Inputs (n, ...), or (S, n, ...) where each network has its own, and labels (S, n); training, then test."""
    shapes = {(tuple(d.x_train.shape), tuple(d.x_test.shape)) for d in datasets}
    if len(shapes) != 1:
        raise ValueError(f"memorize needs data sets of one shape, got {len(shapes)} shapes; take subsets of equal size")
    xs = [torch.stack([d.x_train for d in datasets]), torch.stack([d.x_test for d in datasets])] if own else []
    x_train, x_test = xs or [datasets[0].x_train, datasets[0].x_test]
    y_train, y_test = (torch.stack([getattr(d, name) for d in datasets]) for name in ("y_train", "y_test"))
    return x_train, y_train, x_test, y_test


@torch.no_grad()
def _measure(
    forward: Forward,
    params: dict[str, Tensor],
    own: bool,
    x_train: Tensor,
    y_train: Tensor,
    x_test: Tensor,
    y_test: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    loss, wrong = _look(forward, params, own, x_train, y_train)
    return loss, wrong, _look(forward, params, own, x_test, y_test)[1]


def _look(forward: Forward, params: dict[str, Tensor], own: bool, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The mean cross-entropy and the share of errors of each network, on the CPU."""
    loss, wrong = torch.zeros(len(y), device=y.device), torch.zeros(len(y), device=y.device)
    for rows in torch.arange(y.shape[1], device=y.device).split(ROWS_AT_ONCE):
        logits, labels = forward(params, x[:, rows] if own else x[rows], own), y[:, rows]
        each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
        loss += each.sum(1)
        wrong += (logits.argmax(-1) != labels).sum(1)
    return (loss / y.shape[1]).cpu(), (wrong / y.shape[1]).cpu()


def _curves(columns: list[tuple[Tensor, Tensor, Tensor]]) -> Curves:
    return Curves(*(torch.stack(each, 1) for each in zip(*columns, strict=True)))
