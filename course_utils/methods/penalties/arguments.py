"""The arguments that penalties and proximal steps share: groups along dimensions, steps and ratios."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils._support.check import floating, in_range

__all__ = ["Dims", "Number", "factor", "group_shape", "widened"]

Dims = int | tuple[int, ...]
Number = float | Tensor


def widened(w: Tensor) -> Tensor:
    # A sum of 65 504 ones is already the largest float16, and bfloat16 has three digits.
    return w.float() if floating("w", w).dtype in (torch.float16, torch.bfloat16) else w


def group_shape(w: Tensor, dim: Dims) -> tuple[tuple[int, ...], float, list[int]]:
    """`dim` as a tuple, sqrt(|g|), and the shape of w with the dimensions of a group kept as 1."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    # torch reads an empty tuple as "all dimensions", so it has to be caught here.
    if not dims or not all(-w.ndim <= d < w.ndim for d in dims) or len({d % w.ndim for d in dims}) < len(dims):
        raise ValueError(
            f"dim must name one or more different dimensions of w of shape {tuple(w.shape)}, got {dim!r}; "
            "for the columns of a matrix (out, in) use dim=0, for single entries l1()"
        )
    shape = [1 if i in dims or i - w.ndim in dims else n for i, n in enumerate(w.shape)]
    return dims, math.sqrt(math.prod(w.shape[d] for d in dims)), shape


def factor(name: str, value: Number, w: Tensor, shape: Sequence[int], high: float = math.inf) -> Tensor:
    """A step or a ratio as a tensor of w's dtype that broadcasts against `shape` without enlarging it."""
    info = torch.finfo(w.dtype)
    limit = info.max * info.eps  # so that even step=inf times sqrt(|g|) is finite, and inf / inf never occurs
    if not isinstance(value, Tensor):
        return torch.full((), min(in_range(name, value, 0.0, high), limit), dtype=w.dtype, device=w.device)
    pairs = zip(reversed(value.shape), reversed(shape), strict=False)
    if value.ndim > len(shape) or any(a not in (1, b) for a, b in pairs):
        raise ValueError(
            f"{name} must be a number or broadcast against {tuple(shape)}, got shape {tuple(value.shape)}; "
            "for one value per stacked network give (S, 1, ..., 1)"
        )
    return value.to(w).clamp(max=limit)
