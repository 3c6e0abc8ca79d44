"""A checkpoint goes on with the same training, also one defined again, and names what differs in another."""

import copy
import functools
import importlib
import os
import pickle
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.compress import Recipe, compress
from course_utils.data import Dataset
from course_utils.methods.distill import distillation_loss
from course_utils.methods.penalties import Regularizer, prox_group, prox_sparse_group
from course_utils.methods.prune import Pruner
from course_utils.train import fit


def rows(dtype: torch.dtype = torch.float32, *, seed: int = 0) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(24, 4, generator=generator, dtype=dtype), torch.arange(24) % 3
    return Dataset("rows", x[:16], y[:16], x[16:], y[16:], classes=3)


def network(*, seed: int = 0, **changes: Any) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.Dropout(changes.get("dropout", 0.0)), nn.ReLU(), nn.Linear(5, 3))


def train(path: Path, *, model: nn.Module | None = None, data: Dataset | None = None, **settings: Any) -> nn.Module:
    model = network() if model is None else model
    data = rows() if data is None else data
    fit(model, data, checkpoint=path, progress=False, **({"epochs": 1, "batch_size": 8, "device": "cpu"} | settings))
    return model


# Losses, each made anew by every call

SCALE = 1.0


def by_closure(scale: float) -> Callable[..., Tensor]:
    return lambda logits, labels: F.cross_entropy(scale * logits, labels)


def by_default(scale: float) -> Callable[..., Tensor]:
    def loss(logits: Tensor, labels: Tensor, scale: float = scale) -> Tensor:
        return F.cross_entropy(scale * logits, labels)

    return loss


def by_keyword(scale: float) -> Callable[..., Tensor]:
    def loss(logits: Tensor, labels: Tensor, *, scale: float = scale) -> Tensor:
        return F.cross_entropy(scale * logits, labels)

    return loss


def scaled(logits: Tensor, labels: Tensor, scale: float = 1.0) -> Tensor:
    return F.cross_entropy(scale * logits, labels)


def by_global(scale: float) -> Callable[..., Tensor]:
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return sum(F.cross_entropy(SCALE * part, labels) for part in [logits])  # type: ignore[misc,return-value]

    return types.FunctionType(loss.__code__, {**globals(), "SCALE": scale})


def by_function(scale: float) -> Callable[..., Tensor]:
    """A function calls another, which uses the number."""
    return types.FunctionType(_calls.__code__, {**globals(), "scaled": by_closure(scale)})


def _calls(logits: Tensor, labels: Tensor) -> Tensor:
    return scaled(logits, labels)


def by_nested_closure(scale: float) -> Callable[..., Tensor]:
    inner = by_closure(scale)
    return lambda logits, labels: inner(logits, labels)


def by_list(scale: float) -> Callable[..., Tensor]:
    scales = [torch.ones(1), torch.tensor(scale)]
    return lambda logits, labels: F.cross_entropy(scales[1] * logits, labels)


def by_array(scale: float) -> Callable[..., Tensor]:
    scales = np.array([1.0, scale])
    return lambda logits, labels: F.cross_entropy(float(scales[1]) * logits, labels)


def by_attribute(scale: float) -> Callable[..., Tensor]:
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(loss.scale * logits, labels)  # type: ignore[attr-defined]

    loss.scale = scale  # type: ignore[attr-defined]
    return loss


def by_class(scale: float) -> Callable[..., Tensor]:
    class Loss:
        factor = scale

        def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
            return F.cross_entropy(self.factor * logits, labels)

    return Loss()


def decorated(scale: float) -> Callable[..., Tensor]:
    return torch.enable_grad()(by_closure(scale))


class Scaled:
    """A loss with a state."""

    def __init__(self, scale: Any) -> None:
        self.scale = scale

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.scale * logits, labels)

    def method(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self(logits, labels)


class Slotted(Scaled):
    __slots__ = ("scale",)


@dataclass(frozen=True)
class Frozen:
    scale: float

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.scale * logits, labels)


class ScaledModule(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.scale * logits, labels)


