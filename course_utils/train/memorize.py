"""How a network fits data that mean something, and data that do not: `memorize` follows the training of many at once.

Random labels cannot be generalised, only memorised. An over-parameterised network, one with more parameters than
training rows, drives its training error to zero on them all the same (Zhang et al. 2016, arXiv:1611.03530): the share
of corrupted labels changes the time that this takes, and the error on test rows.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.train.batches import batches
from course_utils.train.device import pick_device
from course_utils.train.evaluation import ROWS_AT_ONCE
from course_utils.train.not_finite import check_labels, remedy
from course_utils.train.settings import Settings
from course_utils.train.stacked import Forward, seeded, stacked_cross_entropy, stacked_forward

__all__ = ["Curves", "memorize"]


class Curves(NamedTuple):
    """What has been measured so far of S networks: tensors (S, epochs + 1), the first column before any training."""

    train_loss: Tensor  # the mean cross-entropy on the training rows, at the end of the epoch
    train_error: Tensor  # the share of training rows that are classified differently from their (given) label
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
    networks = _Networks(make_model, datasets, plan, target)
    columns = [networks.measure()]
    yield _curves(columns)
    for number in range(epochs):
        networks.epoch(number)
        columns.append(networks.measure())
        _check_finite(columns[-1][0], datasets, plan, number + 1)
        yield _curves(columns)


class _Networks:
    """S networks that start alike, with the rows of each."""

    def __init__(
        self, make_model: Callable[[], nn.Module], datasets: Sequence[Dataset], plan: Settings, device: torch.device
    ) -> None:
        self.plan, self.device = plan, device
        self.own_inputs = any(d.x_train is not datasets[0].x_train for d in datasets[1:])
        stacked = _stacked(datasets, self.own_inputs)
        self.x_train, self.y_train, self.x_test, self.y_test = (tensor.to(device) for tensor in stacked)
        self.model = seeded(make_model, plan.seed).to(device)
        self.params = {
            name: p.detach().expand(len(datasets), *p.shape).clone().requires_grad_()
            for name, p in self.model.named_parameters()
        }
        self.forward: Forward = stacked_forward(self.model)
        self.optimizer = plan.make_optimizer(list(self.params.values()))
        self.order = torch.Generator().manual_seed(plan.seed)

    def epoch(self, number: int) -> None:
        """Train all networks for one epoch; `number` of them are done."""
        parts = batches(self.y_train.shape[1], self.plan.batch_size, self.order)
        self.model.train()
        for i, rows in enumerate(parts):
            rate = self.plan.rate(number * len(parts) + i, self.plan.epochs * len(parts))
            self.step(rows.to(self.device, non_blocking=True), rate)
        self.model.eval()

    def step(self, rows: Tensor, rate: float) -> None:
        """Take one step with all networks on the same rows."""
        logits = self._logits(self.x_train, rows)
        self.optimizer.zero_grad()
        total = F.cross_entropy(logits.flatten(0, 1), self.y_train[:, rows].flatten(), reduction="sum")
        (total / len(rows)).backward()
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.lr * rate
        self.optimizer.step()

    @torch.no_grad()
    def measure(self) -> tuple[Tensor, Tensor, Tensor]:
        """The training loss, the training error and the test error of each network."""
        train_loss, train_error = self._loss_and_error(self.x_train, self.y_train)
        return train_loss, train_error, self._loss_and_error(self.x_test, self.y_test)[1]

    def _loss_and_error(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The mean cross-entropy and the error rate of each network, on the CPU."""
        loss, wrong = torch.zeros(len(y), device=y.device), torch.zeros(len(y), device=y.device)
        for rows in torch.arange(y.shape[1], device=y.device).split(ROWS_AT_ONCE):
            logits, labels = self._logits(x, rows), y[:, rows]
            loss += stacked_cross_entropy(logits, labels).sum(1)
            wrong += (logits.argmax(-1) != labels).sum(1)
        return (loss / y.shape[1]).cpu(), (wrong / y.shape[1]).cpu()

    def _logits(self, x: Tensor, rows: Tensor) -> Tensor:
        return self.forward(self.params, x[:, rows] if self.own_inputs else x[rows], self.own_inputs)


def _check_finite(losses: Tensor, datasets: Sequence[Dataset], plan: Settings, epoch: int) -> None:
    bad = (~losses.isfinite()).nonzero()[:, 0].tolist()
    if bad:
        raise FloatingPointError(
            f"the loss is no longer finite in epoch {epoch} of the networks {bad}: {remedy(datasets[bad[0]], plan)}"
        )


def _stacked(datasets: Sequence[Dataset], own_inputs: bool) -> tuple[Tensor, ...]:
    """Inputs (n, ...), or (S, n, ...) where each network has its own, and labels (S, n); training, then test."""
    shapes = {(tuple(d.x_train.shape), tuple(d.x_test.shape)) for d in datasets}
    if len(shapes) != 1:
        raise ValueError(f"memorize needs data sets of one shape, got {len(shapes)} shapes; take subsets of equal size")
    x_train, x_test = datasets[0].x_train, datasets[0].x_test
    if own_inputs:
        x_train, x_test = torch.stack([d.x_train for d in datasets]), torch.stack([d.x_test for d in datasets])
    y_train, y_test = torch.stack([d.y_train for d in datasets]), torch.stack([d.y_test for d in datasets])
    return x_train, y_train, x_test, y_test


def _curves(columns: list[tuple[Tensor, Tensor, Tensor]]) -> Curves:
    train_loss, train_error, test_error = zip(*columns, strict=True)
    return Curves(torch.stack(train_loss, 1), torch.stack(train_error, 1), torch.stack(test_error, 1))
