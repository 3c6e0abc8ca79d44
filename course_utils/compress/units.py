"""The hidden units of a chain of layers: which there are, a narrower network of some of them, and the way back.

A unit is a neuron of a linear layer or a channel of a convolution: a row of one weight matrix, and the columns of the
next one that read it. Known for `nn.Sequential`, where what stands between two layers keeps the units apart.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Hidden", "embed_", "hidden_layers", "keep_units", "sort_units_", "strongest_units"]

KEEPS_UNITS = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.MaxPool2d, nn.AvgPool2d, nn.Flatten, nn.Dropout, nn.Identity)


@dataclass(frozen=True)
class Hidden:
    """A layer whose outputs are hidden units, the layer that reads them, and how many columns a unit has there."""

    name: str
    layer: Any
    reader: Any
    span: int

    @property
    def units(self) -> int:
        """How many there are."""
        return len(self.layer.weight)

    def columns(self) -> Tensor:
        """The reader's weight with one column for each unit, (outputs, units, ...); a view."""
        weight = self.reader.weight
        return weight.reshape(weight.shape[0], self.units, -1)


def hidden_layers(model: nn.Module) -> list[Hidden]:
    """The hidden layers of a chain, in order.

    Raises: ValueError for a network that is no chain of linear and convolutional layers.

    >>> [(h.name, h.units, h.span) for h in hidden_layers(nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2)))]
    [('0', 6, 1)]
    """
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"units are known for nn.Sequential alone, got {type(model).__name__}; leave `units` out")
    chain = []
    for name, part in model.named_children():
        if isinstance(part, (nn.Linear, nn.Conv2d)) and getattr(part, "groups", 1) == 1:
            chain.append((name, part))
        elif not isinstance(part, KEEPS_UNITS):
            raise ValueError(f"units are not known behind {type(part).__name__}, layer {name!r}; leave `units` out")
    return [
        Hidden(name, layer, reader, reader.weight.shape[1] // layer.weight.shape[0])
        for (name, layer), (_, reader) in pairwise(chain)
    ]


def strongest_units(model: nn.Module, counts: Mapping[str, int]) -> dict[str, Tensor]:
    """For each layer that `counts` names so many of its units, rising: those of the largest |in| |out|.

    |in| and |out| are the norms of the weights into a unit and out of it.

    Raises: ValueError for a layer that is not hidden, or more units than it has.
    """
    hidden = {h.name: h for h in hidden_layers(model)}
    chosen = {}
    for name, count in counts.items():
        if name not in hidden or not 1 <= count <= hidden[name].units:
            known = ", ".join(f"{n}: {h.units}" for n, h in hidden.items())
            raise ValueError(f"units must name hidden layers and at most as many units, got {name}: {count} of {known}")
        h = hidden[name]
        into = h.layer.weight.detach().flatten(1).norm(dim=1)
        out = h.columns().detach().transpose(0, 1).flatten(1).norm(dim=1)
        chosen[name] = (into * out).topk(count).indices.sort().values
    return chosen


@torch.no_grad()
def keep_units(model: nn.Module, units: Mapping[str, Tensor]) -> nn.Module:
    """A new network with only these units of the layers that are named.

    >>> model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
    >>> small = keep_units(model, {"0": torch.tensor([1, 4])})
    >>> small[0].weight.shape, small[2].weight.shape
    (torch.Size([2, 8]), torch.Size([2, 2]))
    """
    small = copy.deepcopy(model)
    for h in hidden_layers(small):
        if h.name in units:
            rows = units[h.name].to(h.layer.weight.device)
            columns = h.columns()[:, rows]
            _resize(h.layer, h.layer.weight[rows], None if h.layer.bias is None else h.layer.bias[rows])
            shape = (columns.shape[0], len(rows) * h.span, *h.reader.weight.shape[2:])
            _resize(h.reader, columns.reshape(shape), h.reader.bias)
    return small


def _resize(layer: Any, weight: Tensor, bias: Tensor | None) -> None:
    layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = weight.shape
    else:
        layer.out_channels, layer.in_channels = weight.shape[:2]


@torch.no_grad()
def embed_(model: nn.Module, small: nn.Module, units: Mapping[str, Tensor]) -> None:
    """Write a narrow network back into the network that it was taken from, whose other units become zero.

    >>> model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
    >>> units = {"0": torch.tensor([1, 4])}
    >>> small, x = keep_units(model, units), torch.ones(1, 8)
    >>> embed_(model, small, units)
    >>> bool(torch.allclose(model(x), small(x))), int((model[0].weight == 0).all(1).sum())
    (True, 4)
    """
    outer, inner = hidden_layers(model), hidden_layers(small)
    layers = [(h.name, h.layer, s.layer) for h, s in zip(outer, inner, strict=True)]
    layers.append(("", outer[-1].reader, inner[-1].reader))  # the outputs, which all stay
    inputs = layers[0][1].weight.shape[1]
    columns, column_count = torch.arange(inputs), inputs  # the units of the layer before, and how many there are in all
    for name, layer, small_layer in layers:
        rows = units.get(name, torch.arange(len(layer.weight)))
        wide = torch.zeros(len(rows), column_count, layer.weight[0].numel() // column_count, device=layer.weight.device)
        wide[:, columns] = small_layer.weight.reshape(len(rows), len(columns), -1)
        layer.weight.zero_()
        layer.weight[rows] = wide.reshape(len(rows), *layer.weight.shape[1:])
        if layer.bias is not None:
            layer.bias.zero_()
            layer.bias[rows] = small_layer.bias
        columns, column_count = rows, len(layer.weight)


@torch.no_grad()
def sort_units_(model: nn.Module) -> None:
    """Put the units of each hidden layer in the order of how many weights lead into them, the most first.

    The network computes the same, up to the order in which sums are taken; its positions become easier to predict.

    >>> model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> model[0].weight.data = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]])
    >>> model[2].weight.data = torch.tensor([[4.0, 5.0]])
    >>> sort_units_(model)
    >>> model[0].weight.tolist(), model[2].weight.tolist()
    ([[2.0, 0.0, 3.0], [0.0, 1.0, 0.0]], [[5.0, 4.0]])
    """
    for h in hidden_layers(model):
        order = (h.layer.weight.flatten(1) != 0).sum(1).argsort(descending=True, stable=True)
        h.layer.weight.copy_(h.layer.weight[order])
        if h.layer.bias is not None:
            h.layer.bias.copy_(h.layer.bias[order])
        h.reader.weight.copy_(h.columns()[:, order].reshape(h.reader.weight.shape))