def hooked(scale: float) -> nn.Module:
    loss = nn.CrossEntropyLoss()
    loss.register_forward_hook(lambda module, inputs, output: scale * output)
    return loss


def taught(seed: int) -> Callable[..., Tensor]:
    teacher = network(seed=seed).eval()
    x = rows().x_train[:8]
    return lambda logits, labels: distillation_loss(
        logits[:8], teacher(x)[: len(logits)], labels[:8], temperature=2.0, alpha=0.5
    )


def pair_of(make: Callable[[Any], Any], before: Any = 1.0, after: Any = 2.0) -> tuple[Callable[[], Any], ...]:
    return (lambda: {"loss": make(before)}), (lambda: {"loss": make(after)})


def optimizer(scale: float) -> Callable[..., torch.optim.Optimizer]:
    return lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, dampening=scale)


def pruned(sparsity: float) -> dict[str, Any]:
    model = network()
    pruner = Pruner(model, scope="global")
    pruner.prune(sparsity=sparsity)
    return {"model": model, "after_step": lambda _: pruner.step_()}


def clipped(limit: float) -> Callable[[nn.Module], None]:
    return lambda model: [p.data.clamp_(-limit, limit) for p in model.parameters()]  # type: ignore[func-returns-value]


def data_with(**changes: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    data = rows()
    return {"data": replace(data, **{name: change(getattr(data, name).clone()) for name, change in changes.items()})}


def one_label_changed(labels: Tensor) -> Tensor:
    labels[3] = (labels[3] + 1) % 3
    return labels


def frozen_first(frozen: bool) -> dict[str, Any]:
    model = network()
    model[0].weight.requires_grad_(not frozen)
    return {"model": model}


def tied(tie: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3))
    with torch.no_grad():
        model[1].weight.copy_(model[0].weight)
    if tie:
        model[1].weight = model[0].weight
    return {"model": model}


def of_other_forward(double: bool) -> dict[str, Any]:
    class Net(nn.Linear):
        if double:

            def forward(self, x: Tensor) -> Tensor:
                return 2 * super().forward(x)
        else:

            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x)

    torch.manual_seed(0)
    return {"model": Net(4, 3)}


def hooked_network(scale: float) -> dict[str, Any]:
    model = network()
    model[1].register_forward_hook(lambda module, inputs, output: scale * output)
    return {"model": model}


def with_hook_of_gradient(scale: float, *, after: bool = False) -> dict[str, Any]:
    model = network()
    weight = model[0].weight
    if after:

        def scaled_in_place(p: Tensor) -> None:
            p.grad.mul_(scale)  # type: ignore[union-attr]

        weight.register_post_accumulate_grad_hook(scaled_in_place)
    else:
        weight.register_hook(lambda gradient: scale * gradient)
    return {"model": model}


def with_attribute_of_weight(scale: float) -> dict[str, Any]:
    model = network()
    model[0].weight.scale = scale
    return {"model": model}


class Marked(Tensor):
    """A tensor of another class, whose operations may be others."""


def by_class_of_tensor(kind: type[Tensor]) -> Callable[..., Tensor]:
    scale = torch.ones(1).as_subclass(kind)
    return lambda logits, labels: F.cross_entropy(scale * logits, labels).as_subclass(Tensor)


def by_metaclass(scale: float) -> Callable[..., Tensor]:
    class Kind(type):
        @property
        def scale(cls) -> float:
            return scale

    class Loss(metaclass=Kind):
        def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
            return F.cross_entropy(type(self).scale * logits, labels)

    return Loss()


def by_order(names: str) -> Callable[..., Tensor]:
    scales = {name: {"a": 0.1, "b": 1e8}[name] for name in names}
    return lambda logits, labels: F.cross_entropy(sum(scales.values()) * logits, labels)


