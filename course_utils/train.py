"""Training and evaluation: `fit` is mini-batch gradient descent (lecture, (3) and (4)), with proximal steps for zeros.

The data lie as tensors on the device, and an epoch is a loop over batches, never over samples. `fit_epochs` is the same
training as a generator, for pictures that move while it runs. The same seed gives the same network, also when the
training was killed and resumed from its checkpoint.
"""

import math
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.check import in_range, one_of
from course_utils.checkpoint import load_checkpoint, save_checkpoint
from course_utils.data import Dataset
from course_utils.penalties import Regularizer, parameter_groups

__all__ = ["Epoch", "History", "Metrics", "Settings", "evaluate", "fit", "fit_epochs", "pick_device"]

Loss = Callable[[Tensor, Tensor], Tensor]
ROWS_AT_ONCE = 2048  # in an evaluation: enough to keep a device busy, few enough for the memory of a small machine


@dataclass(frozen=True)
class Metrics:
    """What `evaluate` found: the mean loss, the share of right answers and the number of wrong ones."""

    loss: float
    accuracy: float
    errors: int


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data; the test columns are None where it was not evaluated."""

    number: int
    train_loss: float
    test_loss: float | None
    test_accuracy: float | None
    seconds: float


class History(list[Epoch]):
    """The epochs of a training, oldest first, with the columns that one plots."""

    @property
    def train_loss(self) -> list[float]:
        """The mean loss on the training data, without the penalty, of each epoch."""
        return [e.train_loss for e in self]

    @property
    def test_accuracy(self) -> list[float]:
        """The test accuracy of each epoch that was evaluated."""
        return [e.test_accuracy for e in self if e.test_accuracy is not None]

    @property
    def seconds(self) -> float:
        """The time that all epochs took."""
        return sum(e.seconds for e in self)

    def __repr__(self) -> str:
        if not self:
            return "History of 0 epochs"
        accuracy = f", test accuracy {self.test_accuracy[-1]:.4f}" if self.test_accuracy else ""
        return f"History of {len(self)} epochs in {self.seconds:.1f} s: train loss {self[-1].train_loss:.4f}{accuracy}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train: what decides the result, and nothing else.

    epochs: passes over the training data. batch_size: rows per step; a last batch of one row joins the one before.
    lr: step size eta of (4); schedule: "constant", or "cosine" for lr (1 + cos(pi t / T)) / 2 at step t of T.
    optimizer: "adam" (Kingma, Ba 2014, arXiv:1412.6980), "sgd" with `momentum`, or a function of (parameters, lr).
    weight_decay: torch's, which is l2 with lam = weight_decay / 2 on all parameters.
    regularizer: a `Regularizer`; method="prox" takes its proximal step after each step on the loss and leaves exact
    zeros; method="gradient" adds it to the loss and leaves none. The proximal step has the size `prox_lr` * lam: with
    "sgd" both methods then seek the minimum of loss + penalty. "adam" rescales the gradient of each weight but not the
    penalty, so its lam has another meaning (about 1 already outweighs any gradient): prefer "sgd" where lam matters.
    loss: a function of (logits, labels) to a 0-d tensor. after_step: called with the model after each step, for masks
    and clipping. seed: of the order of the rows, and of dropout.

    Raises: ValueError for a value that is not allowed.
    """

    epochs: int
    batch_size: int = 128
    lr: float = 1e-3
    schedule: str = "constant"
    optimizer: str | Callable[..., torch.optim.Optimizer] = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    regularizer: Regularizer | None = None
    method: str = "prox"
    loss: Loss = F.cross_entropy
    after_step: Callable[[nn.Module], object] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        in_range("epochs", self.epochs, 0, math.inf)
        in_range("batch_size", self.batch_size, 1, math.inf)
        in_range("lr", self.lr, 0, math.inf)
        in_range("momentum", self.momentum, 0, 0.999)
        in_range("weight_decay", self.weight_decay, 0, math.inf)
        one_of("schedule", self.schedule, ("constant", "cosine"))
        one_of("method", self.method, ("prox", "gradient"))
        if not callable(self.optimizer):
            one_of("optimizer", self.optimizer, ("adam", "sgd"))

    def make_optimizer(self, parameters: list[Tensor], **changed: float) -> torch.optim.Optimizer:
        """The optimizer for `parameters`; `changed` replaces lr or weight_decay."""
        lr, decay = changed.get("lr", self.lr), changed.get("weight_decay", self.weight_decay)
        if callable(self.optimizer):
            return self.optimizer(parameters, lr=lr)
        if self.optimizer == "adam":
            return torch.optim.Adam(parameters, lr=lr, weight_decay=decay, fused=True)
        return torch.optim.SGD(parameters, lr=lr, momentum=self.momentum, weight_decay=decay, fused=True)

    def prox_lr(self, lr: float) -> float:
        """The step size of the proximal step.

        With momentum m a constant gradient moves a weight by lr / (1 - m) per step, and the penalty has to keep up, or
        the training would come to rest where the gradient balances (1 - m) lam.
        """
        return lr / (1 - self.momentum) if self.optimizer == "sgd" else lr

    def rate(self, step: int, steps: int) -> float:
        """What lr is multiplied by at a step of so many."""
        return 1.0 if self.schedule == "constant" else (1 + math.cos(math.pi * step / steps)) / 2


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Return `device`, or for "auto" a GPU where there is one and the CPU otherwise.

    Raises: ValueError where CUDA is asked for and not there.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chosen = torch.device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device must be one that this machine has, got {str(device)!r} without CUDA; use device='auto'"
        )
    return chosen


