"""One training, step by step: `Training.step` is the step of gradient descent, `Training.epoch` a pass over the rows.

The same seed gives the same network, also when the training was killed and resumed from its checkpoint. Where the
memory is too small for a batch, its gradient is summed over parts of it. Where numbers are no longer finite, the
network goes back to where it was before the epoch.
"""

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.methods.penalties import parameter_groups
from course_utils.train.batches import batches, parts_of_batch
from course_utils.train.checkpoint import (
    Fingerprint,
    check_fingerprint,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from course_utils.train.evaluation import evaluate
from course_utils.train.history import Epoch, History
from course_utils.train.not_finite import (
    NotFiniteError,
    check_labels,
    check_losses,
    check_outputs,
    check_weights,
    remedy,
)
from course_utils.train.out_of_memory import attempt, halved
from course_utils.train.settings import Settings

__all__ = ["CHECK_EVERY", "Training"]

CHECK_EVERY = 50  # steps; reading the loss waits for the device


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
        self.rows_at_once: int | None = None  # the rows of a part, where the memory is too small for a complete batch
        normalises = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
        self.minimum_rows = 2 if normalises else 1
        self.fingerprint = Fingerprint({}, {})

    def step(self, rows: Tensor, *, number: int, steps: int) -> Tensor:
        """Take step `number` of `steps` on a batch of rows, and return the sum of their losses.

        w <- w - eta dJ/dw by the optimizer (lecture, (4)), then the proximal step of the penalty.
        """
        settings = self.settings
        lr = settings.lr * settings.rate(number, steps)
        self.optimizer.zero_grad()
        losses = [
            self._backward(part, len(part) / len(rows)) * len(part)
            for part in parts_of_batch(rows, at_most=self.rows_at_once, minimum=self.minimum_rows)
        ]
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        if settings.regularizer is not None and settings.method == "prox":
            settings.regularizer.prox_params_(self.params, self.groups, lr=settings.prox_lr(lr))
        if settings.after_step is not None:
            settings.after_step(self.model)
        return sum(losses[1:], losses[0])

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

    def epoch(self, *, evaluated: bool, pause_every: float | None = None) -> Iterator[None]:
        """Train for one epoch, or leave everything as it was before and raise what `fit` raises.

        `pause_every`: seconds after which a step is followed by a pause, in which others may draw random numbers.
        """
        started = time.perf_counter()
        before = _copied(self.state())
        try:
            train_loss = yield from self._complete_pass(before, pause_every)
            metrics = None
            if evaluated and len(self.data.y_test):
                metrics = evaluate(self.model, self.data, loss=self.settings.loss)
        except BaseException:  # an interruption too, and the end in a pause: training goes on where a checkpoint is
            self.restore(before)
            raise
        self.history.append(
            Epoch(
                number=len(self.history) + 1,
                train_loss=train_loss,
                test_loss=metrics.loss if metrics else None,
                test_accuracy=metrics.accuracy if metrics else None,
                seconds=time.perf_counter() - started,
            )
        )

    def _complete_pass(self, before: dict[str, Any], pause_every: float | None) -> Generator[None, None, float]:
        """Take the steps of an epoch, in smaller parts where the memory is short, and return the mean loss."""
        try:
            while True:
                one_pass = Pass(self)
                while (over := attempt(partial(one_pass.go_on, pause_every))) is False:
                    yield
                if over:
                    return one_pass.mean_loss()
                self.restore(before)
                rows = self.rows_at_once or min(self.settings.batch_size, len(self.data.y_train))
                self.rows_at_once = halved(rows, minimum=self.minimum_rows, work=f"training on {self.data.name}")
        except NotFiniteError as error:
            self.restore(before)
            began = bool(self.history) or error.step > 1
            help_ = remedy(self.data, self.settings, self.params, steps_taken=began)
            raise FloatingPointError(
                f"training is no longer finite since step {error.step} of epoch {len(self.history) + 1}: "
                f"{error.numbers}; {help_} (the network is as it was before "
                "that epoch)"
            ) from None

    @contextmanager
    def random_numbers(self) -> Iterator[None]:
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
        """Go back to a `state`."""
        self.optimizer.zero_grad()
        self.optimizer.state.clear()  # the old one beside the new one may be more than the memory holds
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(_copied(state["optimizer"]))  # which may keep what it is given
        self.order.set_state(state["order"])
        self.random_state = state["random_state"]

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        state = self.state() | {"at_once": self.rows_at_once, "history": [asdict(epoch) for epoch in self.history]}
        save_checkpoint(path, state, fingerprint=self.fingerprint)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint where there is one; one that is refused changes nothing."""
        self.fingerprint = fingerprint(self.model, self.data, self.settings)
        if not path.exists():
            return
        checkpoint = load_checkpoint(path)
        check_fingerprint(path, checkpoint, self.fingerprint)
        self.fingerprint, state = checkpoint
        if len(state["history"]) > self.settings.epochs:
            raise ValueError(
                f"{path} is the checkpoint of {len(state['history'])} epochs, got epochs={self.settings.epochs}; ask "
                "for as many or more, or use another file"
            )
        self.restore(state)
        self.rows_at_once = state["at_once"]
        self.history[:] = [Epoch(**epoch) for epoch in state["history"]]


class Pass:
    """One pass over the training rows, a batch at a time."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.batches = batches(len(training.data.y_train), training.settings.batch_size, training.order)
        self.done = len(training.history) * len(self.batches)
        self.taken = 0
        self.total, self.unchecked = torch.zeros((), device=training.device), list[Tensor]()
        training.model.train()

    def go_on(self, seconds: float | None) -> bool:
        """Take steps for so long, or all that are left; whether none is left.

        Raises: NotFiniteError as soon as the loss is checked, or at the end if only weights are not finite.
        """
        training, steps = self.training, len(self.batches)
        until = time.perf_counter() + (math.inf if seconds is None else seconds)
        with training.random_numbers():
            for rows in self.batches[self.taken :]:
                rows = rows.to(training.device, non_blocking=True)
                loss = training.step(rows, number=self.done + self.taken, steps=training.settings.epochs * steps)
                self.taken += 1
                self.total = self.total + loss
                self.unchecked.append(self.total)
                if len(self.unchecked) == CHECK_EVERY or self.taken == steps:
                    check_losses(self.unchecked, last_step=self.taken)
                    self.unchecked.clear()
                if time.perf_counter() >= until:
                    break
        if self.taken < steps:
            return False
        check_weights(training.params, step=steps)
        return True

    def mean_loss(self) -> float:
        """The mean loss of all rows, each at its own step."""
        return float(self.total) / len(self.training.data.y_train)


def _copied(state: Any) -> Any:
    """A copy of a state in the memory of the CPU, which is not short of it."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    return [_copied(value) for value in state] if isinstance(state, list) else state