def frozen_statistics(scale: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    if scale:
        model[1].train = types.MethodType(lambda self, mode=True: self, model[1])
    return {"model": model}


def by_gradient(scale: float) -> Callable[..., Tensor]:
    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.sign()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
            return scale * gradient

    sign = Sign.apply
    return lambda logits, labels: F.cross_entropy(sign(logits), labels)


def by_mode(train: bool) -> Callable[..., Tensor]:
    dropout = nn.Dropout(0.5).train(train)
    return lambda logits, labels: F.cross_entropy(dropout(logits), labels)


def masked(mask: bool) -> dict[str, Any]:
    model = network()
    model[0].register_buffer("mask", torch.ones(5) * mask, persistent=False)
    return {"model": model}


def given(**settings: Any) -> Callable[[], dict[str, Any]]:
    return lambda: settings


def with_regularizer(**settings: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"regularizer": Regularizer(**({"kind": "group", "lam": 0.1} | settings))}


Pair = tuple[Callable[[], Any], Callable[[], Any], str]  # two trainings, and what names their difference

PAIRS: dict[str, Pair] = {
    # losses
    "closure": (*pair_of(by_closure), r"loss\.scale was 1\.0 and is now 2\.0"),
    "default": (*pair_of(by_default), r"loss\.scale was 1\.0 and is now 2\.0"),
    "keyword default": (*pair_of(by_keyword), r"loss\.scale was 1\.0 and is now 2\.0"),
    "partial": (*pair_of(lambda scale: functools.partial(scaled, scale=scale)), r"loss\.scale was 1\.0"),
    "partial of a class": (*pair_of(lambda s: functools.partial(Scaled(s).method)), r"loss\.__self__\.scale was 1\.0"),
    "global": (*pair_of(by_global), r"loss\.SCALE was 1\.0 and is now 2\.0"),
    "function of a function": (*pair_of(by_function), r"loss\.scaled\.scale was 1\.0 and is now 2\.0"),
    "nested closure": (*pair_of(by_nested_closure), r"loss\.inner\.scale was 1\.0 and is now 2\.0"),
    "list of tensors": (*pair_of(by_list), r"loss\.scales\[1\] was float32 \[\]"),
    "attribute of a function": (*pair_of(by_attribute), r"loss\.scale was 1\.0 and is now 2\.0"),
    "attribute of a class": (*pair_of(by_class), r"loss\.__class__\.factor was 1\.0 and is now 2\.0"),
    "decorated": (*pair_of(decorated), r"loss\.func\.scale was 1\.0 and is now 2\.0"),
    "object": (*pair_of(Scaled), r"loss\.scale was 1\.0 and is now 2\.0"),
    "object with slots": (*pair_of(Slotted), r"loss\.scale was 1\.0 and is now 2\.0"),
    "data class": (*pair_of(Frozen), r"loss\.scale was 1\.0 and is now 2\.0"),
    "object with a tensor": (*pair_of(lambda s: Scaled(torch.tensor(s))), r"loss\.scale was float32"),
    "array": (*pair_of(by_array), r"loss\.scales was float64 \[2\]"),
    "bound method": (*pair_of(lambda s: Scaled(s).method), r"loss\.__self__\.scale was 1\.0 and is now 2\.0"),
    "module with a buffer": (*pair_of(ScaledModule), r"loss\.scale was float32 \[\]"),
    "hook of a module": (*pair_of(hooked), r"loss\._forward_hooks\[0\]\.scale was 1\.0 and is now 2\.0"),
    "label smoothing": (
        *pair_of(lambda s: nn.CrossEntropyLoss(label_smoothing=s), 0.0, 0.1),
        r"loss\.label_smoothing was 0\.0 and is now 0\.1",
    ),
    "class weights": (
        *pair_of(lambda s: nn.CrossEntropyLoss(weight=torch.tensor([1.0, 1.0, s]))),
        r"loss\.weight was float32 \[3\]",
    ),
    "reduction": (
        *pair_of(lambda s: nn.CrossEntropyLoss(reduction=s), "mean", "sum"),
        r"loss\.reduction was 'mean' and is now 'sum'",
    ),
    "code": (
        lambda: {"loss": lambda logits, labels: F.cross_entropy(logits, labels)},
        lambda: {"loss": lambda logits, labels: F.cross_entropy(logits.sin(), labels)},
        r"loss was <lambda> with code .* and is now <lambda> with code ",
    ),
    "constant": (
        lambda: {"loss": lambda logits, labels: F.cross_entropy(2 * logits, labels)},
        lambda: {"loss": lambda logits, labels: F.cross_entropy(3 * logits, labels)},
        r"loss was <lambda> with code .* and is now <lambda> with code ",
    ),
    "library function": (
        given(loss=F.cross_entropy),
        given(loss=F.multi_margin_loss),
        r"loss was torch\.nn\.functional",
    ),
    "class of a tensor": (
        *pair_of(by_class_of_tensor, Tensor, Marked),
        r"loss\.scale\.__class__ was not there and is now Marked",
    ),
    "class of a class": (*pair_of(by_metaclass), r"loss\.__class__\.__class__\.scale\.fget\.scale was 1\.0"),
    "order of a dict": (
        *pair_of(by_order, "ab", "ba"),
        r"loss\.scales was entries \['a', 'b'\] and is now entries \['b', 'a'\]",
    ),
    "gradient of a function": (*pair_of(by_gradient), r"loss\.sign\.__self__\.backward\.scale was 1\.0"),
    "mode of a layer": (*pair_of(by_mode, True, False), r"loss\.dropout\.training was True and is now False"),
    "weights of a teacher": (*pair_of(taught, 0, 1), r"loss\.teacher\.0\.weight was float32 \[5, 4\]"),
    # settings
    "lr": (given(lr=0.1), given(lr=0.2), r"lr was 0\.1 and is now 0\.2"),
    "momentum": (given(momentum=0.5), given(momentum=0.6), r"momentum was 0\.5"),
    "weight decay": (given(weight_decay=0.1), given(weight_decay=0.2), r"weight_decay was 0\.1"),
    "batch size": (given(batch_size=8), given(batch_size=4), r"batch_size was 8 and is now 4"),
    "seed": (given(seed=0), given(seed=1), r"seed was 0 and is now 1"),
    "schedule": (given(schedule="constant"), given(schedule="cosine"), r"schedule was 'constant' and is now 'cosine'"),
    "epochs of a cosine": (
        given(schedule="cosine", epochs=1),
        given(schedule="cosine", epochs=2),
        r"epochs was 1 and is now 2",
    ),
    "optimizer": (given(optimizer="adam"), given(optimizer="sgd"), r"optimizer was 'adam' and is now 'sgd'"),
    "optimizer's class": (
        given(optimizer=torch.optim.AdamW),
        given(optimizer=torch.optim.NAdam),
        r"optimizer was torch\.optim\.adamw\.AdamW and is now torch",
    ),
    "optimizer's setting": (
        given(optimizer=optimizer(0.0)),
        given(optimizer=optimizer(0.1)),
        r"optimizer\.scale was 0\.0 and is now 0\.1",
    ),
    "method": (
        lambda: with_regularizer()() | {"method": "prox"},
        lambda: with_regularizer()() | {"method": "gradient"},
        r"method was 'prox' and is now 'gradient'",
    ),
    "no regularizer": (with_regularizer(), given(), r"regularizer was .*Regularizer object and is now None"),
    "lam": (with_regularizer(lam=0.1), with_regularizer(lam=0.2), r"regularizer\.lam was 0\.1 and is now 0\.2"),
    "kind of penalty": (with_regularizer(kind="l1"), with_regularizer(kind="l2"), r"regularizer\.kind was 'l1'"),
    "proximal step": (
        with_regularizer(prox=prox_group),
        with_regularizer(prox=prox_sparse_group),
        r"regularizer\.prox was course_utils\..*\.prox_group and is now course_utils\..*\.prox_sparse_group",
    ),
    "after_step": (
        lambda: {"after_step": clipped(0.1)},
        lambda: {"after_step": clipped(0.2)},
        r"after_step\.limit was 0\.1 and is now 0\.2",
    ),
    "no after_step": (lambda: {"after_step": clipped(0.1)}, given(), r"after_step was <lambda> .* and is now None"),
    "masks": (lambda: pruned(0.2), lambda: pruned(0.8), r"after_step\.pruner\."),
    # data
    "name of the data": (given(), lambda: {"data": replace(rows(), name="columns")}, r"data\.name was 'rows'"),
    "one label": (given(), lambda: data_with(y_train=one_label_changed), r"data\.y_train was int64 \[16\]"),
    "order": (
        given(),
        lambda: data_with(x_train=lambda x: x.flip(0), y_train=lambda y: y.flip(0)),
        r"data\.x_train was float32 \[16, 4\] with checksum",
    ),
    "fewer rows": (
        given(),
        lambda: data_with(x_train=lambda x: x[:8], y_train=lambda y: y[:8]),
        r"data\.x_train was float32 \[16, 4\] .* and is now float32 \[8, 4\]",
    ),
    "transformed": (given(), lambda: data_with(x_train=lambda x: 2 * x), r"data\.x_train was"),
    "sign of a zero": (
        lambda: data_with(x_train=lambda x: 0.0 * x.abs()),
        lambda: data_with(x_train=lambda x: -0.0 * x.abs()),
        r"data\.x_train was",
    ),
    "test labels": (given(), lambda: data_with(y_test=one_label_changed), r"data\.y_test was"),
    "type of the data": (
        given(),
        lambda: {"data": rows(torch.float64), "model": network().double()},
        r"data\.x_train was float32 .* and is now float64",
    ),
    # networks
    "initial weights": (given(), lambda: {"model": network(seed=1)}, r"weights\.0\.weight was .* with the same seed"),
    "layers": (given(), lambda: {"model": nn.Sequential(nn.Linear(4, 3))}, r"network\.0\.out_features was 5"),
    "dropout": (given(), lambda: {"model": network(dropout=0.5)}, r"network\.1\.p was 0\.0 and is now 0\.5"),
    "activation": (
        given(),
        lambda: {"model": nn.Sequential(*network()[:2], nn.Tanh(), network()[3])},
        r"network\.2 was torch\.nn\.modules\.activation\.ReLU and is now torch\.nn\.modules\.activation\.Tanh",
    ),
    "frozen weights": (
        lambda: frozen_first(False),
        lambda: frozen_first(True),
        r"network\.0\.weight\.requires_grad was True and is now False",
    ),
    "tied weights": (lambda: tied(False), lambda: tied(True), r"network\.1\.weight was .* and is now the same as"),
    "forward of a class": (
        lambda: of_other_forward(False),
        lambda: of_other_forward(True),
        r"network\.__class__\.forward was forward with code",
    ),
    "hook of the network": (
        lambda: hooked_network(1.0),
        lambda: hooked_network(2.0),
        r"network\.1\._forward_hooks\[0\]",
    ),
    "hook of a gradient": (
        lambda: with_hook_of_gradient(1.0),
        lambda: with_hook_of_gradient(2.0),
        r"network\.0\.weight\.hooks\[0\]\.scale was 1\.0 and is now 2\.0",
    ),
    "hook of a gradient alone": (
        given(),
        lambda: with_hook_of_gradient(2.0),
        r"network\.0\.weight\.hooks was not there",
    ),
    "hook after a gradient": (
        lambda: with_hook_of_gradient(1.0, after=True),
        lambda: with_hook_of_gradient(2.0, after=True),
        r"network\.0\.weight\.hooks\[0\]\.scale was",
    ),
    "attribute of a weight": (
        lambda: with_attribute_of_weight(1.0),
        lambda: with_attribute_of_weight(2.0),
        r"network\.0\.weight\.scale was 1\.0 and is now 2\.0",
    ),
    "frozen statistics": (
        lambda: frozen_statistics(False),
        lambda: frozen_statistics(True),
        r"network\.1\.train was not there",
    ),
    "mask outside the state": (lambda: masked(True), lambda: masked(False), r"network\.0\.mask was float32 \[5\]"),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_the_same_training_goes_on_and_another_one_is_refused(kind: str, tmp_path: Path) -> None:
    before, after, difference = PAIRS[kind]
    path = tmp_path / "c.pt"
    train(path, **before())
    content = path.read_bytes()
    train(path, **before())  # all of it is made again
    assert path.read_bytes() == content, "nothing was left to train"
    with pytest.raises(ValueError, match=f"is the checkpoint of another training: {difference}") as refused:
        train(path, **after())
    assert str(refused.value).endswith("; use another file, or delete it to start anew")
    assert path.read_bytes() == content


# The same training


def test_a_network_that_has_trained_goes_on_and_so_does_one_made_again(tmp_path: Path) -> None:
    path, uninterrupted = tmp_path / "c.pt", train(tmp_path / "other.pt", epochs=4)
    model = train(path, epochs=2)
    train(path, model=model, epochs=3)  # a cell that is run again with more epochs
    train(path, epochs=4)  # another process
    assert equal(train(path, epochs=4), uninterrupted)
    with pytest.raises(ValueError, match=r"weights\.0\.weight was"):
        train(path, model=model, epochs=4)  # which has three epochs, and the file four


def equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_training_that_its_reader_interrupts_goes_on_with_the_same_network(steps: int, tmp_path: Path) -> None:
    """In the middle of an epoch the network goes back to the beginning of it, which is what the checkpoint has."""
    left = tmp_path / "steps"

    def interrupt(_: nn.Module) -> None:
        if left.exists():
            left.write_text(left.read_text()[1:])
            if not left.read_text():
                left.unlink()
                raise KeyboardInterrupt

    settings: dict[str, Any] = {"optimizer": "sgd", "lr": 0.1, "after_step": interrupt}
    uninterrupted, model = (network(dropout=0.5) for _ in range(2))
    train(tmp_path / "a.pt", model=uninterrupted, epochs=3, **settings)
    train(tmp_path / "b.pt", model=model, epochs=1, **settings)
    left.write_text("." * steps)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b.pt", model=model, epochs=3, **settings)
    train(tmp_path / "b.pt", model=model, epochs=3, **settings)
    assert equal(model, uninterrupted)


DESCRIBED = """
import enum, functools, sys, torch
from torch import nn
from helpers import Loss, nested
from course_utils.methods.penalties import Regularizer, prox_group
from course_utils.data import load_dataset
from course_utils.train import fit
class Color(enum.Enum):
    RED = 1
WORDS = {"zwei", "drei", "vier", Color.RED}
def loss(logits, labels, words=frozenset({"eins", "zwei", "drei", ("a", "b")}), *, table={Color.RED: object}):
    if "x" in {"eins", "zwei", "drei"}: return None
    return helper(logits, labels) * len(WORDS) / len(WORDS)
def helper(logits, labels):
    import helpers
    return nested(lambda: helpers.FACTOR, Loss(2.0))(logits, labels)
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
model[1].register_forward_hook(lambda *_: None)
digits = load_dataset("digits").subset(100)
regularizer = Regularizer("group", lam=0.1, prox=functools.partial(prox_group))
for _ in range(2):
    fit(model, digits, epochs=1, device="cpu", loss=loss, regularizer=regularizer,
        after_step=Loss(1.0).nothing, checkpoint=sys.argv[1], progress=False)
"""
HELPERS = """
import functools, logging
from torch.nn import functional as F
FACTOR = 1.0
log = logging.getLogger("a")
class Loss:
    kinds = {"b": 1, "a": 2, 3: len}
    def __init__(self, scale): self.scale, self.me = scale, self
    def __call__(self, logits, labels): return F.cross_entropy(self.scale * logits, labels)
    def nothing(self, model): log.debug(self.cached)
    @functools.cached_property
    def cached(self): return 1
    @property
    def words(self): return self._words
    @staticmethod
    def make(): return Loss(1.0)
@functools.cache
def cached(x): return FACTOR * x
def nested(factor, loss): return lambda logits, labels: cached(factor()) * loss(logits, labels)
"""


@pytest.mark.slow
def test_what_is_defined_again_in_another_process_is_the_same(tmp_path: Path) -> None:
    """Addresses, the order of sets and the numbers of hooks differ from process to process."""
    (tmp_path / "script.py").write_text(DESCRIBED)
    (tmp_path / "helpers.py").write_text(HELPERS)

    def run(seed: int) -> str:
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "c.pt")]
        environment = os.environ | {"PYTHONHASHSEED": str(seed)}
        return subprocess.run(command, env=environment, capture_output=True, text=True).stderr

    assert [run(seed) for seed in (1, 2)] == ["", ""]
    fingerprint = torch.load(tmp_path / "c.pt")["fingerprint"]["training"]
    assert " at 0x" not in str(fingerprint)
    (tmp_path / "helpers.py").write_text(HELPERS.replace("FACTOR = 1.0", "FACTOR = 3.0"))
    assert "FACTOR was 1.0 and is now 3.0; use another file" in run(3)
    (tmp_path / "helpers.py").write_text(HELPERS)
    assert run(4) == ""


