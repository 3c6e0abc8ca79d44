"""Numbers of 8 and 4 bits that are not equally spaced: FP8, MXFP4 and NF4.

    FP8      a sign, exponent and mantissa: E4M3 up to 448, E5M2 up to 57,344 (Micikevicius et al. 2022,
             arXiv:2209.05433)
    MXFP4    a sign, 2 bits of exponent and 1 of mantissa, 0 to 6, and for 32 neighbours one power of two (Open Compute
             Project, Microscaling Formats v1.0, section 6.3)
    NF4      16 quantiles of a normal distribution, and for 64 neighbours their largest magnitude (QLoRA: Dettmers et
             al. 2023, arXiv:2305.14314, appendix E; without the second quantization of the scales)

Rounding is to nearest, ties to even mantissas; numbers too large become the largest. The same bits as torch's casts to
float8_e4m3fn and float8_e5m2 give, but for large numbers in E5M2, which become infinite there; as torchao's to_mx with
its scaling mode FLOOR. torchao's to_nf4 differs: its levels have four decimals, and its scales are quantized.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils._support.check import floating
from course_utils.methods.quantize.groups import check_group, group_range, spread

__all__ = ["E2M1", "E4M3", "E5M2", "NF4", "FloatFormat", "dequantize_nf4", "mx_round", "mx_scales", "quantize_nf4"]


@dataclass(frozen=True, kw_only=True)
class FloatFormat:
    """Numbers (-1)^s 2^(e - bias) (1 + m / 2^mantissa_bits), with subnormals, up to `maximum`.

    The bias is 2^(exponent_bits - 1) - 1.

    >>> E2M1.values()
    tensor([-6.0000, -4.0000, -3.0000, -2.0000, -1.5000, -1.0000, -0.5000,  0.0000,
             0.5000,  1.0000,  1.5000,  2.0000,  3.0000,  4.0000,  6.0000])
    """

    exponent_bits: int
    mantissa_bits: int
    maximum: float

    @property
    def least_exponent(self) -> int:
        """That of the smallest normal number."""
        return 2 - 2 ** (self.exponent_bits - 1)

    @property
    def greatest_exponent(self) -> int:
        """That of `maximum`."""
        return int(torch.tensor(self.maximum).frexp().exponent) - 1

    def values(self) -> Tensor:
        """All numbers of the format in rising order, with 0 once."""
        mantissas = torch.arange(2**self.mantissa_bits) / 2**self.mantissa_bits
        positive = [mantissas * 2.0**self.least_exponent]
        exponents = range(self.least_exponent, self.greatest_exponent + 1)
        positive += [(1 + mantissas) * 2.0**exponent for exponent in exponents]
        magnitudes = torch.cat(positive)
        magnitudes = magnitudes[magnitudes <= self.maximum]
        return torch.cat([-magnitudes.flip(0)[:-1], magnitudes])

    def round(self, x: Tensor) -> Tensor:
        """The nearest number of the format for each x, a tensor like x, with the straight-through gradient.

        Numbers beyond the largest become the largest, infinities too, and their gradient is 0; NaN stays NaN. For
        numbers of another size scale them: round(x / s) * s.

        Raises: TypeError if x is not a floating tensor.

        >>> E4M3.round(torch.tensor([0.3, 1.05, -1000.0])).tolist()
        [0.3125, 1.0, -448.0]
        """
        return _Round.apply(floating("x", x), self)


E4M3 = FloatFormat(exponent_bits=4, mantissa_bits=3, maximum=448.0)  # no infinity, so its exponents reach further
E5M2 = FloatFormat(exponent_bits=5, mantissa_bits=2, maximum=57344.0)
E2M1 = FloatFormat(exponent_bits=2, mantissa_bits=1, maximum=6.0)


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, number_format: FloatFormat) -> Tensor:
        ctx.save_for_backward(x)
        ctx.maximum = number_format.maximum
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        clipped = wide.clamp(-number_format.maximum, number_format.maximum)
        # Below the least exponent the numbers are as far apart as just above it.
        exponents = (clipped.frexp().exponent - 1).clamp(min=number_format.least_exponent)
        steps = torch.ldexp(torch.ones_like(clipped), exponents - number_format.mantissa_bits)
        return (clipped / steps).round().mul(steps).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= ctx.maximum), None


def mx_scales(x: Tensor, *, number_format: FloatFormat = E2M1, group: int = 32, axis: int = -1) -> Tensor:
    """The power of two of each group of `x` along `axis`, from 2^-127 to 2^127, in float64; see `mx_round`.

    The exponent is floor(log2(max |x|)) minus the largest of the format, and the least where all are 0.

    >>> mx_scales(torch.tensor([[0.1, -3.0, 100.0, 0.0]]), group=2)
    tensor([[ 0.5000, 16.0000]], dtype=torch.float64)
    """
    low, high = group_range(floating("x", x).detach(), check_group(group), axis)
    largest = torch.maximum(-low, high).double()
    if not bool(torch.isfinite(largest).all()):
        raise ValueError("x must be finite to have a scale, got NaN or infinity; remove them with torch.nan_to_num(x)")
    exponents = largest.frexp().exponent - 1 - number_format.greatest_exponent
    exponents = torch.where(largest > 0, exponents, -127).clamp(-127, 127)
    return torch.ldexp(torch.ones_like(largest), exponents)


def mx_round(x: Tensor, *, number_format: FloatFormat = E2M1, group: int = 32, axis: int = -1) -> Tensor:
    """Numbers of few bits times a power of two for each group: MXFP4, or with E4M3 or E5M2 MXFP8; a tensor like x.

    `x`: any shape with a dimension `axis`, along which the last group may be shorter. The gradient is straight-through
    where x is within the range of its group, as it always is unless max |x| / scale exceeds the largest number.

    Raises: TypeError if x is not a floating tensor; ValueError for a wrong group, or an x that is not finite.

    >>> mx_round(torch.tensor([[0.1, -3.0, 100.0, 20.0]]), group=2)
    tensor([[ 0., -3., 96., 16.]])
    """
    scales = mx_scales(x, number_format=number_format, group=group, axis=axis)
    each = spread(scales, group, axis, x.shape[axis])
    return (number_format.round(x.double() / each) * each).to(x.dtype)


NF4 = torch.tensor(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ]
)


def quantize_nf4(x: Tensor, *, group: int = 64) -> tuple[Tensor, Tensor]:
    """Codes 0 to 15 like x, uint8, and scales, the largest magnitude of each group along the last dimension.

    NF4[codes] * scale is near to x. In the paper groups run over the whole tensor: give x.flatten() for that.

    Raises: TypeError if x is not a floating tensor; ValueError for a wrong group, or an x that is not finite.

    >>> quantize_nf4(torch.tensor([0.5, -2.0, 0.0, 4.0]), group=2)
    (tensor([10,  0,  7, 15], dtype=torch.uint8), tensor([2., 4.]))
    """
    low, high = group_range(floating("x", x).detach(), check_group(group), -1)
    scales = torch.maximum(-low, high)
    if not bool(torch.isfinite(scales).all()):
        raise ValueError("x must be finite to have a scale, got NaN or infinity; remove them with torch.nan_to_num(x)")
    each = spread(scales, group, -1, x.shape[-1]).double()
    levels = NF4.to(x.device).double()
    relative = x.detach().double() / torch.where(each > 0, each, 1.0)
    return torch.bucketize(relative.contiguous(), (levels[1:] + levels[:-1]) / 2).to(torch.uint8), scales


def dequantize_nf4(codes: Tensor, scales: Tensor, *, group: int = 64) -> Tensor:
    """The numbers that codes and scales of `quantize_nf4` represent, in the type of the scales.

    >>> dequantize_nf4(*quantize_nf4(torch.tensor([0.5, -2.0, 0.0, 4.0]), group=2), group=2)
    tensor([ 0.4922, -2.0000,  0.0000,  4.0000])
    """
    levels = NF4.to(scales.device, scales.dtype)
    return levels[codes.int()] * spread(scales, check_group(group), -1, codes.shape[-1])
