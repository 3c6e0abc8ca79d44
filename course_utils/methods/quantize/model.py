"""Quantizing a trained network: its weights, and with a sample of data the inputs of its layers (figure 12)."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.check import one_of
from course_utils.methods.layers import weight_layers
from course_utils.methods.quantize.affine import QParams, check_bits, choose_qparams, fake_quantize
from course_utils.methods.quantize.compensated import gptq_
from course_utils.methods.quantize.inputs import as_batches, watch_inputs

__all__ = ["quantize_model"]


def quantize_model(
    model: nn.Module,
    *,
    bits: int | Mapping[str, int],
    symmetric: bool = False,
    per_channel: bool = False,
    group: int | None = None,
    rounding: str = "nearest",
    activation_bits: int | None = None,
    calibration: Tensor | Iterable[Tensor] | None = None,
) -> nn.Module:
    """A copy of a network in which each linear and convolutional weight has one of 2^bits values (lecture, figure 12).

    The given network is not changed, and the copy is in the same mode, training or evaluation. `bits`: for all layers,
    or by layer name (`weight_layers` lists them); layers without a name here stay float. `per_channel` gives each
    output row or filter a range of its own, and `group` each so many weights of one, in the order of
    `weight.flatten(1)`; the last group of a row may be shorter. Biases and batch normalization stay float.

    `rounding="gptq"` keeps the sums of each layer close to what they were for the `calibration`, one layer after the
    other (`gptq`, arXiv:2210.17323, columns of large curvature first): the way to 4 bits and fewer without retraining.
    `activation_bits` also rounds the input of each layer to min-max codes, in the range that it has for `calibration`.
    That is one batch of inputs or several; they run in evaluation mode, once, and once for each layer with "gptq".

    Weights are floats of few values, so the copy runs at the speed of floats; `compress` makes the file of few bytes.

    Raises: ValueError for bits outside 2 to 16, an unknown layer or rounding, activation_bits or "gptq" without
    calibration, or a layer that "gptq" is to round and the calibration does not reach.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> quantize_model(model, bits=2)[0].weight.unique().numel() <= 4
    True
    """
    copied = copy.deepcopy(model)
    layers = weight_layers(copied)
    by_name = bits if isinstance(bits, Mapping) else dict.fromkeys(layers, bits)
    if unknown := by_name.keys() - layers.keys():
        raise ValueError(f"bits names no layer {', '.join(sorted(unknown))}; there are {', '.join(layers) or 'none'}")
    one_of("rounding", rounding, ("nearest", "gptq"))
    chosen = {name: layers[name] for name in by_name}
    by_name = {name: check_bits(b) for name, b in by_name.items()}
    batches = []
    if activation_bits is not None or rounding == "gptq":
        batches = as_batches(calibration, 'rounding="gptq"' if rounding == "gptq" else "activation_bits")
    if activation_bits is not None:
        for layer, qparams in _input_ranges(copied, chosen, check_bits(activation_bits), symmetric, batches):
            layer.register_forward_pre_hook(_RoundInput(qparams))
    # Groups are along the rows, so each row has ranges of its own already.
    axis = 0 if per_channel and group is None else None
    options: dict[str, Any] = {"symmetric": symmetric, "axis": axis, "group": group}
    if rounding == "gptq":
        gptq_(copied, chosen, batches, bits=by_name, order="curvature", **options)
    else:
        _round_to_nearest(chosen, by_name, options)
    return copied


@torch.no_grad()
def _round_to_nearest(layers: Mapping[str, nn.Module], bits: Mapping[str, int], options: Mapping[str, Any]) -> None:
    for name, layer in layers.items():
        weight: Tensor = layer.weight  # type: ignore[assignment]
        weight.copy_(fake_quantize(weight.flatten(1), bits=bits[name], **options).view_as(weight))


class _RoundInput:
    """A hook that rounds what goes into a layer; a class, so that the network can be copied and saved."""

    def __init__(self, qparams: QParams) -> None:
        self.qparams = qparams

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (fake_quantize(inputs[0], qparams=self.qparams), *inputs[1:])


@torch.no_grad()
def _input_ranges(
    model: nn.Module,
    layers: Mapping[str, nn.Module],
    bits: int,
    symmetric: bool,
    batches: Iterable[Tensor],
) -> list[tuple[nn.Module, QParams]]:
    """For each layer that the calibration reaches, codes whose range covers all of its inputs."""
    ranges: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def record(name: str, x: Tensor) -> None:
        low, high = torch.aminmax(x)
        low_before, high_before = ranges.get(layers[name], (low, high))
        ranges[layers[name]] = torch.minimum(low, low_before), torch.maximum(high, high_before)

    watch_inputs(model, layers, batches, record)
    if not ranges:
        raise ValueError("calibration reached no layer; give at least one batch of inputs")
    # On the CPU as 0-d tensors, which work with inputs on every device.
    return [
        (layer, choose_qparams(torch.stack(ends).cpu(), bits=bits, symmetric=symmetric))
        for layer, ends in ranges.items()
    ]