class Computed(Scaled):
    @functools.cached_property
    def double(self) -> float:
        return 2 * self.scale  # type: ignore[no-any-return]


def defined(source: str, *, line: int) -> Callable[..., Tensor]:
    """A loss of a notebook's cell."""
    variables = {**globals(), "__name__": "__main__"}
    exec(compile("\n" * line + source, f"<cell {line}>", "exec"), variables)
    return variables["loss"]  # type: ignore[no-any-return]


def test_the_same_in_another_form_is_the_same(tmp_path: Path) -> None:
    source = "def loss(logits, labels):\n    twice = 2 * logits\n    return F.cross_entropy(twice, labels)"
    computed = Computed(1.0)
    assert computed.double == 2.0
    same: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "another line and another name": (
            {"loss": defined(source, line=1)},
            {"loss": defined(source.replace("twice", "z"), line=30)},
        ),
        "a property that was read": ({"loss": Computed(1.0)}, {"loss": computed}),
        "a number from elsewhere": (
            {"loss": by_default(torch.ones(2, 3)[:, 0].sum())},  # type: ignore[arg-type]
            {"loss": by_default(torch.tensor([2.0, 1.0])[::2].sum())},  # type: ignore[arg-type]
        ),
        "a copy in evaluation mode": ({}, {"model": copy.deepcopy(network()).eval()}),
        "a file of another process": ({"loss": Scaled(2.0)}, {"loss": pickle.loads(pickle.dumps(Scaled(2.0)))}),
        "compiled": ({"loss": by_closure(2.0)}, {"loss": torch.compile(by_closure(2.0), backend="eager")}),
    }
    for number, (before, after) in enumerate(same.values()):
        path = tmp_path / f"{number}.pt"
        train(path, **before)
        content = path.read_bytes()
        train(path, **after)
        assert path.read_bytes() == content


