"""A path over lambda: one network for each penalty, mixture and lambda, all trained in one batched run."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.data import Dataset, load_dataset
from course_utils.methods.penalties import Regularizer
from course_utils.models import mlp
from course_utils.train.ensemble import fit_many

__all__ = ["KINDS", "MIXED", "LambdaPath", "Plan", "Pruned", "lambda_path", "plan_for"]

# What the reader sees, and the name that the code uses.
KINDS = {
    "l2, weight decay (5)": "l2",
    "l1, lasso (7)": "l1",
    "elastic net, l1 + l2": "elastic_net",
    "group lasso (9)": "group",
    "sparse group lasso, l1 + group": "sparse_group",
}
MIXED = ("elastic_net", "sparse_group")

Prox = Callable[..., Tensor]


@dataclass(frozen=True)
class Plan:
    """How large a path is: enough to see everything, small enough for a lesson on two processor cores."""

    hidden: tuple[int, ...]
    rows: int  # for training, at most
    test_rows: int
    epochs: int
    lr: float
    batch_size: int
    lams: tuple[float, ...]
    ratios: tuple[float, ...]


def plan_for(name: str) -> Plan:
    """The plan for a data set by its name: the lecture's network for a table, a smaller one for larger images."""
    lams = (0.0, *np.geomspace(1e-4, 1e-2, 15).tolist())
    small = Plan((40, 30), 2_000, 2_000, 30, 0.1, 128, lams, (0.1, 0.3, 0.5, 0.7, 0.9))
    if name == "digits":
        return small
    fewer = (0.0, *np.geomspace(1e-4, 1e-2, 7).tolist())
    return replace(small, hidden=(100, 50), rows=12_000, epochs=10, lr=0.1, lams=fewer, ratios=(0.5,))


class Pruned(NamedTuple):
    """What a threshold leaves of the networks along a path; L of them, one for each lambda."""

    weights: list[np.ndarray]  # of each layer (L, out, in)
    accuracy: np.ndarray  # (L,)
    sparsity: np.ndarray  # (L, layers), the share of zeros
    neurons: np.ndarray  # (L, layers), inputs of the layer with any outgoing weight left
    zeros: np.ndarray  # (L,), the share of zeros among all weights


class LambdaPath:
    """The trained networks of a plan, which can be pruned by any threshold."""

    def __init__(self, data: Dataset, plan: Plan, networks: dict[tuple[str, float | None], list[nn.Module]]) -> None:
        self.data, self.plan = data, plan
        self.lams = plan.lams
        self.sizes = [data.features, *plan.hidden, data.classes]
        self._stacks = {key: _stacked(models) for key, models in networks.items()}
        self._pruned: dict[tuple[str, float, float], Pruned] = {}
        first = next(iter(self._stacks.values()))[0]
        # The colours of a layer, the same for all lambdas, so that one sees weights fade; a few outliers saturate.
        self.limits = [float(w[0].abs().flatten().kthvalue(int(0.99 * w[0].numel())).values) for w in first]

    def __repr__(self) -> str:
        networks = len(self._stacks) * len(self.lams)
        return (
            f"{networks} networks {'-'.join(map(str, self.sizes))} on {self.data.name}, λ from 0 to {self.lams[-1]:g}"
        )

    def index(self, lam: float) -> int:
        """The number of the lambda nearest to `lam`."""
        return int(np.argmin(np.abs(np.array(self.lams) - lam)))

    def pruned(self, kind: str, l1_ratio: float, threshold: float) -> Pruned:
        """The networks of one penalty with every weight of at most `threshold` set to zero; computed once."""
        key = (kind, l1_ratio, threshold)
        if key not in self._pruned:
            self._pruned[key] = self._prune(*key)
        return self._pruned[key]

    def _prune(self, kind: str, l1_ratio: float, threshold: float) -> Pruned:
        weights, biases = self._stacks[(kind, l1_ratio if kind in MIXED else None)]
        sparse = [w * (w.abs() > threshold) for w in weights]
        nonzero = [w != 0 for w in sparse]
        h = self.data.x_test.flatten(1).expand(len(self.lams), -1, -1)  # (L, n, features)
        for i, (w, b) in enumerate(zip(sparse, biases, strict=True)):
            h = torch.baddbmm(b.unsqueeze(1), h, w.transpose(1, 2))
            h = h.relu() if i < len(sparse) - 1 else h
        accuracy = (h.argmax(2) == self.data.y_test).float().mean(1)
        total = sum(w[0].numel() for w in weights)
        return Pruned(
            weights=[w.numpy() for w in sparse],
            accuracy=accuracy.numpy(),
            sparsity=torch.stack([1 - a.float().mean((1, 2)) for a in nonzero], 1).numpy(),
            neurons=torch.stack([a.any(1).sum(1) for a in nonzero], 1).numpy(),
            zeros=1 - torch.stack([a.sum((1, 2)) for a in nonzero]).sum(0).numpy() / total,
        )


def _stacked(models: list[nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    layers = list(zip(*([m for m in model.modules() if isinstance(m, nn.Linear)] for model in models), strict=True))
    weights = [torch.stack([layer.weight.detach() for layer in same]) for same in layers]
    return weights, [torch.stack([layer.bias.detach() for layer in same]) for same in layers]


def lambda_path(
    data: str | Dataset = "digits", *, prox: Prox | None = None, plan: Plan | None = None, seed: int = 0
) -> LambdaPath:
    """Train one network for each penalty, l1_ratio and lambda of the plan, with a progress bar; again only if new.

    With `prox`, your own ``prox(w, *, step, dim)`` in place of `prox_group`, only its networks are trained, under the
    kind "reader", and the others are taken from the path without it.
    """
    if isinstance(data, str):
        return copy.deepcopy(_of_name(data, prox, plan, seed))
    return _train(data, prox, plan or plan_for(data.name), seed)


@lru_cache(maxsize=4)
def _of_name(name: str, prox: Prox | None, plan: Plan | None, seed: int) -> LambdaPath:
    return _train(load_dataset(name), prox, plan or plan_for(name), seed)


def _train(data: Dataset, prox: Prox | None, plan: Plan, seed: int) -> LambdaPath:
    if len(data.y_train) > plan.rows:
        data = data.subset(plan.rows, seed=seed)
    data = replace(data, x_test=data.x_test[: plan.test_rows], y_test=data.y_test[: plan.test_rows])
    if prox is not None:
        keys: list[tuple[str, float | None]] = [("reader", None)]
    else:
        keys = [(kind, ratio) for kind in KINDS.values() for ratio in (plan.ratios if kind in MIXED else (None,))]
    settings = [{"seed": seed, "regularizer": _regularizer(key, lam, prox)} for key in keys for lam in plan.lams]
    trained = fit_many(
        lambda: mlp([data.features, *plan.hidden, data.classes]),
        data,
        settings=settings,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        optimizer="sgd",  # with it lambda means what (9) says
        lr=plan.lr,
        schedule="cosine",
        evaluate_every=0,
    )
    models = iter(model for model, _ in trained)
    return LambdaPath(data, plan, {key: [next(models) for _ in plan.lams] for key in keys})


def _regularizer(key: tuple[str, float | None], lam: float, prox: Prox | None) -> Regularizer:
    kind, ratio = key
    if kind == "reader":
        return Regularizer("group", lam=lam, prox=prox)
    return Regularizer(kind, lam=lam, l1_ratio=0.5 if ratio is None else ratio)
