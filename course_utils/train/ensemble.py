"""Many small networks trained as one: `fit_many` trains a path of settings in one batched run.

A small network keeps a processor busy with overhead, not with arithmetic. Stacked into parameters of shape (S, ...), S
networks take one step together, and each of them comes out as `fit` alone would have trained it.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.methods.penalties import Regularizer, parameter_groups
from course_utils.train.batches import batches
from course_utils.train.device import pick_device
from course_utils.train.evaluation import ROWS_AT_ONCE
from course_utils.train.history import Epoch, History
from course_utils.train.not_finite import all_finite, check_labels, check_outputs, remedy
from course_utils.train.settings import Settings
from course_utils.train.stacked import seeded, stacked_cross_entropy, stacked_forward
from course_utils.train.training import CHECK_EVERY

__all__ = ["fit_many"]

DIFFERING = ("seed", "lr", "weight_decay", "regularizer")  # the settings that may differ from network to network


def fit_many(
    make_model: Callable[[], nn.Module],
    data: Dataset,
    *,
    settings: Sequence[Mapping[str, Any]],
    epochs: int,
    device: str | torch.device = "auto",
    evaluate_every: int = 1,
    progress: bool = True,
    **common: Any,
) -> list[tuple[nn.Module, History]]:
    """Train one network per entry of `settings` and return them with their histories, in the same order.

    An entry may set seed, lr, weight_decay and regularizer; `common` sets the rest for all, see `Settings`. Network s
    is what `torch.manual_seed(seed); model = make_model(); fit(model, data, seed=seed, ...)` gives, up to rounding (and
    up to the draws of dropout). A multilayer perceptron is computed by batched matrix products, any other network
    through torch.func.vmap. An epoch's `seconds` are its share of the common time.

    Raises: ValueError for no settings, one that may not differ, a network with batch normalisation, or wrong labels;
    FloatingPointError if a loss or weights are no longer finite, with the number of each such network, and what usually
    helps.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> from course_utils.methods.penalties import active_neurons
    >>> digits, path = load_dataset("digits"), [{"regularizer": Regularizer("group", lam=lam)} for lam in (0.0, 0.001)]
    >>> common = {"epochs": 8, "optimizer": "sgd", "lr": 0.1, "progress": False}
    >>> [active_neurons(model)[0] for model, _ in fit_many(lambda: mlp([64, 20, 10]), digits, settings=path, **common)]
    [64, 47]
    """
    from tqdm.auto import tqdm

    plans = [Settings(epochs=epochs, **(common | _differing(entry))) for entry in settings]
    if not plans or any(plan.after_step is not None for plan in plans):
        raise ValueError(
            "fit_many needs one or more settings and no after_step, which is for one network; train those with fit()"
        )
    stack = _Stack(make_model, data.to(pick_device(device)), plans)
    for number in tqdm(range(1, epochs + 1), unit="epoch", leave=False, disable=not progress):
        stack.epoch(evaluated=evaluate_every > 0 and (number % evaluate_every == 0 or number == epochs))
    return stack.networks()


def _differing(entry: Mapping[str, Any]) -> dict[str, Any]:
    if wrong := sorted(entry.keys() - set(DIFFERING)):
        raise ValueError(
            f"an entry of settings may set {', '.join(DIFFERING)}, got {', '.join(wrong)}; what is the same for all "
            "networks goes beside settings"
        )
    return dict(entry)


@dataclass(frozen=True)
class _Part:
    """Neighbouring networks whose regularizers differ in nothing but their numbers."""

    rows: slice
    regularizer: Regularizer


class _Stack:
    """S networks with their parameters stacked into (S, ...)."""

    def __init__(self, make_model: Callable[[], nn.Module], data: Dataset, plans: list[Settings]) -> None:
        if plans[0].loss is F.cross_entropy:
            check_labels(data)
        # Networks of one kind of penalty lie side by side, so that a slice of the stack is a view of them.
        self.places = sorted(range(len(plans)), key=lambda i: _kind(plans[i].regularizer))
        self.plans = [plans[i] for i in self.places]
        self.data, self.common = data, plans[0]
        self.models = [seeded(make_model, plan.seed) for plan in self.plans]
        self.histories = [History() for _ in self.plans]
        device = data.x_train.device
        named = [dict(model.named_parameters()) for model in self.models]
        self.params = {
            name: torch.stack([p[name].detach() for p in named]).to(device).requires_grad_(first.requires_grad)
            for name, first in named[0].items()
        }
        self.trainable = {name: p for name, p in self.params.items() if p.requires_grad}
        self.forward = stacked_forward(self.models[0].to(device))
        standard = self.common.loss is F.cross_entropy
        self.loss = _mean_cross_entropy if standard else torch.vmap(self.common.loss)
        self._prepare_steps(device)

    def _prepare_steps(self, device: torch.device) -> None:
        plans = self.plans
        self.orders = [torch.Generator().manual_seed(plan.seed) for plan in plans]
        if len({plan.seed for plan in plans}) == 1:
            self.orders = self.orders[:1]  # all networks see the same batches
        self.lr = torch.tensor([plan.lr for plan in plans], device=device)
        self.decay = torch.tensor([plan.weight_decay for plan in plans], device=device)
        self.top_lr = max(plan.lr for plan in plans)
        self.same_lr, self.same_decay = bool((self.lr == self.lr[0]).all()), bool((self.decay == self.decay[0]).all())
        decay = plans[0].weight_decay if self.same_decay else 0.0
        settings = replace(self.common, lr=self.top_lr, weight_decay=decay)
        self.optimizer = settings.make_optimizer(list(self.trainable.values()))
        self.groups: dict[str, tuple[int, ...] | None] = {}
        self.parts: list[_Part] = []
        for kind, rows in groupby(range(len(plans)), key=lambda i: _kind(plans[i].regularizer)):
            members = list(rows)
            if kind:
                regularizers = [r for i in members if (r := plans[i].regularizer) is not None]
                part = _Part(slice(members[0], members[-1] + 1), Regularizer.stack(regularizers))
                groups = parameter_groups(self.models[0], conv_groups=part.regularizer.conv_groups)
                self.groups = {name: dim for name, dim in groups.items() if name in self.trainable}
                self.parts.append(part)

    def epoch(self, *, evaluated: bool) -> None:
        started = time.perf_counter()
        train_loss = self._pass()
        if bad := self._not_finite(train_loss):
            remedies = {s: remedy(self.data, self.plans[self.places.index(s)]) for s in bad}
            sentence = "; ".join(f"network {s}: {text}" for s, text in remedies.items())
            if len(set(remedies.values())) == 1:
                sentence = remedies[bad[0]]
            raise FloatingPointError(
                f"training is no longer finite in epoch {len(self.histories[0]) + 1} of the networks {bad}: {sentence}"
            )
        metrics: list[tuple[float, float]] | None = None
        if evaluated and len(self.data.y_test):
            metrics = self._evaluate()
        seconds = (time.perf_counter() - started) / len(self.plans)
        for i, history in enumerate(self.histories):
            loss, accuracy = metrics[i] if metrics else (None, None)
            history.append(Epoch(len(history) + 1, train_loss[i], loss, accuracy, seconds))

    def _pass(self) -> list[float]:
        """Take the steps of an epoch, and return the mean loss of each network."""
        x, y = self.data.x_train, self.data.y_train
        orders = [batches(len(y), self.common.batch_size, order) for order in self.orders]
        steps = self.common.epochs * len(orders[0])
        done = len(self.histories[0]) * len(orders[0])
        total = torch.zeros(len(self.plans), device=x.device)
        for module in self.models[0].modules():
            module.training = True
        for i, parts in enumerate(zip(*orders, strict=True)):
            rows = (parts[0] if len(parts) == 1 else torch.stack(parts)).to(x.device, non_blocking=True)
            total += self._step(x[rows], y[rows], self.common.rate(done + i, steps)) * rows.shape[-1]
            if i % CHECK_EVERY == CHECK_EVERY - 1 and not all_finite([total]):
                break
        return (total / len(y)).tolist()

    def _not_finite(self, train_loss: list[float]) -> list[int]:
        """The numbers of the networks whose loss or weights are not finite."""
        finite = [math.isfinite(loss) for loss in train_loss]
        if not all_finite(self.trainable.values()):
            weights = [torch.isfinite(p.detach()).flatten(1).all(1) for p in self.trainable.values()]
            finite = [a and b for a, b in zip(finite, torch.stack(weights).all(0).tolist(), strict=True)]
        return sorted(place for place, is_finite in zip(self.places, finite, strict=True) if not is_finite)

    def _step(self, x: Tensor, y: Tensor, rate: float) -> Tensor:
        """Take one step with all networks, and return the mean loss of each."""
        logits = self.forward(self.params, x, len(self.orders) > 1)  # (S, batch, classes)
        if self.common.loss is F.cross_entropy and logits.shape[-1] < self.data.classes:
            check_outputs(logits.shape[-1], self.data)
        losses = self.loss(logits, y.expand(logits.shape[:2]))  # (S,)
        objective = losses.sum()
        by_gradient = self.common.method == "gradient"
        if by_gradient:
            for part in self.parts:
                objective = objective + part.regularizer.penalty(self._views(part.rows), self.groups).sum()
        self.optimizer.zero_grad()
        objective.backward()
        self._update(rate)
        if not by_gradient:
            for part in self.parts:
                lr = self.lr[part.rows] * self.common.prox_lr(rate)
                part.regularizer.prox_params_(self._views(part.rows), self.groups, lr=lr)
        return losses.detach()

    def _views(self, rows: slice) -> dict[str, Tensor]:
        return {name: p[rows] for name, p in self.trainable.items()}

    @torch.no_grad()
    def _update(self, rate: float) -> None:
        """A step of the optimizer, with a learning rate and a decay of its own for each network."""
        if not self.same_decay:
            for p in self.trainable.values():
                if p.grad is not None:
                    p.grad += p * _column(self.decay, p)
        before = {} if self.same_lr else {name: p.clone() for name, p in self.trainable.items()}
        for group in self.optimizer.param_groups:
            group["lr"] = self.top_lr * rate
        self.optimizer.step()
        for name, old in before.items():  # an optimizer's step is proportional to its learning rate
            p = self.trainable[name]
            p.copy_(torch.lerp(old, p, _column(self.lr / self.top_lr, p)))

    @torch.no_grad()
    def _evaluate(self) -> list[tuple[float, float]]:
        """The test loss and the test accuracy of each network."""
        n = len(self.data.y_test)
        loss = torch.zeros(len(self.plans), dtype=torch.float64, device=self.lr.device)
        correct = torch.zeros_like(loss)
        for module in self.models[0].modules():
            module.training = False
        for x, y in zip(self.data.x_test.split(ROWS_AT_ONCE), self.data.y_test.split(ROWS_AT_ONCE), strict=True):
            logits = self.forward(self.params, x, False)
            labels = y.expand(logits.shape[:2])
            loss += self.loss(logits, labels) * len(y)
            correct += (logits.argmax(-1) == labels).sum(1)
        return list(zip((loss / n).tolist(), (correct / n).tolist(), strict=True))

    def networks(self) -> list[tuple[nn.Module, History]]:
        """The trained networks with their histories, in the order of the settings."""
        trained: dict[int, tuple[nn.Module, History]] = {}
        for i, (place, model) in enumerate(zip(self.places, self.models, strict=True)):
            with torch.no_grad():
                for name, p in model.cpu().named_parameters():
                    p.copy_(self.params[name][i])
            trained[place] = (model.train(), self.histories[i])
        return [trained[place] for place in sorted(trained)]


def _kind(regularizer: Regularizer | None) -> str:
    """The same text for regularizers that can be stacked; empty for none."""
    if regularizer is None:
        return ""
    return f"{regularizer.kind} {regularizer.conv_groups} {id(regularizer.prox)}"


def _mean_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return stacked_cross_entropy(logits, labels).mean(1)


def _column(numbers: Tensor, p: Tensor) -> Tensor:
    return numbers.to(p.dtype).view(-1, *[1] * (p.ndim - 1))