@torch.no_grad()
def evaluate(model: nn.Module, data: Dataset, *, loss: Loss = F.cross_entropy) -> Metrics:
    """Measure a network on the test part of `data`, where the network lies; it is left in the mode it was in.

    Raises: ValueError if the test part is empty.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> evaluate(mlp([64, 10]), load_dataset("digits")).errors > 300
    True
    """
    n = len(data.y_test)
    if not n:
        raise ValueError(f"evaluate needs test rows, but {data.name} has none; use data.split() to hold some out")
    first = next(model.parameters(), None)
    device = torch.device("cpu") if first is None else first.device
    was_training = model.training
    model.eval()
    total, right = 0.0, 0
    try:
        for x, y in zip(data.x_test.split(ROWS_AT_ONCE), data.y_test.split(ROWS_AT_ONCE), strict=True):
            logits, labels = model(x.to(device)), y.to(device)
            total += float(loss(logits, labels)) * len(y)
            right += int((logits.argmax(1) == labels).sum())
    finally:
        model.train(was_training)
    return Metrics(loss=total / n, accuracy=right / n, errors=n - right)


def fit(
    model: nn.Module,
    data: Dataset,
    *,
    epochs: int,
    device: str | torch.device = "auto",
    evaluate_every: int = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **settings: Any,
) -> History:
    """Train a network in place on the training part of `data` and return its history.

    `settings`: those of `Settings` (batch_size, lr, schedule, optimizer, weight_decay, regularizer, method, loss, ...).
    `evaluate_every`: epochs between two looks at the test part; 0 for none. `checkpoint`: a file that is written
    after each epoch, atomically; if it is there already, training goes on from it and ends with the same numbers as if
    it had never stopped. The network trains on `device` and comes back to where it was.

    Raises: ValueError for a setting that is not allowed, a network without parameters, data without rows, or a
    checkpoint of another training; FloatingPointError if the loss is no longer finite.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> _ = torch.manual_seed(0)
    >>> model = mlp([64, 40, 30, 10])
    >>> history = fit(model, load_dataset("digits"), epochs=5, batch_size=32, lr=0.01, progress=False)
    >>> history.test_accuracy[-1] > 0.9
    True
    """
    from tqdm.auto import tqdm

    history = History()
    steps = fit_epochs(
        model, data, epochs=epochs, device=device, evaluate_every=evaluate_every, checkpoint=checkpoint, **settings
    )
    with tqdm(total=epochs, unit="epoch", leave=False, disable=not progress) as bar:
        for history in steps:
            bar.update(len(history) - bar.n)
            bar.set_postfix_str(f"train loss {history[-1].train_loss:.4f}" if history else "", refresh=False)
    return history


