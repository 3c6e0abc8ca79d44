"""Layers without their dead units: the same classes, with smaller tensors, in place of the larger ones."""

from typing import Any

import torch
from torch import Tensor, nn

from course_utils.methods.narrow.dead import living
from course_utils.methods.narrow.flow import Flow
from course_utils.methods.narrow.layers import Layer

__all__ = ["resize_"]


@torch.no_grad()
def resize_(model: nn.Module, flow: Flow, dead: set[int]) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Take the dead units out of `model`; per layer that changed, the shape of its weight before and after."""
    changed = {}
    for layer in flow.layers:
        module: Any = model.get_submodule(layer.name)
        rows = living(layer.out, dead, flow.units)
        inputs = [] if layer.read is None else layer.read.units
        columns = None if layer.read is None else living(inputs, dead, flow.units)
        if len(rows) == len(layer.out) and (columns is None or len(columns) == len(inputs)):
            continue
        before = tuple((layer.module.weight if layer.module.weight is not None else layer.made.known).shape)
        if layer.kind == "vector":
            _narrow_vectors(module, rows)
        elif layer.kind == "depthwise":
            _narrow_depthwise(module, rows)
        else:
            if columns is not None:
                _fold(module, layer, rows, columns)
            _narrow_matrix(module, layer, rows, columns)
        changed[layer.name] = (
            before,
            (len(rows), *before[1:]) if module.weight is None else tuple(module.weight.shape),
        )
    return changed


def _set(module: Any, name: str, value: Tensor) -> None:
    """Another tensor in place of a parameter or buffer."""
    old = getattr(module, name)
    if isinstance(old, nn.Parameter):
        setattr(module, name, nn.Parameter(value.detach().clone(), requires_grad=old.requires_grad))
    else:
        setattr(module, name, value.detach().clone())


def _take(module: Any, name: str, index: Tensor, dim: int = 0) -> None:
    old = getattr(module, name, None)
    if old is not None:
        _set(module, name, old.index_select(dim, index.to(old.device)))


def _narrow_vectors(module: Any, rows: Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        _take(module, name, rows)
    setattr(module, "num_parameters" if isinstance(module, nn.PReLU) else "num_features", len(rows))


def _narrow_depthwise(module: Any, rows: Tensor) -> None:
    each = module.out_channels // module.groups
    _take(module, "weight", rows)
    _take(module, "bias", rows)
    module.out_channels, module.in_channels, module.groups = len(rows), len(rows) // each, len(rows) // each


def _narrow_matrix(module: Any, layer: Layer, rows: Tensor, columns: Tensor | None) -> None:
    groups = getattr(module, "groups", 1)
    out_dim = 1 if layer.kind == "transposed" else 0
    _take(module, "weight", rows, out_dim)
    _take(module, "bias", rows)
    if columns is not None:
        if groups > 1:  # all groups keep the same places, so those of the first are enough
            columns = columns[: len(columns) // groups]
        _take(module, "weight", columns, 1 - out_dim)
    names = ("in_features", "out_features") if layer.kind == "linear" else ("in_channels", "out_channels")
    inputs = module.weight.shape[1 - out_dim] * groups
    setattr(module, names[0], inputs)
    setattr(module, names[1], len(rows))


def _fold(module: Any, layer: Layer, rows: Tensor, columns: Tensor) -> None:
    """Add what the removed inputs give to each output that stays; they are constant."""
    assert layer.read is not None
    assert layer.gain is not None
    removed = torch.ones(len(layer.read.units), dtype=torch.bool)
    removed[columns] = False
    shift = layer.gain[:, removed] @ layer.read.value[removed]
    if not bool(shift[rows].any()):
        return
    weight = module.weight
    if module.bias is None:
        module.bias = nn.Parameter(weight.new_zeros(len(shift)), requires_grad=weight.requires_grad)
    _set(module, "bias", (module.bias.double().cpu() + shift).to(weight))
