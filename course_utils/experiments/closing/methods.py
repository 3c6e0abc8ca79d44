"""Trains one network, compresses it by any of the course's methods, in their order, and measures the file."""

import copy
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from course_utils._support.random_numbers import random_numbers
from course_utils.coding.container import Coded, load, save
from course_utils.data import Dataset
from course_utils.experiments.distilling.teacher import teacher
from course_utils.experiments.lesson import (
    SMALL_INPUT,
    fit_with_pauses,
    hidden_sizes,
    last,
    lesson_data,
    measure_accuracy,
)
from course_utils.methods.activations import KAF
from course_utils.methods.codebook import share_weights, unshare_weights
from course_utils.methods.distill import Distillation
from course_utils.methods.lowrank import low_rank_layer
from course_utils.methods.penalties import Regularizer
from course_utils.methods.prune import Pruner
from course_utils.methods.quantize import fake_quantize
from course_utils.methods.weights import weights_of
from course_utils.models import mlp

__all__ = ["LABELS", "CompressedNetwork", "Methods", "make", "reference_networks", "steps"]


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


class CompressedNetwork(NamedTuple):
    """A network that was written to a file and read back: the file's bytes, how many times smaller it is than the dense
    weights, and the accuracy on the test rows."""

    methods: Methods
    size: int
    ratio: float
    accuracy: float


def make(data: str | Dataset, methods: Methods) -> CompressedNetwork:
    """Train, compress, write, read back and measure."""
    return last(steps(data, methods))


def steps(data: str | Dataset, methods: Methods) -> Iterator[CompressedNetwork | None]:
    """The file after the training, and after each step that follows; the last one after all of `methods`.

    None in a pause of a training.
    """
    dataset = lesson_data(data)
    model = yield from train_network(data, methods)
    yield write_and_measure(model, dataset, methods)
    if methods.low_rank:
        model = factorize(model, rank=12 if dataset.features <= SMALL_INPUT else 40)
        yield from retrain(model, dataset)
        yield write_and_measure(model, dataset, methods)
    pruner = Pruner(model, scope="global")
    if methods.prune:
        for sparsity in (0.6, 0.85):
            pruner.prune(sparsity=max(sparsity, sparsity_of(model)))
            yield from retrain(model, dataset, after_step=lambda _: pruner.step_())
        yield write_and_measure(model, dataset, methods)
    if methods.binary:
        yield from retrain_with_rule(model, dataset, one_magnitude)
        yield write_and_measure(model, dataset, methods)
    if methods.quantize:
        yield from retrain_with_rule(model, dataset, four_bits)
        yield write_and_measure(model, dataset, methods)
    if methods.share:
        share_weights(model, size=8)
        yield from retrain(model, dataset, lr=5e-4)
        unshare_weights(model)
    yield write_and_measure(model, dataset, methods)


Training = Generator[None, None, nn.Sequential]  # with pauses
_trained: dict[tuple[str, bool, bool, bool], nn.Sequential] = {}


def train_network(data: str | Dataset, methods: Methods) -> Training:
    """The trained network on which the other steps work; trained once for each name, and copied."""
    choices = (methods.penalty, methods.distill, methods.kaf)
    if not isinstance(data, str):
        return (yield from _train(data, *choices))
    if (data, *choices) not in _trained:
        _trained[data, *choices] = yield from _train(data, *choices)
    return copy.deepcopy(_trained[data, *choices])


def _train(data: str | Dataset, penalty: bool, distill: bool, kaf: bool) -> Training:
    dataset = lesson_data(data)
    first, second = hidden_sizes(dataset)
    if distill:
        first, second = first // 3, second // 2
    activation: Any = nn.ReLU
    if kaf:
        first, second, activation = first // 2, second // 2, lambda width: KAF(width, init=nn.functional.elu)
    with random_numbers(0):
        model = mlp([dataset.features, first, second, dataset.classes], activation=activation)
    settings: dict[str, Any] = {
        "batch_size": 64, "schedule": "cosine", "evaluate_every": 0, "device": "cpu",
    }  # fmt: skip
    if distill:
        distillation = Distillation(model, teacher(data), temperature=2.0, alpha=0.5)
        settings |= {"optimizer": "adam", "lr": 0.01, "epochs": epochs_for(dataset, 50)}
        yield from fit_with_pauses(distillation, dataset, loss=distillation.loss, **settings)
        return model.eval()
    lam = 1.5e-3 if dataset.features <= SMALL_INPUT else 2e-4  # larger groups weigh more in (9)
    regularizer = Regularizer("sparse_group", lam=lam) if penalty else None
    # SGD, with which lambda means what (9) says, and never more steps than a moment of waiting allows.
    settings |= {"optimizer": "sgd", "lr": 0.05, "epochs": epochs_for(dataset, 25)}
    yield from fit_with_pauses(model, dataset, regularizer=regularizer, **settings)
    return model.eval()


