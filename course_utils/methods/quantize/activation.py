"""Layers that round their input to min-max codes: a linear layer or convolution with a range for what goes into it.

The range lies in buffers, so it is saved with the network, moves with it, and is part of what is compiled or exported.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.methods.quantize.affine import QParams, choose_qparams, fake_quantize
from course_utils.methods.quantize.inputs import watch_inputs
from course_utils.methods.weights import Weight

__all__ = ["RoundedInput", "input_ranges", "round_inputs_"]


class RoundedInput(nn.Module):
    """The base of layers that compute with `fake_quantize(x)`, by a range that they hold.

    Made of an ordinary layer by `round_inputs_`. `input_scale` (0-d, float), `input_zero_point` (0-d, int32): buffers.
    """

    input_scale: Tensor
    input_zero_point: Tensor
    input_bits: int
    input_symmetric: bool

    @property
    def input_qparams(self) -> QParams:
        """How the codes of the input represent numbers."""
        return QParams(self.input_scale, self.input_zero_point, self.input_bits, self.input_symmetric)

    def rounded_input(self, x: Tensor) -> Tensor:
        """The input that the layer computes with."""
        return fake_quantize(x, qparams=self.input_qparams)

    def forward(self, input: Tensor) -> Tensor:
        """The layer's output for the rounded input."""
        return super().forward(self.rounded_input(input))

    def extra_repr(self) -> str:
        """The layer's own words, and the bits of its input."""
        return f"{super().extra_repr()}, input_bits={self.input_bits}"


class RoundedLinear(RoundedInput, nn.Linear):
    """nn.Linear with a rounded input."""


class RoundedConv1d(RoundedInput, nn.Conv1d):
    """nn.Conv1d with a rounded input."""


class RoundedConv2d(RoundedInput, nn.Conv2d):
    """nn.Conv2d with a rounded input."""


class RoundedConv3d(RoundedInput, nn.Conv3d):
    """nn.Conv3d with a rounded input."""


_ROUNDED: dict[type[nn.Module], type[RoundedInput]] = {
    nn.Linear: RoundedLinear,
    nn.Conv1d: RoundedConv1d,
    nn.Conv2d: RoundedConv2d,
    nn.Conv3d: RoundedConv3d,
}


def round_inputs_(layers: Iterable[Weight], qparams: Iterable[QParams]) -> None:
    """Let these layers round their inputs from now on, in place, each by the codes of its own.

    Raises: ValueError for a layer of another class than nn.Linear and the convolutions.
    """
    for weight, codes in zip(layers, qparams, strict=True):
        layer: Any = weight.module
        kind = _ROUNDED.get(type(layer))
        if kind is None:
            allowed = ", ".join(known.__name__ for known in _ROUNDED)
            raise ValueError(
                f"the input of layer {weight.name!r} cannot be rounded, as it is a {type(layer).__name__}; it can for "
                f"{allowed}, so name the layers in bits={{...}}"
            )
        layer.__class__ = kind
        layer.register_buffer("input_scale", codes.scale.to(weight.tensor.device))
        layer.register_buffer("input_zero_point", codes.zero_point.to(weight.tensor.device))
        layer.input_bits, layer.input_symmetric = codes.bits, codes.symmetric


@torch.no_grad()
def input_ranges(
    model: nn.Module,
    layers: Iterable[Weight],
    calibration: Iterable[Tensor],
    *,
    bits: int,
    symmetric: bool,
) -> list[QParams]:
    """Codes for each layer whose range covers all of its inputs in these batches.

    Raises: ValueError for a layer that no batch has reached.
    """
    by_name = {weight.name: weight.module for weight in layers}
    ranges: dict[str, tuple[Tensor, Tensor]] = {}

    def record(name: str, x: Tensor) -> None:
        low, high = torch.aminmax(x.detach())
        low_before, high_before = ranges.get(name, (low, high))
        ranges[name] = torch.minimum(low, low_before), torch.maximum(high, high_before)

    watch_inputs(model, by_name, calibration, record)
    if missed := [name for name in by_name if name not in ranges]:
        raise ValueError(
            f"calibration did not reach layer {missed[0]!r}; give inputs that run through all layers, or name the "
            "others in bits={...}"
        )
    return [choose_qparams(torch.stack(ranges[name]), bits=bits, symmetric=symmetric) for name in by_name]
