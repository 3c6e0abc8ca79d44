"""The zeros that a penalty leaves in a network: sparsity of its weight matrices, and active neurons."""

import math

import torch
from torch import nn

from course_utils._support.check import in_range
from course_utils.methods.penalties.groups import penalized_layers

__all__ = ["active_neurons", "sparsity"]


def sparsity(model: nn.Module, *, threshold: float = 0.0) -> list[float]:
    """The fraction of each weight matrix with |w| <= threshold, in the order of the layers; NaN for an empty matrix.

    Linear and convolution weights count, biases do not. The lecture's L2 column needs a threshold of about 1e-3.
    ValueError: a negative threshold. Scardapane et al. 2017, arXiv:1607.00485; lecture, the table of section 04.

    >>> model = nn.Linear(2, 1)
    >>> model.weight.data = torch.tensor([[0.0, 1.0]])
    >>> sparsity(model)
    [0.5]
    """
    in_range("threshold", threshold, 0.0, math.inf)
    counts = [(int((w.abs() <= threshold).sum()), w.numel()) for _, _, w in penalized_layers(model)]
    return [zeros / total if total else math.nan for zeros, total in counts]


def active_neurons(model: nn.Module, *, threshold: float = 0.0) -> list[int]:
    """The number of inputs of each layer with any outgoing |w| > threshold (channels, for a convolution).

    A NaN counts as a weight above the threshold. ValueError: a negative threshold. Source: as `sparsity`.

    >>> model = nn.Linear(3, 2)
    >>> model.weight.data = torch.tensor([[0.0, 1.0, 0.0], [0.0, 2.0, 3.0]])
    >>> active_neurons(model)
    [2]
    """
    in_range("threshold", threshold, 0.0, math.inf)
    active = []
    for _, layer, weight in penalized_layers(model):
        nonzero = torch.logical_not(weight.abs() <= threshold)  # so that NaN counts
        if not getattr(layer, "transposed", False):
            # (out, in / groups, ...): each group of filters reads different input channels
            nonzero = nonzero.unflatten(0, (getattr(layer, "groups", 1), -1)).transpose(1, 2).flatten(0, 1)
        active.append(int(nonzero.flatten(1).any(1).sum()))  # one row per input, from (in, out, ...)
    return active