def test_what_a_function_imports_is_found_where_python_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "losses_for_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "numbers.py").write_text("SCALE = 1.0\n")
    (package / "losses.py").write_text(
        "from torch.nn import functional as F\n"
        "def loss(logits, labels):\n"
        "    try:\n        import a_module_that_is_not_there\n    except ImportError:\n        pass\n"
        "    import installed_for_a_test\n"
        "    from .numbers import SCALE\n"
        "    return F.cross_entropy(SCALE * logits, labels)\n"
    )
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "installed_for_a_test.py").write_text("SCALE = 1.0\n")
    for folder in (tmp_path, tmp_path / "site-packages"):
        monkeypatch.syspath_prepend(str(folder))
    losses = importlib.import_module("losses_for_a_test.losses")
    train(tmp_path / "c.pt", loss=losses.loss)
    train(tmp_path / "c.pt", loss=losses.loss)
    lines = torch.load(tmp_path / "c.pt")["fingerprint"]["training"]
    assert {line for line in lines if line.startswith("loss.")} == {"loss..numbers", "loss..numbers.SCALE"} | {
        "loss.a_module_that_is_not_there",
        "loss.F",
    }
    sys.modules["losses_for_a_test.numbers"].SCALE = 2.0  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"loss\.\.numbers\.SCALE was 1\.0 and is now 2\.0"):
        train(tmp_path / "c.pt", loss=losses.loss)


