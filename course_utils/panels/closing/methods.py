"""One network through any of the course's methods, in their order, into a file on the disk and back."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from course_utils._support.random_numbers import random_numbers
from course_utils.coding.container import Coded, load, save
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, hidden_sizes, measure_accuracy
from course_utils.methods.activations import KAF
from course_utils.methods.codebook import share_weights, unshare_weights
from course_utils.methods.layers import weight_layers
from course_utils.methods.lowrank import low_rank_layer
from course_utils.methods.penalties import Regularizer
from course_utils.methods.prune import Pruner
from course_utils.methods.quantize import fake_quantize
from course_utils.models import mlp
from course_utils.panels.distilling.live import Taught
from course_utils.panels.distilling.teacher import teacher
from course_utils.train import fit

__all__ = ["LABELS", "Made", "Methods", "course_of", "make", "steps"]


@dataclass(frozen=True, kw_only=True)
class Methods:
    """What is done to the network; each is a section of the course."""

    penalty: bool = False
    low_rank: bool = False
    distill: bool = False
    kaf: bool = False
    prune: bool = False
    binary: bool = False
    quantize: bool = False
    share: bool = False
    coder: bool = False

    @property
    def names(self) -> list[str]:
        """The labels of what is switched on."""
        return [LABELS[field.name] for field in fields(self) if getattr(self, field.name)]

    def __str__(self) -> str:
        return ", ".join(self.names) or "no method, the dense network"


LABELS = {
    "penalty": "sparse group penalty (04)",
    "low_rank": "low rank (07)",
    "distill": "small student (08)",
    "kaf": "KAF, half the neurons (09)",
    "prune": "prune 85 % (07)",
    "binary": "one bit each (06)",
    "quantize": "4-bit min-max (05)",
    "share": "8 shared values (07)",
    "coder": "entropy coder (07)",
}


class Made(NamedTuple):
    """A file that was written and read back: its bytes, how many times smaller than the dense network, and its share
    of test rows right."""

    methods: Methods
    size: int
    ratio: float
    accuracy: float


def make(data: str | Dataset, methods: Methods) -> Made:
    """Train, compress, write, read back and measure."""
    *_, made = steps(data, methods)
    return made


def steps(data: str | Dataset, methods: Methods) -> Iterator[Made]:
    """The file after the training, and after each step that follows; the last one has all that was asked for."""
    room = classroom(data)
    model = started(data, methods)
    yield written(model, room, methods)
    if methods.low_rank:
        rank = 12 if room.features <= 100 else 40
        model = nn.Sequential(
            *(
                low_rank_layer(m, rank=rank) if isinstance(m, nn.Linear) and min(m.weight.shape) > rank else m
                for m in model
            )
        )
        polish(model, room)
        yield written(model, room, methods)
    pruner = Pruner(model, scope="global")
    if methods.prune:
        for sparsity in (0.6, 0.85):
            pruner.prune(sparsity=max(sparsity, share_of_zeros(model)))
            polish(model, room, after_step=lambda _: pruner.step_())
        yield written(model, room, methods)
    for asked, rule in ((methods.binary, one_size), (methods.quantize, four_bits)):
        if asked:
            rounded(model, room, rule)
            yield written(model, room, methods)
    if methods.share:
        share_weights(model, size=8)
        polish(model, room, lr=5e-4)
        unshare_weights(model)
    yield written(model, room, methods)


def started(data: str | Dataset, methods: Methods) -> nn.Sequential:
    """A copy of the trained network on which the other steps work."""
    key = (methods.penalty, methods.distill, methods.kaf)
    if isinstance(data, str):
        return fresh(_trained(data, *key))
    return _train(data, *key)


def fresh(model: nn.Sequential) -> nn.Sequential:
    """A copy."""
    import copy

    return copy.deepcopy(model)


@lru_cache(maxsize=16)
def _trained(name: str, penalty: bool, distill: bool, kaf: bool) -> nn.Sequential:
    return _train(name, penalty, distill, kaf)


def _train(data: str | Dataset, penalty: bool, distill: bool, kaf: bool) -> nn.Sequential:
    room = classroom(data)
    first, second = hidden_sizes(room)
    if distill:
        first, second = first // 3, second // 2
    activation: Any = nn.ReLU
    if kaf:
        first, second, activation = first // 2, second // 2, lambda width: KAF(width, init=nn.functional.elu)
    with random_numbers(0):
        model = mlp([room.features, first, second, room.classes], activation=activation)
    strength = 1.5e-3 if room.features <= 100 else 2e-4  # larger groups weigh more in (9)
    # SGD, with which lambda means what (9) says, and never more steps than a moment of waiting allows.
    settings: dict[str, Any] = {
        "epochs": epochs_for(room, 25), "optimizer": "sgd", "lr": 0.05, "batch_size": 64, "schedule": "cosine",
        "regularizer": Regularizer("sparse_group", lam=strength) if penalty else None,
    }  # fmt: skip
    if distill:
        settings["regularizer"] = None
        settings |= {"optimizer": "adam", "lr": 0.01, "epochs": epochs_for(room, 50)}
        taught = Taught(model, teacher(data), temperature=2.0, alpha=0.5, own=None)
        fit(taught, room, loss=taught.loss, evaluate_every=0, device="cpu", progress=False, **settings)
        return model.eval()
    fit(model, room, evaluate_every=0, device="cpu", progress=False, **settings)
    return model.eval()


def epochs_for(data: Dataset, epochs: int) -> int:
    """Fewer epochs where there are more rows."""
    return epochs if data.features <= 100 else max(1, epochs // 5)


def polish(model: nn.Module, data: Dataset, *, lr: float = 2e-3, **settings: Any) -> None:
    """A short training of what is left."""
    settings |= {"epochs": epochs_for(data, 5), "lr": lr, "batch_size": 64, "schedule": "cosine"}
    fit(model, data, evaluate_every=0, device="cpu", progress=False, **settings)
    model.eval()


def share_of_zeros(model: nn.Module) -> float:
    """The share of the weights that are zero already."""
    weights = [layer.weight for layer in weight_layers(model).values()]
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)


def one_size(w: Tensor) -> Tensor:
    """One magnitude for all weights that are not zero, with their signs."""
    left = w != 0
    return w.sign() * (w.abs().sum() / left.sum().clamp(min=1))


def four_bits(w: Tensor) -> Tensor:
    """Min-max codes of four bits."""
    return fake_quantize(w, bits=4)


class Straight(nn.Module):
    """A rule for weights, applied in the forward pass; the gradient passes straight through, zeros stay zeros."""

    def __init__(self, rule: Any, kept: Tensor) -> None:
        super().__init__()
        self.rule, self.kept = rule, kept

    def forward(self, w: Tensor) -> Tensor:
        """The weights that the layer computes with."""
        left = w * self.kept
        return left + (self.rule(left.detach()) - left).detach()


def rounded(model: nn.Module, data: Dataset, rule: Any) -> None:
    """Train with weights that follow a rule, in place."""
    layers = list(weight_layers(model).values())
    for layer in layers:
        kept = (layer.weight != 0).to(layer.weight.dtype)
        parametrize.register_parametrization(layer, "weight", Straight(rule, kept))
    polish(model, data)
    for layer in layers:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def written(model: nn.Module, data: Dataset, methods: Methods) -> Made:
    """Write the network as a file, read the file, and measure the network with what came back."""
    layers = {f"{name}.weight" for name in weight_layers(model)}
    arrays = {
        name: coded(tensor, "huffman" if methods.coder else None) if name in layers else tensor.numpy()
        for name, tensor in model.state_dict().items()
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.cun"
        save(path, arrays)
        size, back = path.stat().st_size, load(path)
    state = {n: torch.from_numpy(v.decode() if isinstance(v, Coded) else v) for n, v in back.items()}
    again = fresh(model).eval()  # type: ignore[arg-type]
    again.load_state_dict(state)
    first, second = hidden_sizes(data)
    dense = 4 * (data.features * first + first * second + second * data.classes + first + second + data.classes)
    return Made(methods, size, dense / size, measure_accuracy(again, data))


def coded(tensor: Tensor, entropy: str | None) -> Coded | np.ndarray:
    """A weight matrix as positions, values and indices, where that is smaller than the plain numbers."""
    w = tensor.detach().numpy()
    mask = w != 0
    values, indices = np.unique(w[mask], return_inverse=True)
    if len(values) > 256:
        # All values are different: nothing is shared, but zeros need not be stored.
        return w if mask.mean() > 0.8 else Coded(w[mask], np.zeros(0, int), mask, "in order")
    return Coded(values, indices, mask, entropy)


def course_of(data: str | Dataset = "digits") -> list[Made]:
    """The dense network, each method alone with the coder, and a few that go well together."""
    alone = [Methods(), *(replace(Methods(coder=True), **{name: True}) for name in LABELS if name != "coder")]
    together = [
        Methods(prune=True, share=True, coder=True),
        Methods(distill=True, prune=True, share=True, coder=True),
        Methods(penalty=True, binary=True, coder=True),
    ]
    return [make(data, methods) for methods in [*alone, *together]]
