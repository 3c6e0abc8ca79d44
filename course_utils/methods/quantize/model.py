"""Quantizing a trained network: its weights, and with a sample of data the inputs of its layers (figure 12)."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.check import one_of
from course_utils.methods.quantize.activation import input_ranges, round_inputs_
from course_utils.methods.quantize.affine import check_bits, fake_quantize
from course_utils.methods.quantize.compensated import gptq_
from course_utils.methods.quantize.inputs import as_batches
from course_utils.methods.weights import KINDS, Weight, changeable_weights, deep_copy

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
    calibration: Any = None,
) -> nn.Module:
    """A copy of a network in which each weight has one of 2^bits values (lecture, figure 12; see `methods.weights`).

    The given network is not changed, and the copy is in the same mode, training or evaluation. `bits`: for all weights,
    or by layer name (`weights_of(model)` lists them); layers without a name here stay float. `per_channel` gives each
    output row or filter a range of its own, and `group` each so many weights of one, in the order of
    `weight.flatten(1)`; the last group of a row may be shorter. Biases and batch normalization stay float.

    `rounding="gptq"`, for linear and convolutional layers, keeps the sums of each close to what they were for the
    `calibration`, one layer after the other (`gptq`, arXiv:2210.17323, columns of large curvature first): the way to 4
    bits and fewer without retraining. `activation_bits` also rounds the input of each layer, which must be linear or
    convolutional, to min-max codes, in the range that it has for `calibration`. That is one batch of inputs, or an
    iterable of batches, such as a DataLoader, where the first part of a tuple is the input; they run in evaluation
    mode, once, and once for each layer with "gptq".

    Weights are floats of few values, so the copy runs at the speed of floats; `compress` makes the file of few bytes.

    Raises: ValueError for bits outside 2 to 16, an unknown layer or rounding, a weight that cannot be changed,
    activation_bits or "gptq" without calibration, for a layer that it does not reach, or one whose input cannot be
    rounded, such as attention.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> quantize_model(model, bits=2)[0].weight.unique().numel() <= 4
    True
    """
    one_of("rounding", rounding, ("nearest", "gptq"))
    names = bits if isinstance(bits, Mapping) else None
    kinds = ("linear", "convolution") if rounding == "gptq" else KINDS
    changeable_weights(model, method="quantize_model", names=names, kinds=kinds)
    copied = deep_copy(model)
    chosen = changeable_weights(copied, method="quantize_model", names=names, kinds=kinds)
    bits_of = {name: check_bits(bits[name] if isinstance(bits, Mapping) else bits) for name in chosen}
    batches: list[Tensor] = []
    if activation_bits is not None or rounding == "gptq":
        batches = as_batches(calibration, 'rounding="gptq"' if rounding == "gptq" else "activation_bits")
    if activation_bits is not None:
        _round_activations(copied, chosen, check_bits(activation_bits, "activation_bits"), symmetric, batches)
    if rounding == "gptq":
        # Groups are along the rows, so each row has ranges of its own already.
        axis = 0 if per_channel and group is None else None
        layers = {name: weight.module for name, weight in chosen.items()}
        gptq_(copied, layers, batches, bits=bits_of, order="curvature", symmetric=symmetric, axis=axis, group=group)
    else:
        _round_to_nearest(chosen, bits_of, symmetric=symmetric, per_channel=per_channel, group=group)
    return copied


@torch.no_grad()
def _round_to_nearest(
    chosen: Mapping[str, Weight], bits: Mapping[str, int], *, symmetric: bool, per_channel: bool, group: int | None
) -> None:
    for name, weight in chosen.items():
        w = weight.tensor
        if group is not None:
            rounded = fake_quantize(w.flatten(1), bits=bits[name], symmetric=symmetric, group=group).view_as(w)
        else:
            # Outputs are rows, but for embeddings and transposed convolutions, whose outputs are columns.
            axis = (1 if weight.input_dim == 0 else 0) if per_channel else None
            rounded = fake_quantize(w, bits=bits[name], symmetric=symmetric, axis=axis)
        w.copy_(rounded)


def _round_activations(
    model: nn.Module, chosen: Mapping[str, Weight], bits: int, symmetric: bool, batches: Iterable[Tensor]
) -> None:
    changeable_weights(
        model, method="quantize_model with activation_bits", names=chosen, kinds=("linear", "convolution", "embedding")
    )
    layers = [
        layer
        for weight in chosen.values()
        for layer in (weight, *weight.also)
        if layer.kind != "embedding"  # its inputs are numbers of rows
    ]
    _keep_from_shortcuts(model)
    round_inputs_(layers, input_ranges(model, layers, batches, bits=bits, symmetric=symmetric))


def _keep_from_shortcuts(model: nn.Module) -> None:
    """Let torch's encoder layers call their parts: in evaluation they would compute from the weights alone."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0
