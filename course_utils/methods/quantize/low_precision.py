"""Training in low precision: Algorithm 1 of Courbariaux, Bengio, David 2015 (arXiv:1412.7024; lecture, section 05).

    forward    round the parameters and the input of each layer to b bits, multiply and add in float,
               round the weighted sums to b bits, apply the activation
    backward   the same with the gradients of sums and inputs; gradients of parameters stay float
    update     the parameters themselves have b' >= b bits, because a gradient step is small

Each layer has its own dynamic fixed-point ranges for its input, weight, bias, sums and the gradients of these.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.check import in_range
from course_utils.methods.after_step import after_steps
from course_utils.methods.quantize.affine import check_bits
from course_utils.methods.quantize.fixed import DynamicFixedPoint
from course_utils.methods.weights import changeable_weights

__all__ = ["LowPrecision"]

PLAIN = {kind.forward for kind in (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)}  # what is computed here at b bits


class NumberFormat(Protocol):
    """The format of the numbers of one group, such as `DynamicFixedPoint`."""

    def round(self, x: Tensor, *, stochastic: bool = False, generator: torch.Generator | None = None) -> Tensor:
        """The number of this format for each x."""

    def update(self) -> None:
        """Adapt the range to what has been rounded since the last call."""


class LowPrecision:
    """A context around any training loop: inside, the network computes at b bits and stores updates at b' bits.

    `compute_bits` (b) and `update_bits` (b') from 2 to 16; `update_bits=None` keeps the parameters in float32.
    `stochastic`: stochastic rounding of the updates, by which steps smaller than the last bit are not lost on average.
    The ranges are adapted after each of the first `settle` optimizer steps, because those of the first batch are soon
    too narrow, and then after every `update_every` steps (the paper finds its first ranges by training in a wider
    format). `number_format` makes the format of a group from its bits, by default a `DynamicFixedPoint`; any
    `NumberFormat` will do. `layers`: the names of those that compute at b bits, instead of all; they must be linear or
    convolutional. Inside the context the network is evaluated at b bits too, and so is a copy of it; afterwards both
    are ordinary networks again, and the parameters have b' bits. (Courbariaux, Bengio, David 2015, arXiv:1412.7024,
    Algorithm 1.)

    Raises: ValueError for bits outside 2 to 16, a network without weights, or weights of other layers, such as
    attention, whose sums cannot be rounded; RuntimeError where the context is entered twice.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with LowPrecision(model, compute_bits=10, update_bits=12):
    ...     model(torch.ones(5, 4)).sum().backward()
    ...     optimizer.step()
    >>> model[0].weight.unique().numel() <= 2**12
    True
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        compute_bits: int,
        update_bits: int | None,
        stochastic: bool = False,
        generator: torch.Generator | None = None,
        settle: int = 100,
        update_every: int = 100,
        number_format: Callable[[int], NumberFormat] = lambda bits: DynamicFixedPoint(bits=bits),
        layers: Iterable[str] | None = None,
    ) -> None:
        self.model = model
        self.compute_bits = check_bits(compute_bits, "compute_bits")
        self.update_bits = None if update_bits is None else check_bits(update_bits, "update_bits")
        self.stochastic, self.generator = stochastic, generator
        self.settle = int(in_range("settle", settle, 0, float("inf")))
        self.update_every = int(in_range("update_every", update_every, 1, float("inf")))
        kinds = ("linear", "convolution")
        chosen = changeable_weights(model, method="LowPrecision", names=layers, kinds=kinds).values()
        self.layers = [layer for weight in chosen for layer in (weight, *weight.also)]
        for weight in self.layers:
            if type(weight.module).forward not in PLAIN:
                raise ValueError(
                    f"LowPrecision cannot compute layer {weight.name!r}, as {type(weight.module).__name__} has a "
                    "forward of its own; use nn.Linear or a convolution there, or name the other layers"
                )
        self.formats: dict[str, NumberFormat] = defaultdict(partial(number_format, self.compute_bits))
        self._parameters: dict[str, NumberFormat] = {}
        if self.update_bits is not None:
            self._parameters = {name: number_format(self.update_bits) for name, _ in model.named_parameters()}
        self._steps = 0
        self._stack: ExitStack | None = None

    def __enter__(self) -> "LowPrecision":
        if self._stack is not None:
            raise RuntimeError("this LowPrecision context is open already; leave it first, or make another")
        self._stack = ExitStack()
        for weight in self.layers:
            weight.module.forward = _Forward(self, weight.name, weight.module)
            self._stack.callback(weight.module.__dict__.pop, "forward")
        self._stack.enter_context(_without_shortcuts())
        self._stack.enter_context(after_steps(self.model, self._after_step))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._stack is not None
        self._stack.close()
        self._stack = None

    def forward(self, name: str, layer: Any, x: Tensor) -> Tensor:
        """What a layer of this name computes at b bits; outside of the context, at full precision."""
        if self._stack is None:
            return type(layer).forward(layer, x)
        x = self._round(x, f"{name}.input", with_gradient=True)
        # The gradient of a parameter goes to the optimizer in full precision.
        weight = self._round(layer.weight, f"{name}.weight")
        bias = None if layer.bias is None else self._round(layer.bias, f"{name}.bias")
        sums = F.linear(x, weight, bias) if isinstance(layer, nn.Linear) else layer._conv_forward(x, weight, bias)
        return self._round(sums, f"{name}.sum", with_gradient=True)

    def _round(self, x: Tensor, name: str, *, with_gradient: bool = False) -> Tensor:
        gradient = self.formats[f"{name} gradient"] if with_gradient else None
        return _RoundBoth.apply(x, self.formats[name], gradient)

    def _after_step(self) -> None:
        for name, p in self.model.named_parameters():
            if name in self._parameters:
                number_format = self._parameters[name]
                p.copy_(number_format.round(p, stochastic=self.stochastic, generator=self.generator))
        self._steps += 1
        if self._steps <= self.settle or self._steps % self.update_every == 0:
            for group in (*self.formats.values(), *self._parameters.values()):
                group.update()


class _Forward:
    """The `forward` of a layer within the context. A copy of the layer gets one of its own."""

    def __init__(self, context: LowPrecision | None, name: str, layer: nn.Module) -> None:
        self.context, self.name, self.layer = context, name, layer

    def __call__(self, input: Tensor) -> Tensor:
        if self.context is None:
            return type(self.layer).forward(self.layer, input)
        return self.context.forward(self.name, self.layer, input)

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Forward":
        return _Forward(self.context, self.name, copy.deepcopy(self.layer, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Forward, (None, self.name, self.layer)


@contextmanager
def _without_shortcuts() -> Iterator[None]:
    """Let torch's encoder layers call their parts: in evaluation they would compute from the weights alone."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _RoundBoth(torch.autograd.Function):
    """Rounds a value in the forward pass, and its gradient in the backward pass where that has a format.

    The gradient passes also where the value overflowed: a weight at the end of its range must be able to come back.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: NumberFormat, gradient: NumberFormat | None) -> Tensor:
        ctx.gradient = gradient
        return value.round(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (grad if ctx.gradient is None else ctx.gradient.round(grad)), None, None
