"""Many small networks trained as one: `fit_many` trains a whole path of settings in one batched run.

A small network keeps a processor busy with overhead, not with arithmetic. Stacked into parameters of shape (S, ...), S
networks take one step together, and each of them comes out as `fit` alone would have trained it.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.methods.penalties import Regularizer, parameter_groups
from course_utils.train.history import Epoch, History
from course_utils.train.loop import CHECK_EVERY, ROWS_AT_ONCE, Training, batches, copied, pick_device
from course_utils.train.not_finite import all_finite, check_labels, check_outputs, unusable_inputs
from course_utils.train.settings import Settings

__all__ = ["fit_many", "seeded", "stacked_forward"]

OWN = ("seed", "lr", "weight_decay", "regularizer")  # what may differ from network to network
ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Identity)

Forward = Callable[[Mapping[str, Tensor], Tensor, bool], Tensor]


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
    FloatingPointError if a loss or weights are no longer finite, with the number of each such network, and what is to
    blame.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> from course_utils.methods.penalties import active_neurons
    >>> digits, path = load_dataset("digits"), [{"regularizer": Regularizer("group", lam=lam)} for lam in (0.0, 0.001)]
    >>> common = {"epochs": 8, "optimizer": "sgd", "lr": 0.1, "progress": False}
    >>> [active_neurons(model)[0] for model, _ in fit_many(lambda: mlp([64, 20, 10]), digits, settings=path, **common)]
    [64, 47]
    """
    from tqdm.auto import tqdm

    plans = [Settings(epochs=epochs, **{**common, **_own(each)}) for each in settings]
    if not plans or any(p.after_step is not None for p in plans):
        raise ValueError(
            "fit_many needs one or more settings and no after_step, which is for one network; train those with fit()"
        )
    stack = _Stack(make_model, data.to(pick_device(device)), plans)
    for number in tqdm(range(1, epochs + 1), unit="epoch", leave=False, disable=not progress):
        stack.epoch(look=evaluate_every > 0 and (number % evaluate_every == 0 or number == epochs))
    return stack.networks()


def _own(each: Mapping[str, Any]) -> dict[str, Any]:
    if wrong := sorted(each.keys() - set(OWN)):
        raise ValueError(
            f"an entry of settings may set {', '.join(OWN)}, got {', '.join(wrong)}; what is the same for all networks "
            "goes beside settings"
        )
    return dict(each)


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
        self.start: dict[str, Any] = {}
        device = data.x_train.device
        named = [dict(model.named_parameters()) for model in self.models]
        self.params = {
            name: torch.stack([p[name].detach() for p in named]).to(device).requires_grad_(first.requires_grad)
            for name, first in named[0].items()
        }
        self.moving = {name: p for name, p in self.params.items() if p.requires_grad}
        self.forward = stacked_forward(self.models[0].to(device))
        own_loss = self.common.loss is not F.cross_entropy
        self.loss = torch.vmap(self.common.loss) if own_loss else _cross_entropy
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
        self.optimizer = self.common.make_optimizer(list(self.moving.values()), lr=self.top_lr, weight_decay=decay)
        self.groups: dict[str, tuple[int, ...] | None] = {}
        self.parts: list[_Part] = []
        for kind, rows in groupby(range(len(plans)), key=lambda i: _kind(plans[i].regularizer)):
            members = list(rows)
            if kind:
                regularizers = [r for i in members if (r := plans[i].regularizer) is not None]
                part = _Part(slice(members[0], members[-1] + 1), Regularizer.stack(regularizers))
                groups = parameter_groups(self.models[0], conv_groups=part.regularizer.conv_groups)
                self.groups = {name: dim for name, dim in groups.items() if name in self.moving}
                self.parts.append(part)

    def epoch(self, *, look: bool) -> None:
        started = time.perf_counter()
        before = copied(self._state())
        self.start = self.start or before
        train_loss = self._pass()
        if bad := self._not_finite(train_loss):
            reasons = unusable_inputs(self.data) or "; ".join(f"network {s}: {self._reason(s, before)}" for s in bad)
            raise FloatingPointError(
                f"training is no longer finite in epoch {len(self.histories[0]) + 1} of the networks {bad}: {reasons}"
            )
        seen: list[tuple[float, float]] | None = self._evaluate() if look and len(self.data.y_test) else None
        seconds = (time.perf_counter() - started) / len(self.plans)
        for i, history in enumerate(self.histories):
            loss, accuracy = seen[i] if seen else (None, None)
            history.append(Epoch(len(history) + 1, train_loss[i], loss, accuracy, seconds))

    def _pass(self) -> list[float]:
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

    def _state(self) -> dict[str, Any]:
        return {
            "params": dict(self.params),
            "optimizer": self.optimizer.state_dict(),
            "orders": [order.get_state() for order in self.orders],
        }

    def _not_finite(self, train_loss: list[float]) -> list[int]:
        """The numbers of the networks whose loss or weights are not finite."""
        good = [math.isfinite(loss) for loss in train_loss]
        if not all_finite(self.moving.values()):
            whole = [torch.isfinite(p.detach()).flatten(1).all(1) for p in self.moving.values()]
            good = [a and b for a, b in zip(good, torch.stack(whole).all(0).tolist(), strict=True)]
        return sorted(place for place, is_good in zip(self.places, good, strict=True) if not is_good)

    def _reason(self, number: int, before: dict[str, Any]) -> str:
        """What is to blame for a network that was stacked: it is looked at on its own, as `fit` would have it."""
        i = self.places.index(number)
        training = Training(self.models[i].to(self.lr.device), self.data, self.plans[i])
        training.history[:] = self.histories[i]
        training.start, now = (self._alone(state, i, training) for state in (self.start, before))
        training.restore(now)
        return training.reason(now)

    def _alone(self, state: dict[str, Any], i: int, training: Training) -> dict[str, Any]:
        """The state of one network of the stack."""
        shapes = [p.shape for p in self.moving.values()]
        optimizer = {
            number: {
                name: t[i] if isinstance(t, Tensor) and t.shape == shapes[number] else t for name, t in own.items()
            }
            for number, own in state["optimizer"]["state"].items()
        }
        return {
            "model": training.model.state_dict() | {name: p[i] for name, p in state["params"].items()},
            "optimizer": training.optimizer.state_dict() | {"state": optimizer},
            "order": state["orders"][min(i, len(self.orders) - 1)],
            "random_state": [],
        }

    def _step(self, x: Tensor, y: Tensor, rate: float) -> Tensor:
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
        return {name: p[rows] for name, p in self.moving.items()}

    @torch.no_grad()
    def _update(self, rate: float) -> None:
        """A step of the optimizer, with a learning rate and a decay of its own for each network."""
        if not self.same_decay:
            for p in self.moving.values():
                assert p.grad is not None
                p.grad += p * _column(self.decay, p)
        before = {} if self.same_lr else {name: p.clone() for name, p in self.moving.items()}
        for group in self.optimizer.param_groups:
            group["lr"] = self.top_lr * rate
        self.optimizer.step()
        for name, old in before.items():  # an optimizer's step is proportional to its learning rate
            p = self.moving[name]
            p.copy_(torch.lerp(old, p, _column(self.lr / self.top_lr, p)))

    @torch.no_grad()
    def _evaluate(self) -> list[tuple[float, float]]:
        n = len(self.data.y_test)
        loss = torch.zeros(len(self.plans), dtype=torch.float64, device=self.lr.device)
        right = torch.zeros_like(loss)
        for module in self.models[0].modules():
            module.training = False
        for x, y in zip(self.data.x_test.split(ROWS_AT_ONCE), self.data.y_test.split(ROWS_AT_ONCE), strict=True):
            logits = self.forward(self.params, x, False)
            labels = y.expand(logits.shape[:2])
            loss += self.loss(logits, labels) * len(y)
            right += (logits.argmax(-1) == labels).sum(1)
        return list(zip((loss / n).tolist(), (right / n).tolist(), strict=True))

    def networks(self) -> list[tuple[nn.Module, History]]:
        trained: list[Any] = [None] * len(self.plans)
        for i, (place, model) in enumerate(zip(self.places, self.models, strict=True)):
            with torch.no_grad():
                for name, p in model.cpu().named_parameters():
                    p.copy_(self.params[name][i])
            trained[place] = (model.train(), self.histories[i])
        return trained


