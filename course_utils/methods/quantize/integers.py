"""The product of a layer in whole numbers: codes times codes give 32-bit sums, and these become codes again.

    sum_k (q_ik - z) (w_jk - z_w) = sum_k q_ik w_jk - z sum_k w_jk - z_w sum_k q_ik + n z z_w
    y = s s_w (the sum + b)             b, the bias, is a whole multiple of s s_w
    q_y = clamp(round(m (the sum + b)) + z_y)       m = s s_w / s_y as mantissa / 2^shift, a whole mantissa of 31 bits

(Jacob et al. 2017, arXiv:1712.05877, (4) to (7).) Ties of the last rounding go to even, where their program rounds them
away from zero, so that the codes are those of fake_quantize on y.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_utils.methods.quantize.affine import QParams, choose_qparams, quantize
from course_utils.methods.quantize.inputs import as_batches, input_rows, watch_inputs

__all__ = ["IntegerNetwork", "Multiplier", "integer_linear", "requantize"]

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
ON_CODES = (*POOLS, nn.ReLU, nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
LONGEST = 2**15  # products of two 8-bit codes that 32 bits can add up


def integer_linear(q: Tensor, w: Tensor, *, zero_point: int = 0, weight_zero_point: int = 0) -> Tensor:
    """The sums of (q_ik - zero_point) (w_jk - weight_zero_point) over k, int32.

    `q`: (..., n, in) and `w`: (..., out, in), int8 or uint8 codes, multiplied as they are; the zero points come in as
    sums of rows. Exact, with wrap-around of what is added up on the way.

    Raises: TypeError for other types; ValueError where the columns differ or are more than 32,768.

    >>> q, w = torch.tensor([[0, 64, 255]], dtype=torch.uint8), torch.tensor([[1, -2, 3]], dtype=torch.int8)
    >>> integer_linear(q, w, zero_point=64)  # -64 * 1 + 0 * -2 + 191 * 3
    tensor([[509]], dtype=torch.int32)
    """
    for name, codes in (("q", q), ("w", w)):
        if codes.dtype not in (torch.int8, torch.uint8):
            raise TypeError(f"{name} must be codes of type int8 or uint8, got {codes.dtype}; make them with quantize()")
    if q.shape[-1] != w.shape[-1] or q.shape[-1] > LONGEST:
        raise ValueError(
            f"q and w must have the same number of columns, at most {LONGEST}, got {q.shape[-1]} and {w.shape[-1]}; "
            "split longer rows and add the sums in int64"
        )
    wide = torch.float64 if q.is_cuda else torch.int32  # CUDA has no product of integers; float64 holds these exactly
    sums = (q.to(wide) @ w.to(wide).mT).to(torch.int32)
    of_weights = w.sum(-1, dtype=torch.int32).unsqueeze(-2)
    of_inputs = q.sum(-1, dtype=torch.int32).unsqueeze(-1)
    constant = q.shape[-1] * zero_point * weight_zero_point
    return sums - zero_point * of_weights - weight_zero_point * of_inputs + constant


class Multiplier(NamedTuple):
    """Positive numbers as mantissa / 2^shift, both int64; the mantissa is from 2^30 to 2^31, or less for tiny ones."""

    mantissa: Tensor
    shift: Tensor

    @classmethod
    def of(cls, numbers: Tensor) -> "Multiplier":
        """The nearest for each number, to 31 bits.

        Raises: ValueError for numbers that are not positive or are 2^30 or more.

        >>> Multiplier.of(torch.tensor(0.75))
        Multiplier(mantissa=tensor(1610612736), shift=tensor(31))
        """
        numbers = numbers.double()
        if not bool(((numbers > 0) & (numbers < 2**30)).all()):
            raise ValueError(f"multipliers must be above 0 and below 2^30, got {numbers.tolist()!r}; check the scales")
        shift = (31 - numbers.frexp().exponent).clamp(max=62)
        return cls(torch.ldexp(numbers, shift).round().long(), shift.long())


def requantize(sums: Tensor, multiplier: Multiplier, qparams: QParams) -> Tensor:
    """Codes of the sums times the multiplier, in whole numbers only: ties to even, clamped to the range of the codes.

    `sums`: (..., out), int32. `qparams`: of the result; its scale is in the multiplier already.

    >>> qparams = QParams(torch.tensor(1.0), torch.tensor(10), bits=8)
    >>> requantize(torch.tensor([-100, 3, 5, 1000], dtype=torch.int32), Multiplier.of(torch.tensor(0.5)), qparams)
    tensor([  0,  12,  12, 255], dtype=torch.uint8)
    """
    product = sums.long() * multiplier.mantissa
    floor = product >> multiplier.shift
    rest, half = product - (floor << multiplier.shift), torch.ones_like(multiplier.shift) << (multiplier.shift - 1)
    up = (rest > half) | ((rest == half) & (floor % 2 == 1))
    return (floor + up + qparams.zero_point).clamp(qparams.qmin, qparams.qmax).to(qparams.dtype)


class IntegerNetwork(nn.Module):
    """A trained nn.Sequential in whole numbers: int8 weights, uint8 activations, 32-bit sums; floats go in and out.

    Weights have symmetric codes for each row or filter, the input of each layer affine codes in the range that it has
    for `calibration`, one batch of inputs or several, and biases are whole multiples of the product of the two scales.
    Layers: linear and convolutional, with ReLU, max pooling, flattening and dropout between them, also in nested
    Sequentials. The sums of the last layer are not rounded, and what comes after it is computed with floats.

    The numbers are those of the network with fake_quantize on weights and inputs and the same biases, in float64. A
    code may differ by one where that lies within 2^-20 steps of the middle of two codes, because a multiplier has 31
    bits.

    Raises: TypeError for another container; ValueError for other modules before the last layer, for calibration that
    reaches no layer or is not finite, and as `integer_linear` and `Multiplier.of`.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> x = torch.randn(20, 4)
    >>> network = IntegerNetwork(model, calibration=x)
    >>> bool((network(x) - model(x)).abs().max() < 0.05)
    True
    >>> network.layers[0].weight.dtype, network.inputs.dtype
    (torch.int8, torch.uint8)
    """

    def __init__(self, model: nn.Sequential, *, calibration: Tensor | Iterable[Tensor]) -> None:
        super().__init__()
        parts = list(_flat(model))
        found = {str(i): part for i, part in enumerate(parts) if type(part) in LAYERS}
        if not found:
            raise ValueError("IntegerNetwork needs linear or convolutional layers, got a model with none")
        ranges = _ranges(model, found, as_batches(calibration, "IntegerNetwork"))
        last = int([*found][-1])
        self.inputs = next(iter(ranges.values()))
        following = dict(zip(found, [*ranges.values()][1:], strict=False))
        current = self.inputs
        layers: list[nn.Module] = []
        for i, part in enumerate(parts[: last + 1]):
            if str(i) in found:
                outputs = following.get(str(i))
                layers.append(_IntegerLayer(part, current, outputs))
                current = outputs or current
            elif type(part) in ON_CODES:
                layers.append(_OnCodes(part, int(current.zero_point)))
            else:
                raise ValueError(
                    f"between the layers there must be ReLU, max pooling, Flatten or dropout alone, got {part}; "
                    "replace it, or fold a normalization into the layer before it"
                )
        self.layers = nn.Sequential(*layers)
        self.rest = nn.Sequential(*copy.deepcopy(parts[last + 1 :])).eval()

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """What the model gives for inputs of the same shape, in the type of x."""
        return self.rest(self.layers(quantize(x, self.inputs)).to(x.dtype))


def _flat(model: nn.Module) -> Iterator[nn.Module]:
    if not isinstance(model, nn.Sequential):
        raise TypeError(f"model must be an nn.Sequential, got {type(model).__name__}; write its layers as one")
    for part in model:
        if isinstance(part, nn.Sequential):
            yield from _flat(part)
        else:
            yield part


def _ranges(model: nn.Module, layers: Mapping[str, nn.Module], batches: list[Tensor]) -> dict[str, QParams]:
    ends: dict[str, list[Tensor]] = {name: [] for name in layers}
    watch_inputs(model, layers, batches, lambda name, x: ends[name].extend(torch.aminmax(x.cpu())))
    return {name: choose_qparams(torch.stack(seen), bits=8) for name, seen in ends.items()}


class _IntegerLayer(nn.Module):
    """A linear or convolutional layer on codes; it gives codes, or numbers where there are no `outputs`."""

    weight: Tensor
    bias: Tensor
    scale: Tensor

    def __init__(self, layer: Any, inputs: QParams, outputs: QParams | None) -> None:
        super().__init__()
        if getattr(layer, "padding_mode", "zeros") != "zeros":
            raise ValueError(f"a convolution must be padded with zeros, got {layer}; pad its input in another way")
        self.shape = [copy.deepcopy(layer).to("meta")]  # in a list, so that no parameters of floats are part of this
        self.zero, self.outputs = int(inputs.zero_point), outputs
        weight = layer.weight.detach().flatten(1)
        rows = choose_qparams(weight, bits=8, symmetric=True, axis=0)
        self.register_buffer("weight", quantize(weight, rows))
        self.register_buffer("scale", inputs.scale.double() * rows.scale.double().flatten())
        bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach()
        self.register_buffer("bias", (bias.double() / self.scale).round().clamp(-(2**30), 2**30).to(torch.int32))
        multiplier = None if outputs is None else Multiplier.of(self.scale / outputs.scale.double())
        self.register_buffer("mantissa", multiplier and multiplier.mantissa)
        self.register_buffer("shift", multiplier and multiplier.shift)

    def forward(self, q: Tensor) -> Tensor:
        layer = self.shape[0]
        rows = input_rows(layer, q, zero=self.zero)
        weight = self.weight.unflatten(0, (getattr(layer, "groups", 1), -1))
        sums = integer_linear(rows, weight, zero_point=self.zero).movedim(0, 1).flatten(1) + self.bias
        if self.outputs is None:
            out = sums.double() * self.scale
        else:
            out = requantize(sums, Multiplier(self.mantissa, self.shift), self.outputs)  # type: ignore[arg-type]
        if isinstance(layer, nn.Linear):
            return out.view(*q.shape[:-1], -1)
        places = layer(torch.empty(q.shape, device="meta", dtype=layer.weight.dtype)).shape[2:]
        return out.view(len(q), *places, -1).movedim(-1, 1)


class _OnCodes(nn.Module):
    """What keeps the order of numbers works on their codes."""

    def __init__(self, module: nn.Module, zero_point: int) -> None:
        super().__init__()
        self.module, self.zero_point = copy.deepcopy(module), zero_point

    def forward(self, q: Tensor) -> Tensor:
        if isinstance(self.module, nn.ReLU):
            return q.clamp(min=self.zero_point)
        if isinstance(self.module, POOLS):
            return self.module(q.float()).to(q.dtype)
        return self.module(q) if isinstance(self.module, nn.Flatten) else q