def test_a_module_of_the_user_that_is_read_again_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import torch\nSCALE = 1.0\ndef scale(x):\n    return SCALE * x\n"
    (tmp_path / "scaling_for_a_test.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("scaling_for_a_test")

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(module.scale(logits), labels)

    train(tmp_path / "c.pt", loss=loss)
    (tmp_path / "scaling_for_a_test.py").write_text(f"\n# Moved\n{source}")
    train(tmp_path / "c.pt", loss=loss)
    importlib.reload(module)
    train(tmp_path / "c.pt", loss=loss)
    source = "import scaling_for_a_test as m\ndef loss(a, b):\n    return F.cross_entropy(m.scale(a), b)"
    train(tmp_path / "d.pt", loss=defined(source, line=1))
    module.UNUSED = 2.0  # type: ignore[attr-defined]
    train(tmp_path / "d.pt", loss=defined(source, line=1))
    module.SCALE = 2.0  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"loss\.module.*\.SCALE was 1\.0 and is now 2\.0"):
        train(tmp_path / "c.pt", loss=loss)


# What cannot be compared


class Deep:
    def __init__(self, depth: int) -> None:
        self.inner: Any = None
        for _ in range(depth):
            outer = Deep(0)
            outer.inner, self.inner = self.inner, outer


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (lambda: (n for n in range(3)), "generator"),
        (lambda: open(__file__), r"_io\.TextIOWrapper"),  # noqa: SIM115
        (threading.Lock, r"_thread\.lock"),
        (lambda: torch.zeros(2, 2).to_sparse(), r"torch\.Tensor"),
        (lambda: torch.jit.script(nn.ReLU()), r"torch\.ScriptModule"),
    ],
    ids=["generator", "file", "lock", "sparse", "script"],
)
@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_a_state_that_cannot_be_read_is_refused(state: Callable[[], Any], kind: str, tmp_path: Path) -> None:
    value = state()
    loss = Scaled(1.0)
    loss.held = [value]  # type: ignore[attr-defined]
    try:
        with pytest.raises(
            ValueError, match=rf"loss\.held\[0\](\._c)? is of type {kind}, whose state cannot be read, .*"
        ):
            train(tmp_path / "c.pt", loss=loss)
        assert os.listdir(tmp_path) == []
        fit(
            network(), rows(), epochs=1, loss=loss, device="cpu", progress=False
        )  # without a checkpoint it may be there
    finally:
        getattr(value, "close", lambda: None)()


