"""BitNet b1.58: weights of -1, 0 and +1 by their mean magnitude, inputs of 8 bits by the largest of each token.

    W' = gamma clamp(round(W / gamma), -1, 1)                gamma = mean |W|, for the whole matrix
    x' = clamp(round(127 x / a), -128, 127) a / 127          a = max |x|, for each token

(Ma et al. 2024, arXiv:2402.17764, (1) to (3), with the activations of its published program.) `ternarize` has another
threshold, 0.7 mean |W| in place of 0.5, and another scale, the mean of the weights that are not 0.
"""

from typing import Any

import torch
from torch import Tensor

from course_utils._support.check import floating
from course_utils.methods.binarize.layers import _LinearLayer

__all__ = ["BitLinear", "absmax_round", "absmean_ternarize"]


def absmean_ternarize(w: Tensor) -> tuple[Tensor, Tensor]:
    """Codes -1, 0, +1 like w, and the scale gamma, a 0-d tensor; without a gradient.

    Weights of 0 alone have the codes 0 and the scale 0.

    Raises: TypeError if w is not a floating tensor.

    >>> absmean_ternarize(torch.tensor([-1.0, 0.1, 0.5, 2.0]))
    (tensor([-1.,  0.,  1.,  1.]), tensor(0.9000))
    """
    w = floating("w", w).detach()
    scale = w.abs().mean() if w.numel() else w.new_zeros(())
    codes = (w * (1 / torch.where(scale > 0, scale, 1.0))).round().clamp(-1, 1)
    return codes, scale


def absmax_round(x: Tensor) -> Tensor:
    """The inputs of each token, the last dimension, as multiples of the 127th part of the largest; a tensor like x.

    The gradient passes straight through. Zeros alone stay zeros.

    Raises: TypeError if x is not a floating tensor.

    >>> (127 * absmax_round(torch.tensor([[0.502, 1.0], [-0.502, 0.2]])) / torch.tensor([[1.0], [0.502]])).round()
    tensor([[  64.,  127.],
            [-127.,   51.]])
    """
    return _RoundTokens.apply(floating("x", x))


class _RoundTokens(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        largest = wide.abs().amax(-1, keepdim=True) if x.numel() else wide
        scale = 127 / torch.where(largest > 0, largest, 1.0)
        return ((wide * scale).round().clamp(-128, 127) / scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class _Ternary(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        codes, scale = absmean_ternarize(w)
        return codes * scale

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class BitLinear(_LinearLayer):
    """nn.Linear with ternary weights and inputs of 8 bits (BitNet b1.58, arXiv:2402.17764).

    It keeps real weights for the optimizer, to which the gradient goes as it is. The paper normalizes the input first:
    write nn.Sequential(nn.RMSNorm(n), BitLinear(n, m, bias=False)).

    >>> BitLinear(40, 20).rounded_weight().unique().numel()
    3
    """

    def rounded_weight(self) -> Tensor:
        return _Ternary.apply(self.weight)

    def rounded_input(self, x: Tensor) -> Tensor:
        return absmax_round(x)
