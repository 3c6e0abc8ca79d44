"""Rounding inside of a network that is being trained: a min-max layer, and a step size that is learned (LSQ).

Both are modules that round what passes through them, with a straight-through gradient. In an nn.Sequential they round
activations; a weight is rounded by torch.nn.utils.parametrize.register_parametrization(layer, "weight", module).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.check import floating, in_range
from course_utils.methods.quantize.affine import check_bits, choose_qparams, fake_quantize

__all__ = ["LSQ", "MinMaxQuantizer"]


class MinMaxQuantizer(nn.Module):
    """Rounds to min-max codes in a range that follows what it sees in training mode; the range is part of the state.

    `bits`, `symmetric` as in `choose_qparams`. Each batch moves the range towards its minimum and maximum by `momentum`
    of the way, the first all the way; momentum=None covers all that was seen. In evaluation mode the range stays.
    (Jacob et al. 2017, arXiv:1712.05877, section 3.1.) Agrees with torch.ao.quantization.FakeQuantize over a
    MovingAverageMinMaxObserver but for the last bit of the scale, which torch computes in float32.

    Raises: ValueError for bits outside 2 to 16, a momentum outside 0 to 1, or values that are not finite; RuntimeError
    in evaluation mode before any training.

    >>> quantizer = MinMaxQuantizer(bits=2)
    >>> quantizer(torch.tensor([0.0, 1.2, 3.0]))
    tensor([0., 1., 3.])
    >>> quantizer.eval()(torch.tensor([0.4, 9.0]))
    tensor([0., 3.])
    """

    low: Tensor
    high: Tensor

    def __init__(self, *, bits: int, symmetric: bool = False, momentum: float | None = 0.01) -> None:
        super().__init__()
        self.bits, self.symmetric = check_bits(bits), symmetric
        self.momentum = None if momentum is None else in_range("momentum", momentum, 0, 1)
        self.register_buffer("low", torch.tensor(math.inf))
        self.register_buffer("high", torch.tensor(-math.inf))

    def forward(self, x: Tensor) -> Tensor:
        """The rounded x, a tensor like it."""
        if self.training and floating("x", x).numel():
            self._follow(x.detach())
        if not bool(self.low <= self.high):
            raise RuntimeError("MinMaxQuantizer has no range yet; let it see a batch in training mode first")
        ends = torch.stack([self.low, self.high]).to(torch.promote_types(x.dtype, torch.float32))
        return fake_quantize(x, qparams=choose_qparams(ends, bits=self.bits, symmetric=self.symmetric))

    def _follow(self, x: Tensor) -> None:
        low, high = (end.to(self.low.dtype) for end in torch.aminmax(x))
        if not bool(torch.isfinite(low) & torch.isfinite(high)):
            raise ValueError("x must be finite to have a range, got NaN or infinity; lower the learning rate")
        if bool(self.low > self.high):
            low, high = low.clone(), high.clone()
        elif self.momentum is None:
            low, high = torch.minimum(low, self.low), torch.maximum(high, self.high)
        else:
            low, high = torch.lerp(self.low, low, self.momentum), torch.lerp(self.high, high, self.momentum)
        self.low.copy_(low)
        self.high.copy_(high)

    def extra_repr(self) -> str:
        """What print(model) says of it."""
        return f"bits={self.bits}, symmetric={self.symmetric}, momentum={self.momentum}"


class LSQ(nn.Module):
    """Learned step size: v' = round(clamp(v / s, -Qn, Qp)) s, where s is a parameter that is trained with the others.

    `step` s: a positive number, or a tensor that broadcasts against v, such as (out, 1). Codes are -2^(b-1) to
    2^(b-1) - 1 where `signed`, and 0 to 2^b - 1 otherwise, for what comes from a ReLU. `activations`: v is a batch,
    whose size does not count. With N values for a step its gradient is multiplied by 1 / sqrt(N Qp), so that it moves
    about as fast as the weights; it is round(v / s) - v / s within the range, and -Qn or Qp outside. (Esser et al.
    2019, arXiv:1902.08153, (1) to (3) and section 2.2.)

    Raises: ValueError for bits outside 2 to 16, or a step that is not positive and finite.

    >>> layer = nn.Linear(4, 3)
    >>> lsq = LSQ.fitted(layer.weight, bits=2)
    >>> layer = nn.utils.parametrize.register_parametrization(layer, "weight", lsq)
    >>> layer.weight.unique().numel() <= 4
    True
    """

    def __init__(self, *, bits: int, step: float | Tensor, signed: bool = True, activations: bool = False) -> None:
        super().__init__()
        self.bits, self.signed, self.activations = check_bits(bits), signed, activations
        step = torch.as_tensor(step).detach().clone()
        if not bool((torch.isfinite(step) & (step > 0)).all()):
            raise ValueError(
                f"step must be positive and finite, got {step.tolist()!r}; LSQ.fitted finds one from values"
            )
        self.step = nn.Parameter(step if step.is_floating_point() else step.float())

    @classmethod
    def fitted(
        cls, v: Tensor, *, bits: int, signed: bool = True, activations: bool = False, axis: int | None = None
    ) -> "LSQ":
        """With the step 2 mean |v| / sqrt(Qp) of the paper, for all values or for each slice along `axis`.

        A slice of zeros gets the step 1.

        >>> float(LSQ.fitted(torch.tensor([3.0, -1.0]), bits=3).step.detach())
        2.309401035308838
        """
        magnitude = floating("v", v).detach().abs()
        magnitude = magnitude if v.dtype == torch.float64 else magnitude.float()
        reduced = range(v.ndim) if axis is None else [d for d in range(v.ndim) if d != axis % v.ndim]
        mean = magnitude.mean() if axis is None else magnitude.mean(list(reduced), keepdim=True)
        highest = 2 ** (check_bits(bits) - signed) - 1
        step = torch.where(mean > 0, 2 * mean / math.sqrt(highest), 1.0)
        return cls(bits=bits, step=step, signed=signed, activations=activations)

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest code, -Qn and Qp."""
        return (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.signed else (0, 2**self.bits - 1)

    def forward(self, v: Tensor) -> Tensor:
        """The rounded v, a tensor like it."""
        low, high = self.limits
        examples = len(v) if self.activations else 1
        count = floating("v", v).numel() / max(1, examples * self.step.numel())
        # A step of 0 or less would mean nothing, and a step of the optimizer may lead there.
        step = _ScaleGradient.apply(self.step, 1 / math.sqrt(max(1, count) * high))
        step = torch.where(step > 0, step, step - step.detach() + torch.finfo(step.dtype).eps)
        wide = v.to(torch.promote_types(v.dtype, step.dtype))
        return (_RoundThrough.apply((wide / step).clamp(low, high)) * step).to(v.dtype)

    def extra_repr(self) -> str:
        """What print(model) says of it."""
        return f"bits={self.bits}, signed={self.signed}, activations={self.activations}"


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factor, None


class _RoundThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad
