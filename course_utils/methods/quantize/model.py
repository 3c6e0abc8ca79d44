"""Quantizing a trained network: its weights, and with a sample of data the inputs of its layers (figure 12)."""

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from course_utils.methods.layers import evaluation_mode, weight_layers
from course_utils.methods.quantize.affine import QParams, check_bits, choose_qparams, fake_quantize

__all__ = ["quantize_model"]


def quantize_model(
    model: nn.Module,
    *,
    bits: int | Mapping[str, int],
    symmetric: bool = False,
    per_channel: bool = False,
    activation_bits: int | None = None,
    calibration: Tensor | Iterable[Tensor] | None = None,
) -> nn.Module:
    """A copy of a network in which each linear and convolutional weight has one of 2^bits values (lecture, figure 12).

    The given network is not changed, and the copy is in the same mode, training or evaluation. `bits`: for all layers,
    or by layer name (`weight_layers` lists them); layers without a name here stay float. `per_channel` gives each
    output row or filter a range of its own. Biases and batch normalization stay float. `activation_bits` also rounds
    the input of each layer to min-max codes; their range is taken from `calibration`, one batch of inputs or several,
    that runs through the float network once, in evaluation mode. Weights are rounded by `fake_quantize`, so the copy
    runs at the speed of floats; `compress` makes the file of few bytes.

    Raises: ValueError for bits outside 2 to 16, an unknown layer, or activation_bits without calibration.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> quantize_model(model, bits=2)[0].weight.unique().numel() <= 4
    True
    """
    copied = copy.deepcopy(model)
    layers = weight_layers(copied)
    by_name = bits if isinstance(bits, Mapping) else dict.fromkeys(layers, bits)
    if unknown := by_name.keys() - layers.keys():
        raise ValueError(f"bits names no layer {', '.join(sorted(unknown))}; there are {', '.join(layers) or 'none'}")
    chosen = {layers[name]: check_bits(b) for name, b in by_name.items()}
    if activation_bits is not None:
        for layer, qparams in _input_ranges(copied, chosen, check_bits(activation_bits), symmetric, calibration):
            layer.register_forward_pre_hook(_RoundInput(qparams))
    with torch.no_grad():
        for layer, b in chosen.items():
            axis = 0 if per_channel else None
            layer.weight.copy_(fake_quantize(layer.weight, bits=b, symmetric=symmetric, axis=axis))
    return copied


class _RoundInput:
    """A hook that rounds what goes into a layer; a class, so that the network can be copied and saved."""

    def __init__(self, qparams: QParams) -> None:
        self.qparams = qparams

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (fake_quantize(inputs[0], qparams=self.qparams), *inputs[1:])


@torch.no_grad()
def _input_ranges(
    model: nn.Module,
    layers: Iterable[nn.Module],
    bits: int,
    symmetric: bool,
    calibration: Tensor | Iterable[Tensor] | None,
) -> list[tuple[nn.Module, QParams]]:
    """For each layer that the calibration reaches, codes whose range covers all of its inputs."""
    if calibration is None:
        raise ValueError("activation_bits needs calibration, a batch of inputs or several; for weights alone omit it")
    ranges: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def record(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        low, high = torch.aminmax(inputs[0])
        low_before, high_before = ranges.get(layer, (low, high))
        ranges[layer] = torch.minimum(low, low_before), torch.maximum(high, high_before)

    handles = [layer.register_forward_pre_hook(record) for layer in layers]
    try:
        with evaluation_mode(model):
            for x in [calibration] if isinstance(calibration, Tensor) else calibration:
                model(x)
    finally:
        for handle in handles:
            handle.remove()
    if not ranges:
        raise ValueError("calibration reached no layer; give at least one batch of inputs")
    # On the CPU as 0-d tensors, which work with inputs on every device.
    return [
        (layer, choose_qparams(torch.stack(ends).cpu(), bits=bits, symmetric=symmetric))
        for layer, ends in ranges.items()
    ]
