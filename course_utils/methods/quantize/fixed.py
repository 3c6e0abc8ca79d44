"""Fixed point: whole numbers times a power of two, the same for all; dynamic fixed point: one power per group.

    x' = clamp(round(x 2^f), -2^(b-1), 2^(b-1) - 1) / 2^f          b bits, f of them after the binary point

f may be negative, or larger than b. A group is the numbers that share a range: the weights of a layer, its inputs, the
gradient of its sums. Dynamic fixed point adapts f slowly (Courbariaux, Bengio, David 2015, arXiv:1412.7024, section 5):
where more than a fraction `max_overflow` of the numbers do not fit, the range doubles; where no more than that would
overflow half of the range, it halves.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils._support.check import floating, in_range
from course_utils.methods.quantize.affine import check_bits
from course_utils.methods.quantize.grid import Grid, round_to_grid

__all__ = ["DynamicFixedPoint", "FixedPoint"]


@dataclass(frozen=True, kw_only=True)
class FixedPoint:
    """Two's complement numbers of `bits` bits, `frac_bits` of them after the binary point.

    Raises: ValueError for bits outside 2 to 16, or frac_bits other than a whole number from -100 to 100.

    >>> FixedPoint(bits=4, frac_bits=2).round(torch.tensor([0.3, 9.0, -9.0]))
    tensor([ 0.2500,  1.7500, -2.0000])
    """

    bits: int
    frac_bits: int

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if isinstance(self.frac_bits, bool) or int(self.frac_bits) != self.frac_bits:
            raise ValueError(f"frac_bits must be a whole number between -100 and 100, got {self.frac_bits!r}")
        in_range("frac_bits", self.frac_bits, -100, 100, "scale the numbers first")

    @classmethod
    def covering(cls, x: Tensor, *, bits: int) -> "FixedPoint":
        """The format of so many bits with the finest resolution in which no finite number of x overflows.

        >>> FixedPoint.covering(torch.tensor([0.3, -1.7]), bits=8)
        FixedPoint(bits=8, frac_bits=6)
        """
        check_bits(bits)
        finite = floating("x", x).detach().abs().double()
        finite = finite[torch.isfinite(finite)]
        maximum = float(finite.max()) if finite.numel() else 0.0
        return cls(bits=bits, frac_bits=_frac_bits(maximum, bits))

    @property
    def resolution(self) -> float:
        """The distance of two neighbouring numbers, 2^-f."""
        return 2.0**-self.frac_bits

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest number.

        >>> FixedPoint(bits=8, frac_bits=7).range
        (-1.0, 0.9921875)
        """
        half = 2 ** (self.bits - 1)
        return -half * self.resolution, (half - 1) * self.resolution

    def round(self, x: Tensor, *, stochastic: bool = False, generator: torch.Generator | None = None) -> Tensor:
        """The nearest number of this format for each x, with the straight-through gradient; a tensor like x.

        Ties go to even; `stochastic` rounds up with the probability of the fraction. Numbers outside the range become
        its end, infinities too; NaN stays NaN.

        Raises: TypeError if x is not a floating tensor.
        """
        half = 2 ** (self.bits - 1)
        dtype = torch.float64 if floating("x", x).dtype == torch.float64 else torch.float32
        scale = torch.tensor(self.resolution, dtype=dtype, device=x.device)
        grid = Grid(scale, torch.zeros((), dtype=torch.int32, device=x.device), -half, half - 1)
        return round_to_grid(x, grid, stochastic=stochastic, generator=generator)


class DynamicFixedPoint:
    """Fixed point whose binary point follows the numbers: `round` counts what overflows, `update` acts on it.

    `max_overflow`: the fraction of numbers that may overflow (the paper's r_max, 0.01 %). `frac_bits`: where the point
    starts; by default the first tensor decides. Call `update` at regular intervals (the paper: every 10,000 examples).

    Raises: ValueError for bits outside 2 to 16, or max_overflow outside 0 to 1; as `FixedPoint`.

    >>> numbers = DynamicFixedPoint(bits=8, frac_bits=6)
    >>> _ = numbers.round(torch.full((10,), 3.0))  # the highest number is 1.984: all of them overflow
    >>> numbers.update()
    >>> numbers.frac_bits
    5
    """

    def __init__(self, *, bits: int, max_overflow: float = 1e-4, frac_bits: int | None = None) -> None:
        self.bits = check_bits(bits)
        self.max_overflow = in_range("max_overflow", max_overflow, 0, 1)
        self._format = None if frac_bits is None else FixedPoint(bits=bits, frac_bits=frac_bits)
        self._total = 0  # numbers rounded since the last update
        self._counts: Tensor | None = None  # beyond the range, and beyond half of it; on x's device

    @property
    def frac_bits(self) -> int | None:
        """Bits after the binary point now; None before the first tensor."""
        return None if self._format is None else self._format.frac_bits

    @property
    def format(self) -> FixedPoint | None:
        """The fixed-point format that is in use now; None before the first tensor."""
        return self._format

    def round(self, x: Tensor, *, stochastic: bool = False, generator: torch.Generator | None = None) -> Tensor:
        """As `FixedPoint.round` in the present format; counts what overflows."""
        if self._format is None:
            self._format = FixedPoint.covering(x, bits=self.bits)
        self._count(x.detach(), self._format.range[1])
        return self._format.round(x, stochastic=stochastic, generator=generator)

    def _count(self, x: Tensor, highest: float) -> None:
        magnitude = x.abs()
        beyond = torch.stack([(magnitude > highest).sum(), (magnitude > highest / 2).sum()])
        self._counts = beyond if self._counts is None else self._counts.to(x.device) + beyond
        self._total += x.numel()

    def update(self) -> None:
        """Double the range, halve it, or leave it, by how many numbers overflowed since the last update."""
        if self._format is None or self._counts is None or not self._total:
            return
        beyond, beyond_half = (count / self._total for count in self._counts.tolist())
        shift = 0
        if beyond > self.max_overflow:
            shift = -1
        elif beyond_half <= self.max_overflow:
            shift = 1
        frac_bits = min(100, max(-100, self._format.frac_bits + shift))
        self._format = FixedPoint(bits=self.bits, frac_bits=frac_bits)
        self._counts, self._total = None, 0

    def __repr__(self) -> str:
        return f"DynamicFixedPoint(bits={self.bits}, frac_bits={self.frac_bits})"


def _frac_bits(maximum: float, bits: int) -> int:
    """The most bits after the point with which `maximum` still rounds to a number in range."""
    if maximum == 0:
        return bits - 1
    frac_bits = bits - 1 - (math.frexp(maximum)[1])
    if round(math.ldexp(maximum, frac_bits)) > 2 ** (bits - 1) - 1:
        frac_bits -= 1
    return min(100, max(-100, frac_bits))
