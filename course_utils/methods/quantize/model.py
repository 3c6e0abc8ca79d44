"""Quantizing a trained network: its weights, and with a sample of data the inputs of its layers (figure 12)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.methods.quantize.activation import input_ranges, round_inputs_
from course_utils.methods.quantize.affine import check_bits, fake_quantize
from course_utils.methods.weights import Weight, changeable_weights, deep_copy

__all__ = ["quantize_model"]


def quantize_model(
    model: nn.Module,
    *,
    bits: int | Mapping[str, int],
    symmetric: bool = False,
    per_channel: bool = False,
    activation_bits: int | None = None,
    calibration: Any = None,
) -> nn.Module:
    """A copy of a network in which each weight has one of 2^bits values (lecture, figure 12; see `methods.weights`).

    The given network is not changed, and the copy is in the same mode, training or evaluation. `bits`: for all weights,
    or by layer name (`weights_of(model)` lists them); layers without a name here stay float. `per_channel` gives each
    output row or filter a range of its own. Biases and batch normalization stay float. `activation_bits` also rounds
    the input of each layer, which must be linear or convolutional, to min-max codes; their range is taken from
    `calibration`, which runs through the float network once, in evaluation mode: one batch of inputs, or an iterable of
    batches, such as a DataLoader, where the first part of a tuple is the input. Weights are rounded by
    `fake_quantize`, so the copy runs at the speed of floats; `compress` makes the file of few bytes.

    Raises: ValueError for bits outside 2 to 16, an unknown layer, a weight that cannot be changed, activation_bits
    without calibration or with a layer whose input cannot be rounded, such as attention.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> quantize_model(model, bits=2)[0].weight.unique().numel() <= 4
    True
    """
    names = bits if isinstance(bits, Mapping) else None
    changeable_weights(model, method="quantize_model", names=names)
    copied = deep_copy(model)
    chosen = changeable_weights(copied, method="quantize_model", names=names)
    bits_of = {name: check_bits(bits[name] if isinstance(bits, Mapping) else bits) for name in chosen}
    if activation_bits is not None:
        _round_activations(copied, chosen, check_bits(activation_bits, "activation_bits"), symmetric, calibration)
    with torch.no_grad():
        for name, weight in chosen.items():
            # Outputs are rows, but for embeddings and transposed convolutions, whose outputs are columns.
            axis = (1 if weight.input_dim == 0 else 0) if per_channel else None
            w = weight.tensor
            w.copy_(fake_quantize(w, bits=bits_of[name], symmetric=symmetric, axis=axis))
    return copied


def _round_activations(
    model: nn.Module, chosen: Mapping[str, Weight], bits: int, symmetric: bool, calibration: Any
) -> None:
    if calibration is None:
        raise ValueError("activation_bits needs calibration, a batch of inputs or several; for weights alone omit it")
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
    round_inputs_(layers, input_ranges(model, layers, _batches(calibration), bits=bits, symmetric=symmetric))


def _batches(calibration: Any) -> Iterator[Tensor]:
    batches: Iterable[Any] = [calibration] if isinstance(calibration, Tensor) else calibration
    for batch in batches:
        x = batch[0] if isinstance(batch, (tuple, list)) else batch
        if not isinstance(x, Tensor):
            raise TypeError(
                f"calibration must be a batch of inputs, an iterable of them, or of tuples that start with one, got a "
                f"batch of {type(x).__name__}"
            )
        yield x


def _keep_from_shortcuts(model: nn.Module) -> None:
    """Let torch's encoder layers call their parts: in evaluation they would compute from the weights alone."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0