def test_what_is_nested_without_an_end_is_refused_and_a_circle_is_not(tmp_path: Path) -> None:
    loss = Scaled(1.0)
    loss.itself = [loss]  # type: ignore[attr-defined]
    train(tmp_path / "c.pt", loss=loss)
    train(tmp_path / "c.pt", loss=loss)
    loss.itself = Deep(10_000)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="loss.* is nested too deep to be compared; train without a checkpoint"):
        train(tmp_path / "d.pt", loss=loss)


def test_a_checkpoint_of_the_format_before_is_refused(tmp_path: Path) -> None:
    train(tmp_path / "c.pt")
    content = torch.load(tmp_path / "c.pt")
    del content["format"]
    content["fingerprint"] = {"lr": "0.001", "network": "{}"}
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="earlier version, which cannot be compared; use another file, or delete it"):
        train(tmp_path / "c.pt")


def test_a_compression_with_another_teacher_or_other_data_is_refused(tmp_path: Path) -> None:
    recipe = Recipe(prune=0.5, prune_epochs=1, rounds=1, levels=4, alpha=0.5)
    model, teacher, other = network(), network(seed=1), network(seed=2)
    arguments: dict[str, Any] = {"checkpoint": tmp_path, "device": "cpu", "progress": False}
    small = compress(model, recipe, data=rows(), teacher=teacher, **arguments)
    again = compress(model, recipe, data=rows(), teacher=teacher, **arguments)
    assert equal(small.to_model(), again.to_model())
    with pytest.raises(ValueError, match=r"another training: data\.x_train was float32"):
        compress(model, recipe, data=rows(), teacher=other, **arguments)
    with pytest.raises(ValueError, match=r"another training: data\.y_train was int64"):
        compress(model, recipe, teacher=teacher, **data_with(y_train=one_label_changed), **arguments)
