"""Activation functions with a few parameters for each neuron: tanh, PReLU, APL, maxout (lecture, (13) to (16)).

Like torch's PReLU they take (n, features) or (n, features, ...): the neurons, or the channels, are dimension 1. For
others, such as sequences (n, tokens, features), all have the argument `dim`. `device` and `dtype`: of the parameters.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.check import in_range

__all__ = ["APL", "Maxout", "PReLU", "ParametricTanh", "per_feature"]


def per_feature(values: Tensor, s: Tensor, features: int, dim: int = 1) -> Tensor:
    """`values` (features,) shaped to broadcast along a dimension of s.

    Raises: ValueError if s has another number of features there.
    """
    if s.ndim < 2 or not -s.ndim <= dim < s.ndim or s.shape[dim] != features:
        shape = f"(n, {features}) or (n, {features}, ...)" if dim == 1 else f"{features} features in dimension {dim}"
        raise ValueError(
            f"the input must have the shape {shape}, got {tuple(s.shape)}; make the activation with as many features "
            "as the layer before has outputs, and with dim=-1 where they are last"
        )
    return values.view(-1, *[1] * (s.ndim - 1 - dim % s.ndim))


class PReLU(nn.PReLU):
    """g(s) = max(0, s) + a min(0, s), with an a for each feature, or one for all (14).

    torch's, with `dim`. (He, Zhang, Ren, Sun 2015, arXiv:1502.01852.)

    >>> PReLU(3)(-torch.ones(1, 3)).detach()
    tensor([[-0.2500, -0.2500, -0.2500]])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dim: int = 1, **place: Any) -> None:
        super().__init__(num_parameters, init, **place)
        self.dim = dim

    def forward(self, s: Tensor) -> Tensor:
        """g(s), shaped like s."""
        if self.num_parameters == 1 or self.dim == 1:
            return super().forward(s)
        return torch.where(s > 0, s, per_feature(self.weight, s, self.num_parameters, self.dim) * s)


class ParametricTanh(nn.Module):
    """g(s) = a (1 - e^(-b s)) / (1 + e^(-b s)) = a tanh(b s / 2), with an a and a b for each feature (13).

    Starts as tanh: a = 1, b = 2. Input (n, features, ...), output the same. (Chen, Chang 1996.)

    >>> ParametricTanh(3)(torch.ones(1, 3)).detach()
    tensor([[0.7616, 0.7616, 0.7616]])
    """

    def __init__(self, features: int, *, dim: int = 1, **place: Any) -> None:
        super().__init__()
        self.features, self.dim = int(in_range("features", features, 1, math.inf)), dim
        self.a = nn.Parameter(torch.ones(features, **place))
        self.b = nn.Parameter(torch.full((features,), 2.0, **place))

    def forward(self, s: Tensor) -> Tensor:
        """g(s), shaped like s."""
        a, b = (per_feature(p, s, self.features, self.dim) for p in (self.a, self.b))
        return a * torch.tanh(b * s / 2)


class APL(nn.Module):
    """g(s) = max(0, s) + sum_i a_i max(0, -s + b_i), i = 1 ... segments, with 2 segments numbers for each feature (15).

    Adaptive piecewise linear: S hinges give S + 1 kinks. Starts near ReLU: a is drawn with a standard deviation of 0.1,
    b uniformly from [-1, 1]. Input (n, features, ...), output the same. (Agostinelli et al. 2014, arXiv:1412.6830.)

    >>> unit = APL(1, segments=2)
    >>> unit.a.data, unit.b.data = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.5], [0.0]])
    >>> unit(torch.tensor([[-1.0], [2.0]])).detach()
    tensor([[1.5000],
            [2.0000]])
    """

    def __init__(self, features: int, segments: int, *, dim: int = 1, **place: Any) -> None:
        super().__init__()
        self.features, self.dim = int(in_range("features", features, 1, math.inf)), dim
        self.segments = int(in_range("segments", segments, 1, math.inf))
        self.a = nn.Parameter(0.1 * torch.randn(segments, features, **place))
        self.b = nn.Parameter(2 * torch.rand(segments, features, **place) - 1)

    def forward(self, s: Tensor) -> Tensor:
        """g(s), shaped like s."""
        total = s.clamp(min=0)
        for a, b in zip(self.a, self.b, strict=True):  # not all at once: that would take segments times the memory
            hinge = (per_feature(b, s, self.features, self.dim) - s).clamp(min=0)
            total = torch.addcmul(total, per_feature(a, s, self.features, self.dim), hinge)
        return total


class Maxout(nn.Module):
    """g(h) = max_k (w_k h + b_k), k = 1 ... pieces, for each output: a layer and its activation in one (16).

    Input (n, in_features, ...), output (n, out_features, ...). (Goodfellow et al. 2013, arXiv:1302.4389.)

    >>> sum(p.numel() for p in Maxout(18, 300, pieces=3).parameters())
    17100
    """

    def __init__(self, in_features: int, out_features: int, pieces: int, *, dim: int = 1, **place: Any) -> None:
        super().__init__()
        self.pieces, self.dim = int(in_range("pieces", pieces, 1, math.inf)), dim
        self.linear = nn.Linear(in_features, out_features * pieces, **place)

    def forward(self, h: Tensor) -> Tensor:
        """g(h) for inputs h with in_features in dimension `dim`; the output has out_features there."""
        dim = self.dim if h.ndim > 1 else -1
        if not -h.ndim <= dim < h.ndim or h.shape[dim] != self.linear.in_features:
            raise ValueError(
                f"the input must have {self.linear.in_features} features in dimension {dim}, got {tuple(h.shape)}; use "
                "dim=-1 where they are last"
            )
        return self.linear(h.movedim(dim, -1)).unflatten(-1, (-1, self.pieces)).amax(-1).movedim(-1, dim)
