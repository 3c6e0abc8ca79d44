"""Min-max quantization: b-bit codes spread linearly between the minimum and the maximum (lecture, figure 12).

    q = clamp(round(x / scale) + zero_point, qmin, qmax)        x' = (q - zero_point) * scale

Affine codes run from 0 to 2^b - 1 over [min(x, 0), max(x, 0)]: the range always includes 0, and zero_point is a whole
number, so that 0 has a code of its own and padding and ReLU stay exact. Symmetric codes run from -(2^(b-1) - 1)
to 2^(b-1) - 1 over [-max |x|, max |x|] with zero_point 0. Ties are rounded to even, after a multiplication by
1 / scale, as in torch.fake_quantize_*: given the same scale and zero point the results agree to the bit. The
differences are: NaN stays NaN here, and becomes a number in torch; torch's observers keep the scale above 1.2e-7, and
here it may be as small as the numbers are; torch's symmetric int8 per tensor may use -128, here the codes are -127 to
127. (Jacob et al. 2017, arXiv:1712.05877, has the affine scheme.) Given the same scale, zero point and codes, groups
agree to the bit with torchao's quantize_affine and dequantize_affine with a block_size of (1, group); torchao refuses a
length that is no multiple of the group, and keeps the scale above the epsilon of its type.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from course_utils._support.check import floating, in_range
from course_utils.methods.quantize.grid import Grid, fill, round_steps, round_to_grid
from course_utils.methods.quantize.groups import check_group, group_range, spread

__all__ = ["QParams", "choose_qparams", "dequantize", "fake_quantize", "quantize", "quantized_relu"]


def check_bits(bits: int, name: str = "bits") -> int:
    """Return `bits` if it is a whole number from 2 to 16."""
    if isinstance(bits, bool) or int(bits) != bits:
        raise ValueError(f"{name} must be a whole number between 2 and 16, got {bits!r}")
    in_range(name, bits, 2, 16, "for one bit use binarize()")
    return int(bits)


@dataclass(frozen=True, eq=False)
class QParams:
    """How codes represent numbers: `scale` (float), `zero_point` (int32); 0-d, or shaped to broadcast along `axis`.

    With a `group` they have the shape of the numbers, but ceil(length / group) along `axis`: one for each group.
    """

    scale: Tensor
    zero_point: Tensor
    bits: int
    symmetric: bool = False
    axis: int | None = None
    group: int | None = None

    @property
    def qmin(self) -> int:
        """The lowest code."""
        return -(2 ** (self.bits - 1) - 1) if self.symmetric else 0

    @property
    def qmax(self) -> int:
        """The highest code."""
        return 2 ** (self.bits - 1) - 1 if self.symmetric else 2**self.bits - 1

    @property
    def grid(self) -> Grid:
        """The numbers that the codes represent."""
        return Grid(self.scale, self.zero_point, self.qmin, self.qmax)

    def spread(self, x: Tensor) -> "QParams":
        """The same for each number of `x`, without groups; itself where there are none.

        Raises: ValueError for an x of another shape than that for which the groups were chosen.
        """
        if self.group is None:
            return self
        if self.axis is None or x.ndim != self.scale.ndim:
            raise ValueError(
                f"x must have {self.scale.ndim} dimensions for these groups, got shape {tuple(x.shape)}; "
                "choose_qparams(x) anew"
            )
        scale, zero_point = (
            spread(t, self.group, self.axis, x.shape[self.axis]) for t in (self.scale, self.zero_point)
        )
        return replace(self, scale=scale, zero_point=zero_point, axis=None, group=None)

    @property
    def dtype(self) -> torch.dtype:
        """The smallest integer type that holds all codes."""
        if self.bits <= 8:
            return torch.int8 if self.symmetric else torch.uint8
        return torch.int16 if self.symmetric else torch.int32


def choose_qparams(
    x: Tensor, *, bits: int, symmetric: bool = False, axis: int | None = None, group: int | None = None
) -> QParams:
    """Scale and zero point from the minimum and the maximum of `x`, per tensor, per slice along `axis`, or per group.

    `x`: any shape; axis=0 gives each row of a Linear weight (out, in), or each filter of a Conv2d weight, codes of its
    own. `group`: so many neighbours along `axis` (the last dimension unless given) have codes of their own, at every
    place of the other dimensions; the last group is shorter where the length is no multiple. Where all values are 0 (or
    there are none) the scale is 1.

    Raises: TypeError if x is not a floating tensor; ValueError for bits outside 2 to 16, a wrong axis or group, or an x
    that holds NaN or an infinity, which no finite range can cover.

    >>> qparams = choose_qparams(torch.tensor([-1.0, 0.0, 3.0]), bits=2)
    >>> float(qparams.scale), int(qparams.zero_point)
    (1.3333333730697632, 1)
    >>> choose_qparams(torch.tensor([[1.0, -1.0, 30.0, 0.0]]), bits=2, symmetric=True, group=2).scale
    tensor([[ 1., 30.]])
    """
    bits = check_bits(bits)
    axis = -1 if axis is None and group is not None else axis
    low, high = _range(floating("x", x), axis, group)
    if not bool(torch.isfinite(low).all() and torch.isfinite(high).all()):
        raise ValueError("x must be finite to have a range, got NaN or infinity; remove them with torch.nan_to_num(x)")
    codes = QParams(low, low, bits, symmetric, axis, group)  # for qmin and qmax
    # In float64, because high - low may overflow float32 and the scale is a quotient of small differences.
    low, high = low.double().clamp(max=0), high.double().clamp(min=0)
    span = torch.maximum(-low, high) if symmetric else high - low
    scale = span / (codes.qmax if symmetric else codes.qmax - codes.qmin)
    scale = torch.where(span > 0, scale, 1.0).to(_wide(x.dtype))
    scale = scale.clamp(min=torch.finfo(scale.dtype).tiny)  # its reciprocal stays finite
    if symmetric:
        zero_point = torch.zeros_like(scale, dtype=torch.int32)
    else:
        zero_point = (-low / scale.double()).round().clamp(codes.qmin, codes.qmax).to(torch.int32)
    # The ends of the range are numbers of the type of x, too: half a step beyond its largest one would be infinite.
    largest = torch.finfo(x.dtype).max * (1 - 2**-10)
    widest = torch.maximum(codes.qmax - zero_point, zero_point - codes.qmin).clamp(min=1)
    scale = torch.minimum(scale, (largest / widest.double()).to(scale.dtype))
    return QParams(scale, zero_point, bits, symmetric, axis, group)


def quantize(
    x: Tensor, qparams: QParams, *, stochastic: bool = False, generator: torch.Generator | None = None
) -> Tensor:
    """Codes of `x`, an integer tensor of the same shape and of type `qparams.dtype`.

    Values outside the range get the code at its end, infinities too; NaN gets the code of 0. `stochastic` is stochastic
    rounding, up with the probability of the fraction, whose expectation is x itself (Gupta et al. 2015,
    arXiv:1502.02551).

    Raises: TypeError if x is not a floating tensor.

    >>> x = torch.tensor([-1.0, 0.0, 3.0])
    >>> quantize(x, choose_qparams(x, bits=8))
    tensor([  0,  64, 255], dtype=torch.uint8)
    """
    qparams = qparams.spread(floating("x", x))
    steps = round_steps(x.to(_wide(x.dtype)) * (1 / qparams.scale), stochastic, generator)
    steps = torch.nan_to_num(steps, nan=0.0)
    codes = steps.add_(qparams.zero_point).clamp_(qparams.qmin, qparams.qmax)
    return codes.to(qparams.dtype)


def dequantize(q: Tensor, qparams: QParams) -> Tensor:
    """The numbers that codes `q` of any shape represent, (q - zero_point) * scale, in the type of the scale.

    >>> x = torch.tensor([-1.0, 0.0, 3.0])
    >>> qparams = choose_qparams(x, bits=2)
    >>> dequantize(quantize(x, qparams), qparams)
    tensor([-1.3333,  0.0000,  2.6667])
    """
    qparams = qparams.spread(q)
    return (q.to(torch.int32) - qparams.zero_point).to(qparams.scale.dtype) * qparams.scale


def quantized_relu(q: Tensor, qparams: QParams) -> Tensor:
    """ReLU on codes, max(q, zero_point), without leaving the integers (lecture, figure 12).

    The code of 0 is `zero_point`, so relu(dequantize(q)) = dequantize(quantized_relu(q)) exactly; the range of the
    codes stays what it was.

    >>> x = torch.tensor([-1.0, 0.0, 3.0])
    >>> qparams = choose_qparams(x, bits=8)
    >>> dequantize(quantized_relu(quantize(x, qparams), qparams), qparams)
    tensor([0.0000, 0.0000, 2.9961])
    """
    return torch.maximum(q, qparams.spread(q).zero_point.to(q.dtype))


def fake_quantize(
    x: Tensor,
    *,
    bits: int | None = None,
    symmetric: bool = False,
    axis: int | None = None,
    group: int | None = None,
    qparams: QParams | None = None,
    stochastic: bool = False,
    generator: torch.Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """dequantize(quantize(x)) in one pass, with the straight-through gradient (Bengio et al. 2013, arXiv:1308.3432).

    Give `bits` (and `symmetric`, `axis`, `group`) for the range of x itself, or `qparams`. Returns a tensor like x. The
    gradient passes unchanged where x lies within the range and is 0 outside of it; NaN stays NaN. `stochastic`: as
    `quantize`.
    `out`: a contiguous tensor like x to write into, without a gradient; allocating one takes longer than the
    arithmetic.

    Raises: as `choose_qparams`; ValueError unless exactly one of bits and qparams is given, or for an out of another
    shape or type.

    >>> fake_quantize(torch.tensor([-1.0, 0.2, 3.0]), bits=2)
    tensor([-1.3333,  0.0000,  2.6667])
    """
    floating("x", x)
    if (bits is None) == (qparams is None):
        raise ValueError(f"give exactly one of bits and qparams, got bits={bits!r} and qparams={qparams!r}")
    if qparams is None:
        assert bits is not None
        qparams = choose_qparams(x.detach(), bits=bits, symmetric=symmetric, axis=axis, group=group)
    qparams = qparams.spread(x)
    if out is None:
        return round_to_grid(x, qparams.grid, stochastic=stochastic, generator=generator)
    if out.shape != x.shape or out.dtype != qparams.scale.dtype or not out.is_contiguous():
        raise ValueError(
            f"out must be contiguous, of shape {tuple(x.shape)} and {qparams.scale.dtype}, "
            f"got shape {tuple(out.shape)} and {out.dtype}; make it with torch.empty"
        )
    with torch.no_grad():
        return fill(out, x, qparams.grid, stochastic, generator)


def _wide(dtype: torch.dtype) -> torch.dtype:
    # A code of 16 bits has no exact place in bfloat16, and float16 overflows at 65 504.
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def _range(x: Tensor, axis: int | None, group: int | None) -> tuple[Tensor, Tensor]:
    """The minimum and the maximum: 0-d, or shaped to broadcast along `axis`, or groups; 0 where there are no values."""
    if axis is None:
        if not x.numel():
            return x.new_zeros(()), x.new_zeros(())
        return torch.aminmax(x)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"axis must be a dimension of x, of shape {tuple(x.shape)}, got {axis}; None takes all at once"
        )
    if group is not None:
        return group_range(x, check_group(group), axis)
    shape = [n if d == axis % x.ndim else 1 for d, n in enumerate(x.shape)]
    if not x.numel():
        return x.new_zeros(shape), x.new_zeros(shape)
    reduced = [d for d in range(x.ndim) if d != axis % x.ndim]
    return x.amin(reduced, keepdim=True), x.amax(reduced, keepdim=True)