def seeded(make_model: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The network that `make_model` gives after `torch.manual_seed(seed)`; refused if it cannot be stacked.

    Raises: ValueError for a network with running statistics.
    """
    with random_numbers(seed):
        model = make_model()
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
            raise ValueError(
                f"fit_many cannot train networks with running statistics, got {type(module).__name__} in layer "
                f"{name!r}; train them one by one with fit()"
            )
    return model


def _kind(regularizer: Regularizer | None) -> str:
    """The same text for regularizers that can be stacked; empty for none."""
    if regularizer is None:
        return ""
    return f"{regularizer.kind} {regularizer.conv_groups} {id(regularizer.prox)}"


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy of each network; vmap would take it apart into a dozen operations."""
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.view(labels.shape).mean(1)


def _column(numbers: Tensor, p: Tensor) -> Tensor:
    return numbers.to(p.dtype).view(-1, *[1] * (p.ndim - 1))


def stacked_forward(model: nn.Module) -> Forward:
    """A network as a function of stacked parameters, inputs, and whether each network has its own (S, n, ...).

    >>> layer = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    >>> params = {name: torch.stack([p, 2 * p]) for name, p in layer.named_parameters()}
    >>> stacked_forward(layer)(params, torch.ones(5, 3), False).shape
    torch.Size([2, 5, 2])
    """
    layers = _perceptron_layers(model)
    if layers is not None:
        return lambda params, x, own: _perceptron(layers, params, x, own)

    def one(params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(model, dict(params), (x,))

    def many(params: Mapping[str, Tensor], x: Tensor, own: bool) -> Tensor:
        return torch.vmap(one, in_dims=(0, 0 if own else None), randomness="different")(dict(params), x)

    return many


def _perceptron_layers(model: nn.Module) -> list[tuple[str, nn.Module]] | None:
    """The named layers of a plain perceptron, None for any other network.

    Its products cost half as much by `baddbmm` as through vmap, whose overhead is as long as such a layer's arithmetic.
    """
    layers = list(model.named_children())
    plain = (nn.Linear, *ELEMENTWISE)
    if type(model) is not nn.Sequential or not layers or type(layers[0][1]) is not nn.Flatten:
        return None
    linear = [layer for _, layer in layers if type(layer) is nn.Linear]
    tied = len({id(layer.weight) for layer in linear}) < len(linear)
    return None if tied or any(type(layer) not in plain for _, layer in layers[1:]) else layers[1:]


def _perceptron(layers: list[tuple[str, nn.Module]], params: Mapping[str, Tensor], x: Tensor, own: bool) -> Tensor:
    h = x.flatten(2) if own else x.flatten(1).expand(len(next(iter(params.values()))), -1, -1)  # (S, n, features)
    for name, layer in layers:
        if isinstance(layer, nn.Linear):
            w = params[f"{name}.weight"].transpose(1, 2)
            h = torch.bmm(h, w) if layer.bias is None else torch.baddbmm(params[f"{name}.bias"].unsqueeze(1), h, w)
        else:
            h = layer(h)
    return h