def epochs_for(data: Dataset, epochs: int) -> int:
    """Fewer epochs where there are more rows."""
    return epochs if data.features <= SMALL_INPUT else max(1, epochs // 5)


def factorize(model: nn.Sequential, *, rank: int) -> nn.Sequential:
    """Each layer that is large enough as a product of two matrices of this rank."""
    return nn.Sequential(
        *(
            low_rank_layer(layer, rank=rank)
            if isinstance(layer, nn.Linear) and min(layer.weight.shape) > rank
            else layer
            for layer in model
        )
    )


def retrain(model: nn.Module, data: Dataset, *, lr: float = 2e-3, **settings: Any) -> Iterator[None]:
    """A short training of the remaining weights, with pauses."""
    settings |= {"epochs": epochs_for(data, 5), "lr": lr, "batch_size": 64, "schedule": "cosine"}
    yield from fit_with_pauses(model, data, evaluate_every=0, device="cpu", **settings)
    model.eval()


def sparsity_of(model: nn.Module) -> float:
    """The fraction of the weights that are zero."""
    weights = [weight.tensor for weight in weights_of(model).values()]
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)


Rule = Callable[[Tensor], Tensor]


def one_magnitude(w: Tensor) -> Tensor:
    """One magnitude for all weights that are not zero, with their signs."""
    nonzero = w != 0
    return w.sign() * (w.abs().sum() / nonzero.sum().clamp(min=1))


def four_bits(w: Tensor) -> Tensor:
    """Min-max codes of four bits."""
    return fake_quantize(w, bits=4)


class StraightThrough(nn.Module):
    """A rule for weights, applied in the forward pass; the gradient passes straight through, zeros stay zeros."""

    def __init__(self, rule: Rule, mask: Tensor) -> None:
        super().__init__()
        self.rule, self.mask = rule, mask

    def forward(self, w: Tensor) -> Tensor:
        """The weights that the layer computes with."""
        masked = w * self.mask
        return masked + (self.rule(masked.detach()) - masked).detach()


def retrain_with_rule(model: nn.Module, data: Dataset, rule: Rule) -> Iterator[None]:
    """Train with weights that follow a rule, in place, with pauses."""
    layers: list[Any] = [weight.module for weight in weights_of(model).values()]
    for layer in layers:
        mask = (layer.weight != 0).to(layer.weight.dtype)
        parametrize.register_parametrization(layer, "weight", StraightThrough(rule, mask))
    yield from retrain(model, data)
    for layer in layers:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def write_and_measure(model: nn.Module, data: Dataset, methods: Methods) -> CompressedNetwork:
    """Write the network as a file, read the file, and measure the network with what came back."""
    weights = {weight.key for weight in weights_of(model).values()}
    entropy = "huffman" if methods.coder else None
    arrays = {
        name: encode(tensor, entropy) if name in weights else tensor.numpy()
        for name, tensor in model.state_dict().items()
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.cun"
        save(path, arrays)
        size, restored = path.stat().st_size, load(path)
    values = {name: array.decode() if isinstance(array, Coded) else array for name, array in restored.items()}
    network = copy.deepcopy(model).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in values.items()})
    return CompressedNetwork(methods, size, dense_bytes(data) / size, measure_accuracy(network, data))


def dense_bytes(data: Dataset) -> int:
    """The bytes in float32 of the lesson's network without any method."""
    first, second = hidden_sizes(data)
    return 4 * (data.features * first + first * second + second * data.classes + first + second + data.classes)


def encode(tensor: Tensor, entropy: str | None) -> Coded | np.ndarray:
    """A weight matrix as positions, values and indices, where that is smaller than the plain numbers."""
    w = tensor.detach().numpy()
    mask = w != 0
    values, indices = np.unique(w[mask], return_inverse=True)
    if len(values) > 256:
        # All values are different: nothing is shared, but zeros need not be stored.
        return w if mask.mean() > 0.8 else Coded(w[mask], np.zeros(0, int), mask, "in order")
    return Coded(values, indices, mask, entropy)


def reference_networks(data: str | Dataset = "digits") -> list[CompressedNetwork]:
    """The dense network, each method alone with the coder, and a few combinations."""
    alone = [Methods(), *(replace(Methods(coder=True), **{name: True}) for name in LABELS if name != "coder")]
    together = [
        Methods(prune=True, share=True, coder=True),
        Methods(distill=True, prune=True, share=True, coder=True),
        Methods(penalty=True, binary=True, coder=True),
    ]
    return [make(data, methods) for methods in [*alone, *together]]
