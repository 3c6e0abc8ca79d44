"""What a layer with weights does with channels: it reads those of its input and makes new ones, or carries them along.

A linear layer or a convolution reads: y_o = bias_o + sum_p gain[o, p] x_p, with the kernel summed where x_p is constant
in space. A batch normalization, a depthwise convolution and a PReLU carry: position o is still the same unit.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from course_utils.methods.narrow.channels import Channels, Units
from course_utils.methods.narrow.trace import Trace

__all__ = ["LAYERS", "Layer", "layer_channels"]

CONVOLUTIONS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}
TRANSPOSED = {"conv_transpose1d": 1, "conv_transpose2d": 2, "conv_transpose3d": 3}
LAYERS = {"linear", "batch_norm", "prelu", *CONVOLUTIONS, *TRANSPOSED}
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass
class Layer:
    """A layer of the network that can be made smaller.

    `kind`: "linear", "convolution", "transposed", "depthwise" or "vector" (one number per channel). `out`, `read`: the
    units of its outputs and of its inputs, None where the inputs are not known by channels. `connects`, `gain`
    (outputs, inputs): whether there is a weight that is not zero, and the sum of its kernel. `made`: its outputs, with
    their constants. `foldable`: a constant input other than 0 can be added to the bias instead.
    """

    name: str
    module: Any
    kind: str
    out: list[int]
    made: Channels
    read: Channels | None = None
    connects: Tensor | None = None
    gain: Tensor | None = None
    foldable: bool = False


def layer_channels(
    op: str, node: fx.Node, known: dict[Any, Channels], units: Units, trace: Trace
) -> tuple[Channels | None, Layer | None]:
    """The channels of the result of one of `LAYERS`, and the layer; (None, None) where nothing can be said."""
    if op == "linear":
        return _linear(node, known, units, trace)
    if op == "batch_norm":
        return _batch_norm(node, known, trace)
    if op == "prelu":
        return _prelu(node, known, trace)
    return _convolution(op, node, known, units, trace)


def _owned(node: fx.Node, kinds: tuple[type, ...], trace: Trace) -> tuple[str, Any] | None:
    """The module that computes just what the node does: its weight, and its bias where it has one."""
    found = trace.owner(node.args[1], kinds)
    bias = node.args[2] if len(node.args) > 2 else None
    if found is None or (bias is None) != (found[1].bias is None):
        return None
    return found if bias is None or trace.owner(bias, kinds, "bias") == found else None


def _bias(module: Any, outputs: int) -> Tensor:
    return torch.zeros(outputs, dtype=torch.float64) if module.bias is None else module.bias.detach().double().cpu()


def _computed(
    made: Channels, bias: Tensor, connects: Tensor, gain: Tensor, x: Channels | None, foldable: bool
) -> Channels:
    """The outputs that no varying input reaches are constant."""
    if x is None:
        return made.with_values(~connects.any(1), bias)
    harmless = x.known & ((x.value == 0) | foldable)
    return made.with_values(~connects[:, ~harmless].any(1), bias + gain[:, harmless] @ x.value[harmless])


def _linear(
    node: fx.Node, known: dict[Any, Channels], units: Units, trace: Trace
) -> tuple[Channels | None, Layer | None]:
    found = _owned(node, (nn.Linear,), trace)
    if found is None:
        return None, None
    name, module = found
    x = known.get(node.args[0])
    dim = node.meta["val"].ndim - 1
    if x is not None and x.dim != dim:
        units.keep(x.units, f"{name} reads along another dimension than that of the channels")
        x = None
    weight = module.weight.detach().double().cpu()
    made = Channels.varying(dim, units.new(len(weight)))
    connects = weight != 0
    made = _computed(made, _bias(module, len(weight)), connects, weight, x, foldable=True)
    return made, Layer(name, module, "linear", made.units, made, x, connects, weight, foldable=True)


def _convolution(
    op: str, node: fx.Node, known: dict[Any, Channels], units: Units, trace: Trace
) -> tuple[Channels | None, Layer | None]:
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    found = _owned(node, kinds, trace)
    if found is None:
        return None, None
    name, module = found
    transposed, spatial = op in TRANSPOSED, (CONVOLUTIONS | TRANSPOSED)[op]
    x = known.get(node.args[0])
    dim = node.meta["val"].ndim - 1 - spatial
    if module.groups > 1 and (x is None or transposed or x.dim != dim):
        return None, None
    if x is not None and x.dim != dim:
        units.keep(x.units, f"{name} reads along another dimension than that of the channels")
        x = None
    # A border of zeros sees a constant channel as one that varies; `pad` of other modes is an operation of its own.
    padding = node.args[4] if len(node.args) > 4 else 0
    foldable = not transposed and (padding == "valid" or (not isinstance(padding, str) and not any(_list(padding))))
    weight = module.weight.detach().double().cpu().flatten(2)
    bias = _bias(module, module.out_channels)
    if x is not None and module.groups == module.in_channels and module.groups > 1:
        return _depthwise(name, module, x, bias, weight, foldable)
    connects, gain = (weight != 0).any(2), weight.sum(2)
    if transposed:
        connects, gain = connects.T, gain.T
    made = Channels.varying(dim, units.new(module.out_channels))
    if x is not None and module.groups > 1:
        connects, gain = _dense(connects, module.groups), _dense(gain, module.groups)
        _tie_groups(made.units, module.groups, units)
        _tie_groups(x.units, module.groups, units)
    made = _computed(made, bias, connects, gain, x, foldable)
    kind = "transposed" if transposed else "convolution"
    return made, Layer(name, module, kind, made.units, made, x, connects, gain, foldable)


def _depthwise(
    name: str, module: Any, x: Channels, bias: Tensor, weight: Tensor, foldable: bool
) -> tuple[Channels, Layer]:
    each = module.out_channels // module.in_channels
    carried = [unit for unit in x.units for _ in range(each)]
    is_known, value = x.known.repeat_interleave(each), x.value.repeat_interleave(each)
    dead = (weight == 0).flatten(1).all(1)
    result = bias + torch.where(dead, 0.0, value * weight.sum((1, 2)))
    made = Channels.varying(x.dim, carried).with_values(dead | (is_known & ((value == 0) | foldable)), result)
    return made, Layer(name, module, "depthwise", carried, made)


def _list(padding: Any) -> list[int]:
    return list(padding) if isinstance(padding, (list, tuple)) else [padding]


def _dense(blocks: Tensor, groups: int) -> Tensor:
    """(outputs, inputs of a group) as (outputs, inputs), zero between groups."""
    return torch.block_diag(*blocks.double().chunk(groups)).to(blocks.dtype)


def _tie_groups(positions: list[int], groups: int, units: Units) -> None:
    """The groups of a convolution have the same size, so the k-th channels of all of them go together."""
    size = len(positions) // groups
    for group in range(1, groups):
        units.tie(positions[:size], positions[group * size : (group + 1) * size])


def _batch_norm(node: fx.Node, known: dict[Any, Channels], trace: Trace) -> tuple[Channels | None, Layer | None]:
    arguments: Any = [*node.args, *[None] * 9][:9]
    x = known.get(arguments[0])
    owned = [
        (a, n) for a, n in zip(arguments[1:5], ("weight", "bias", "running_mean", "running_var"), strict=True) if a
    ]
    found = [trace.owner(argument, BATCH_NORMS, own) for argument, own in owned]
    if x is None or x.dim != 1 or not found or found[0] is None or any(owner != found[0] for owner in found):
        return None, None
    name, module = found[0]
    one, zero = torch.ones(len(x.units), dtype=torch.float64), torch.zeros(len(x.units), dtype=torch.float64)
    gamma, beta = (one, zero) if module.weight is None else (_vector(module.weight), _vector(module.bias))
    if module.running_mean is None:  # a batch's own statistics
        made = x.with_values(gamma == 0, beta)
    else:
        normal = (x.value - _vector(module.running_mean)) / (_vector(module.running_var) + module.eps).sqrt()
        made = x.with_values(x.known | (gamma == 0), beta + gamma * torch.where(x.known, normal, 0.0))
    return made, Layer(name, module, "vector", x.units, made)


def _prelu(node: fx.Node, known: dict[Any, Channels], trace: Trace) -> tuple[Channels | None, Layer | None]:
    x = known.get(node.args[0])
    weight = trace.tensor(node.args[1])
    if x is None or weight is None:
        return None, None
    slope = _vector(weight)
    made = x.with_values(x.known, torch.where(x.value > 0, x.value, slope * x.value))
    if len(slope) == 1:
        return made, None
    found = trace.owner(node.args[1], (nn.PReLU,))
    if found is None or x.dim != 1:
        return None, None
    return made, Layer(*found, "vector", x.units, made)


def _vector(values: Tensor) -> Tensor:
    return values.detach().double().cpu()
