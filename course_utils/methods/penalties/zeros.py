"""The zeros that a penalty leaves in a network: sparsity of its weight matrices, and active neurons."""

import math

import torch
from torch import nn

from course_utils._support.check import in_range
from course_utils.methods.weights import Weight, weights_of

__all__ = ["active_neurons", "sparsity"]


def sparsity(model: nn.Module, *, threshold: float = 0.0) -> list[float]:
    """The fraction of each weight matrix with |w| <= threshold, in the order of `weights`; NaN for an empty matrix.

    What counts is what a layer computes with: of a ternary layer its codes, of a parametrized one the result. The
    lecture's L2 column needs a threshold of about 1e-3. ValueError: a negative threshold. Scardapane et al. 2017,
    arXiv:1607.00485; lecture, the table of section 04.

    >>> model = nn.Linear(2, 1)
    >>> model.weight.data = torch.tensor([[0.0, 1.0]])
    >>> sparsity(model)
    [0.5]
    """
    in_range("threshold", threshold, 0.0, math.inf)
    tensors = [weight.computed.detach() for weight in weights_of(model).values()]
    return [int((w.abs() <= threshold).sum()) / w.numel() if w.numel() else math.nan for w in tensors]


def active_neurons(model: nn.Module, *, threshold: float = 0.0) -> list[int]:
    """The number of inputs of each layer with any outgoing |w| > threshold (channels, for a convolution).

    A NaN counts as a weight above the threshold. ValueError: a negative threshold. Source: as `sparsity`.

    >>> model = nn.Linear(3, 2)
    >>> model.weight.data = torch.tensor([[0.0, 1.0, 0.0], [0.0, 2.0, 3.0]])
    >>> active_neurons(model)
    [2]
    """
    in_range("threshold", threshold, 0.0, math.inf)
    return [_active(weight, threshold) for weight in weights_of(model).values()]


def _active(weight: Weight, threshold: float) -> int:
    nonzero = torch.logical_not(weight.computed.detach().abs() <= threshold)  # so that NaN counts
    if weight.input_dim is None:  # bilinear, (out, in, in)
        return int(nonzero.any(2).any(0).sum() + nonzero.any(1).any(0).sum())
    if weight.input_dim == 1:
        # (out, in / groups, ...): each group of filters reads different input channels
        nonzero = nonzero.unflatten(0, (getattr(weight.module, "groups", 1), -1)).transpose(1, 2).flatten(0, 1)
    return int(nonzero.flatten(1).any(1).sum())  # one row per input, from (in, out, ...)