def fit_epochs(
    model: nn.Module,
    data: Dataset,
    *,
    epochs: int,
    device: str | torch.device = "auto",
    evaluate_every: int = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Iterator[History]:
    """Train as `fit` does, and yield the growing history at the start and after each epoch.

    Between two epochs the network may be looked at, but not changed.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> for history in fit_epochs(mlp([64, 10]), load_dataset("digits"), epochs=2):
    ...     print(len(history))
    0
    1
    2
    """
    home = next((p.device for p in model.parameters()), torch.device("cpu"))
    target = pick_device(device)
    try:
        training = _Training(model.to(target), data.to(target), Settings(epochs=epochs, **settings))
        if checkpoint is not None and Path(checkpoint).exists():
            training.load(Path(checkpoint))
        yield training.history
        while len(training.history) < epochs:
            number = len(training.history) + 1
            training.epoch(look=evaluate_every > 0 and (number % evaluate_every == 0 or number == epochs))
            if checkpoint is not None:
                training.save(Path(checkpoint))
            yield training.history
    finally:
        model.to(home)


def batches(n: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """The numbers of n rows in a random order, cut into batches; a last one of one row joins the one before.

    Batch normalisation has no variance to divide by in a batch of one.
    """
    parts = list(torch.randperm(n, generator=generator).split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


class _Training:
    """A network, its data and everything that changes while it trains."""

    def __init__(self, model: nn.Module, data: Dataset, settings: Settings) -> None:
        self.model, self.data, self.settings, self.history = model, data, settings, History()
        self.params = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not self.params or not len(data.y_train):
            raise ValueError(
                f"fit needs trainable parameters and training rows, got {len(self.params)} parameters "
                f"and {len(data.y_train)} rows of {data.name}"
            )
        self.device = next(iter(self.params.values())).device
        self.optimizer = settings.make_optimizer(list(self.params.values()))
        self.groups: dict[str, tuple[int, ...] | None] = {}
        if settings.regularizer is not None:
            groups = parameter_groups(model, conv_groups=settings.regularizer.conv_groups)
            self.groups = {name: dim for name, dim in groups.items() if name in self.params}
        self.order = torch.Generator().manual_seed(settings.seed)
        self.random_state: list[Tensor] = []

    def epoch(self, *, look: bool) -> None:
        started = time.perf_counter()
        with self._random_numbers():
            train_loss = self._pass()
        if not math.isfinite(train_loss):
            raise FloatingPointError(
                f"the loss became {train_loss} in epoch {len(self.history) + 1}; take a smaller lr than "
                f"{self.settings.lr:g}, or scale the inputs"
            )
        seen = evaluate(self.model, self.data, loss=self.settings.loss) if look and len(self.data.y_test) else None
        self.history.append(
            Epoch(
                number=len(self.history) + 1,
                train_loss=train_loss,
                test_loss=seen.loss if seen else None,
                test_accuracy=seen.accuracy if seen else None,
                seconds=time.perf_counter() - started,
            )
        )

    def _pass(self) -> float:
        x, y, settings = self.data.x_train, self.data.y_train, self.settings
        parts = batches(len(y), settings.batch_size, self.order)
        done, steps = len(self.history) * len(parts), settings.epochs * len(parts)
        total = torch.zeros((), device=self.device)
        self.model.train()
        for i, rows in enumerate(parts):
            rows = rows.to(self.device, non_blocking=True)
            total += self._step(x[rows], y[rows], settings.lr * settings.rate(done + i, steps)) * len(rows)
        return float(total) / len(y)

    def _step(self, x: Tensor, y: Tensor, lr: float) -> Tensor:
        regularizer = self.settings.regularizer
        loss = objective = self.settings.loss(self.model(x), y)
        if regularizer is not None and self.settings.method == "gradient":
            objective = loss + regularizer.penalty(self.params, self.groups)
        self.optimizer.zero_grad()
        objective.backward()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        if regularizer is not None and self.settings.method == "prox":
            regularizer.prox_params_(self.params, self.groups, lr=self.settings.prox_lr(lr))
        if self.settings.after_step is not None:
            self.settings.after_step(self.model)
        return loss.detach()

    @contextmanager
    def _random_numbers(self) -> Iterator[None]:
        """Dropout draws from a stream of this training, and the caller's own stream is not touched."""
        gpu = self.device.type == "cuda"
        with torch.random.fork_rng([self.device] if gpu else []):
            if self.random_state:
                torch.set_rng_state(self.random_state[0])
                if gpu:
                    torch.cuda.set_rng_state(self.random_state[1], self.device)
            else:
                torch.manual_seed(self.settings.seed)
            yield
            self.random_state = [torch.get_rng_state()]
            if gpu:
                self.random_state.append(torch.cuda.get_rng_state(self.device))

    def save(self, path: Path) -> None:
        state = {
            "history": [asdict(epoch) for epoch in self.history],
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "random_state": self.random_state,
        }
        save_checkpoint(path, state, fingerprint=self._fingerprint())

    def load(self, path: Path) -> None:
        state = load_checkpoint(path, fingerprint=self._fingerprint())
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.set_state(state["order"])
        self.random_state = state["random_state"]
        self.history[:] = [Epoch(**epoch) for epoch in state["history"]]

    def _fingerprint(self) -> dict[str, str]:
        """What must be the same for a resumed training to be the same training."""
        settings = {f.name: _spelled(getattr(self.settings, f.name)) for f in fields(self.settings)}
        if self.settings.schedule == "constant":
            settings.pop("epochs")  # a longer training begins like a shorter one
        shapes = {name: list(p.shape) for name, p in self.model.named_parameters()}
        rows: Any = self.data.x_train.detach().cpu().contiguous().numpy()
        return settings | {
            "network": str(shapes),
            "data": f"{self.data.name} {list(rows.shape)} {zlib.crc32(rows):08x}",
        }


def _spelled(value: object) -> str:
    """A setting as text that is the same in the next process; a function is known by its name."""
    if isinstance(value, Regularizer):
        return ", ".join(f"{f.name}={_spelled(getattr(value, f.name))}" for f in fields(value))
    return getattr(value, "__qualname__", None) or repr(value)
