"""Linear and convolutional layers whose weights are binary or ternary, and those whose inputs are binary too.

A layer keeps real weights, which the optimizer moves, and computes with their rounded values. After each optimizer step
the real weights are clipped to [-1, 1] by `clip_`, or they would grow without an effect. `fit` does so with
`after_step=clip_`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.methods.binarize.weights import binarize, ternarize

__all__ = ["BNNConv2d", "BNNLinear", "BinaryConv2d", "BinaryLinear", "TernaryConv2d", "TernaryLinear", "clip_"]


class _Rounding:
    """The base of all layers: they compute with `rounded_weight()` and `rounded_input(x)`."""

    def rounded_weight(self) -> Tensor:
        """The weights that the layer computes with."""
        raise NotImplementedError

    def rounded_input(self, x: Tensor) -> Tensor:
        """The input that the layer computes with."""
        return x


class _LinearLayer(_Rounding, nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.rounded_input(x), self.rounded_weight(), self.bias)


class _Conv2dLayer(_Rounding, nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(self.rounded_input(x), self.rounded_weight(), self.bias)


class _BinaryWeight(_Rounding):
    weight: Tensor
    training: bool

    def __init__(
        self, *args: Any, stochastic: bool = False, generator: torch.Generator | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.stochastic, self.generator = stochastic, generator

    def rounded_weight(self) -> Tensor:
        if not self.stochastic:
            return binarize(self.weight)
        # Section 2.6 of the paper: noise is for training; a network trained with it is used with its real weights.
        return binarize(self.weight, stochastic=True, generator=self.generator) if self.training else self.weight


class BinaryLinear(_BinaryWeight, _LinearLayer):
    """nn.Linear with BinaryConnect weights (Courbariaux, Bengio, David 2015, arXiv:1511.00363; lecture (10), (11)).

    `stochastic`: draw the signs in each training step (with `generator`), and use the real weights in evaluation mode;
    otherwise the signs in both. The other arguments are those of nn.Linear.

    >>> BinaryLinear(4, 2).rounded_weight().abs().unique()
    tensor([1.], grad_fn=<Unique2Backward0>)
    """


class BinaryConv2d(_BinaryWeight, _Conv2dLayer):
    """nn.Conv2d with BinaryConnect weights; see `BinaryLinear`.

    >>> BinaryConv2d(1, 2, 3, stochastic=True)(torch.ones(1, 1, 5, 5)).shape
    torch.Size([1, 2, 3, 3])
    """


class _TernaryWeight(_Rounding):
    weight: Tensor

    def __init__(self, *args: Any, factor: float = 0.7, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.factor = factor

    def rounded_weight(self) -> Tensor:
        codes, scale = ternarize(self.weight, factor=self.factor)
        return _Replace.apply(self.weight, codes * scale)


class TernaryLinear(_TernaryWeight, _LinearLayer):
    """nn.Linear with ternary weights, scale * {-1, 0, 1} (Li, Zhang, Liu 2016, arXiv:1605.04711).

    `factor` times the mean magnitude is the threshold below which a weight is 0. The gradient goes to the real weights
    as it is.

    >>> TernaryLinear(40, 20).rounded_weight().unique().numel()
    3
    """


class TernaryConv2d(_TernaryWeight, _Conv2dLayer):
    """nn.Conv2d with ternary weights; see `TernaryLinear`.

    >>> TernaryConv2d(1, 2, 3)(torch.ones(1, 1, 5, 5)).shape
    torch.Size([1, 2, 3, 3])
    """


class _Replace(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, w: Tensor, rounded: Tensor) -> Tensor:
        return rounded.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class _BinaryInput(_BinaryWeight):
    def rounded_weight(self) -> Tensor:
        # Such a layer is for products of signs, so its weights are signs in evaluation mode too.
        return binarize(self.weight, stochastic=self.stochastic and self.training, generator=self.generator)

    def rounded_input(self, x: Tensor) -> Tensor:
        return binarize(x)


class BNNLinear(_BinaryInput, _LinearLayer):
    """nn.Linear whose weights and inputs are signs (Courbariaux, Hubara et al. 2016, arXiv:1602.02830).

    The input must not be signs yet: its gradient is cut where it lies outside [-1, 1]. With packed bits
    `xnor_linear` gives the same product.

    >>> BNNLinear(8, 2, bias=False)(torch.ones(1, 8)).int() % 2  # a sum of eight signs is even
    tensor([[0, 0]], dtype=torch.int32)
    """


class BNNConv2d(_BinaryInput, _Conv2dLayer):
    """nn.Conv2d whose weights and inputs are signs; see `BNNLinear`. Padding adds zeros, which have no sign.

    >>> BNNConv2d(1, 2, 3)(torch.ones(1, 1, 5, 5)).shape
    torch.Size([1, 2, 3, 3])
    """


@torch.no_grad()
def clip_(model: nn.Module) -> nn.Module:
    """Clip the real weights of all binary layers to [-1, 1], in place; to be called after each optimizer step.

    Returns the model. (Courbariaux, Bengio, David 2015, arXiv:1511.00363, section 2.4.)

    >>> layer = BinaryLinear(2, 2)
    >>> _ = layer.weight.data.fill_(3)
    >>> clip_(layer).weight.max().item()
    1.0
    """
    for layer in model.modules():
        if isinstance(layer, _BinaryWeight):
            layer.weight.clamp_(-1, 1)
    return model
