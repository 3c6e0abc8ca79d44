"""Training and evaluation: `fit` is mini-batch gradient descent (lecture, (3) and (4)), with proximal steps for zeros.

The data lie as tensors on the device, and an epoch is a loop over batches, never over samples. `fit_epochs` is the same
training as a generator, for pictures that move while it runs. The same seed gives the same network, also when the
training was killed and resumed from its checkpoint. Where the memory is too small for a batch, its gradient is summed
over parts of it. A training whose numbers are no longer finite stops, and says which setting or datum is to blame.
"""

import math
import os
import re
import time
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.methods.penalties import Regularizer, parameter_groups
from course_utils.train.checkpoint import load_checkpoint, save_checkpoint
from course_utils.train.history import Epoch, History
from course_utils.train.not_finite import all_finite, blame, check_labels, check_outputs
from course_utils.train.out_of_memory import attempt, halved, in_parts, split
from course_utils.train.settings import Loss, Settings

__all__ = ["Epoch", "History", "Metrics", "Settings", "evaluate", "fit", "fit_epochs", "pick_device"]

CHECK_EVERY = 50  # steps; a look at the loss waits for the device
ROWS_AT_ONCE = 2048  # in an evaluation: enough to keep a device busy, few enough for the memory of a small machine


@dataclass(frozen=True)
class Metrics:
    """What `evaluate` found: the mean loss, the share of right answers and the number of wrong ones."""

    loss: float
    accuracy: float
    errors: int


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Return `device`, or for "auto" a GPU where there is one and the CPU otherwise.

    Raises: ValueError where another device is asked for than torch knows or this machine has.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device must be one that torch knows, such as 'cpu' or 'cuda', got {device!r}") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device must be one that this machine has, got {str(device)!r} without CUDA; use device='auto'"
        )
    if chosen.type not in ("cpu", "cuda"):
        try:
            torch.zeros(1, device=chosen).add(1).cpu()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(
                f"device must be one that this machine computes on, got {str(device)!r}; use device='auto'"
            ) from error
    return chosen


@torch.no_grad()
def evaluate(model: nn.Module, data: Dataset, *, loss: Loss = F.cross_entropy) -> Metrics:
    """Measure a network on the test part of `data`, where the network lies; it is left in the mode it was in.

    Raises: ValueError if the test part is empty; torch.OutOfMemoryError if the memory is too small for one row.

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

    def look(rows: slice) -> tuple[float, int]:
        logits, labels = model(data.x_test[rows].to(device)), data.y_test[rows].to(device)
        return float(loss(logits, labels)) * len(labels), int((logits.argmax(1) == labels).sum())

    try:
        found = list(in_parts(look, n, at_once=ROWS_AT_ONCE, name=f"an evaluation on {data.name}"))
    finally:
        model.train(was_training)
    right = sum(count for _, count in found)
    return Metrics(loss=sum(total for total, _ in found) / n, accuracy=right / n, errors=n - right)


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
    it had never stopped. Whoever is killed loses an epoch at most. The network trains on `device` and comes back to
    where it was.

    If the memory is too small for a batch, the epoch is trained again with each batch in parts whose gradients are
    summed, half as large until they fit, and so it stays. That is the same step up to rounding, for a loss that is a
    mean over rows. Batch normalisation sees the smaller parts, and dropout draws other masks.

    Training stops within `CHECK_EVERY` steps of a loss that is not finite, or after the epoch if only weights are not,
    and is looked at again for what is to blame. The network is left as it was after the last epoch that went well, and
    no checkpoint ever holds weights that are not finite.

    Raises: ValueError for a setting that is not allowed, a network without parameters, data without rows, labels that
    are no classes (with the cross-entropy), or a checkpoint of another training; FloatingPointError if the loss or the
    weights are no longer finite, with the setting or datum that is to blame; torch.OutOfMemoryError if even one row
    does not fit.

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
        moved = attempt(lambda: (model.to(target), data.to(target)))
        if moved is None:
            raise torch.OutOfMemoryError(
                f"{data.name} and the network do not fit into the memory of {target}; use device='cpu', or a subset()"
            )
        training = Training(*moved, Settings(epochs=epochs, **settings))
        if checkpoint is not None:
            training.resume(Path(checkpoint))
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


class Training:
    """A network, its data and everything that changes while it trains."""

    def __init__(self, model: nn.Module, data: Dataset, settings: Settings) -> None:
        self.model, self.data, self.settings, self.history = model, data, settings, History()
        self.params = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not self.params or not len(data.y_train):
            raise ValueError(
                f"fit needs trainable parameters and training rows, got {len(self.params)} parameters "
                f"and {len(data.y_train)} rows of {data.name}"
            )
        if settings.loss is F.cross_entropy:
            check_labels(data)
        self.device = next(iter(self.params.values())).device
        self.optimizer = settings.make_optimizer(list(self.params.values()))
        self.groups: dict[str, tuple[int, ...] | None] = {}
        if settings.regularizer is not None:
            groups = parameter_groups(model, conv_groups=settings.regularizer.conv_groups)
            self.groups = {name: dim for name, dim in groups.items() if name in self.params}
        self.order = torch.Generator().manual_seed(settings.seed)
        self.random_state: list[Tensor] = []
        self.at_once: int | None = None  # the rows of a part, where the memory is too small for a whole batch
        self.least = 2 if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules()) else 1
        self.start: dict[str, Any] = {}
        self.fingerprint: dict[str, str] = {}

    def epoch(self, *, look: bool) -> None:
        """Train for one epoch, or leave everything as it was before and raise what `fit` raises."""
        started = time.perf_counter()
        before = copied(self.state())
        self.start = self.start or before
        while (train_loss := attempt(self._pass)) is None:
            self.restore(before)
            rows = self.at_once or min(self.settings.batch_size, len(self.data.y_train))
            self.at_once = halved(rows, least=self.least, work=f"training on {self.data.name}")
        if not math.isfinite(train_loss):
            self.restore(before)
            epoch, reason = len(self.history) + 1, self.reason(before)
            raise FloatingPointError(
                f"training is no longer finite in epoch {epoch}: {reason} (the network is as it was before that epoch)"
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
        """Take the steps of an epoch and return the mean loss; NaN where it or the weights are not finite."""
        total = torch.zeros(())
        with self._random_numbers():
            for number, total in enumerate(self._steps(), 1):
                if number % CHECK_EVERY == 0 and not math.isfinite(total):
                    return math.nan
        return float(total) / len(self.data.y_train) if all_finite(self.params.values()) else math.nan

    def _steps(self) -> Iterator[Tensor]:
        """Take the steps of an epoch one by one, and yield the sum of the losses of all rows so far."""
        parts = batches(len(self.data.y_train), self.settings.batch_size, self.order)
        done, steps = len(self.history) * len(parts), self.settings.epochs * len(parts)
        total = torch.zeros((), device=self.device)
        self.model.train()
        for i, rows in enumerate(parts):
            self._step(rows.to(self.device, non_blocking=True), done + i, steps, total)
            yield total

    def _step(self, rows: Tensor, number: int, steps: int, total: Tensor) -> None:
        settings = self.settings
        lr = settings.lr * settings.rate(number, steps)
        self.optimizer.zero_grad()
        for part in split(rows, self.at_once, self.least):
            total += self._backward(part, len(part) / len(rows)) * len(part)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        if settings.regularizer is not None and settings.method == "prox":
            settings.regularizer.prox_params_(self.params, self.groups, lr=settings.prox_lr(lr))
        if settings.after_step is not None:
            settings.after_step(self.model)

    def _backward(self, rows: Tensor, share: float) -> Tensor:
        """Add the gradient of these rows, which are this `share` of a batch, and return their mean loss."""
        settings = self.settings
        outputs, labels = self.model(self.data.x_train[rows]), self.data.y_train[rows]
        if settings.loss is F.cross_entropy and outputs.shape[-1] < self.data.classes:
            check_outputs(outputs.shape[-1], self.data)
        loss = objective = settings.loss(outputs, labels)
        if settings.regularizer is not None and settings.method == "gradient":
            objective = loss + settings.regularizer.penalty(self.params, self.groups)
        (objective if share == 1 else objective * share).backward()
        return loss.detach()

    def reason(self, before: dict[str, Any]) -> str:
        """What is to blame when the epoch that begins at the state `before`, where the training is, goes wrong."""
        losses = self.history.train_loss
        grown = bool(losses) and losses[-1] > 10 * min(losses)  # then the weights of `before` are spoilt already
        return blame(
            self.model,
            self.data,
            self.settings,
            epoch=partial(self._trial, before, before),
            longer=partial(self._trial, self.start if grown else before, before),
            epoch_steps=len(batches(len(self.data.y_train), self.settings.batch_size, torch.Generator())),
        )

    def _trial(
        self, start: dict[str, Any], end: dict[str, Any], data: Dataset | None = None, **changed: Any
    ) -> Generator[Tensor]:
        """The steps from a state on, without an end, with other data or settings; at last the state is put to `end`."""
        own = self.data, self.settings
        self.data, self.settings = data or self.data, replace(self.settings, **changed)
        self.restore(start)
        for group in self.optimizer.param_groups if "weight_decay" in changed else ():  # it came back with the state
            group["weight_decay"] = changed["weight_decay"]
        try:
            with self._random_numbers():
                while True:
                    yield from self._steps()
        finally:
            self.data, self.settings = own
            self.restore(end)

    @contextmanager
    def _random_numbers(self) -> Iterator[None]:
        """Dropout draws from a stream of this training, and the caller's own stream is not touched."""
        gpu = self.device.type == "cuda"
        with torch.random.fork_rng([self.device] if gpu else []):
            if self.random_state:
                torch.set_rng_state(self.random_state[0])
                if gpu and len(self.random_state) > 1:
                    torch.cuda.set_rng_state(self.random_state[1], self.device)
                elif gpu:  # begun on the CPU: dropout draws other masks from here on
                    torch.cuda.manual_seed(self.settings.seed)
            else:
                torch.manual_seed(self.settings.seed)
            yield
            self.random_state = [torch.get_rng_state()]
            if gpu:
                self.random_state.append(torch.cuda.get_rng_state(self.device))

    def state(self) -> dict[str, Any]:
        """What an epoch changes, beside the history."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "random_state": self.random_state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.optimizer.zero_grad()
        self.optimizer.state.clear()  # the old one beside the new one may be more than the memory holds
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(copied(state["optimizer"]))  # which may keep what it is given
        self.order.set_state(state["order"])
        self.random_state = state["random_state"]

    def save(self, path: Path) -> None:
        state = self.state() | {"at_once": self.at_once, "history": [asdict(epoch) for epoch in self.history]}
        save_checkpoint(path, state, fingerprint=self.fingerprint)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint where there is one; one that is refused changes nothing."""
        self.fingerprint = self._fingerprint()  # of the start: what a network prints of itself may change as it learns
        if not path.exists():
            return
        state = load_checkpoint(path, fingerprint=self.fingerprint)
        if len(state["history"]) > self.settings.epochs:
            raise ValueError(
                f"{path} is the checkpoint of {len(state['history'])} epochs, got epochs={self.settings.epochs}; ask "
                "for as many or more, or use another file"
            )
        self.restore(state)
        self.at_once = state["at_once"]
        self.history[:] = [Epoch(**epoch) for epoch in state["history"]]

    def _fingerprint(self) -> dict[str, str]:
        """What must be the same for a resumed training to be the same training."""
        settings = {f.name: _spelled(getattr(self.settings, f.name)) for f in fields(self.settings)}
        if self.settings.schedule == "constant":
            settings.pop("epochs")  # a longer training begins like a shorter one
        shapes = {name: list(p.shape) for name, p in self.model.named_parameters()}
        return settings | {
            "network": str(shapes),
            "layers": _spelled(self.model),
            "data": f"{self.data.name} {list(self.data.x_train.shape)} {_crc(self.data.x_train)}",
            "labels": _crc(self.data.y_train),
        }


def _crc(values: Tensor) -> str:
    numbers: Any = values.detach().cpu().contiguous().numpy()
    return f"{zlib.crc32(numbers):08x}"


def _spelled(value: object) -> str:
    """A setting as text that is the same in the next process; a function is known by its name and its code."""
    if isinstance(value, Regularizer):
        return ", ".join(f"{f.name}={_spelled(getattr(value, f.name))}" for f in fields(value))
    if isinstance(value, partial):
        given = [*map(_spelled, value.args), *(f"{name}={_spelled(each)}" for name, each in value.keywords.items())]
        return f"{_spelled(value.func)}({', '.join(given)})"
    text = getattr(value, "__qualname__", None) or re.sub(" at 0x[0-9a-fA-F]+|\\s+", " ", repr(value))
    code = getattr(value, "__code__", None)
    if code is None:
        return text
    numbers = [each for each in code.co_consts if isinstance(each, int | float | str)]
    return f"{text} {zlib.crc32(code.co_code + repr(numbers).encode()):08x}"


def copied(state: Any) -> Any:
    """A copy of a state in the memory of the CPU, which is not short of it."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    return [copied(value) for value in state] if isinstance(state, list) else state
