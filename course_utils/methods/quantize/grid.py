"""Rounding to a grid of equally spaced numbers, which min-max codes and fixed point share.

    x' = (clamp(round(x / scale) + zero_point, qmin, qmax) - zero_point) * scale

Ties go to even, after a multiplication by 1 / scale, as in torch.fake_quantize_*. The gradient is straight-through:
it passes where x lies within the grid and is 0 outside of it (Bengio, Leonard, Courville 2013, arXiv:1308.3432).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Grid", "round_steps", "round_to_grid"]

BLOCK = 2**18  # numbers per block on a CPU: small enough that all steps on a block find it in the cache


class Grid(NamedTuple):
    """The numbers (q - zero_point) * scale for integer codes q from qmin to qmax; the tensors broadcast against x."""

    scale: Tensor
    zero_point: Tensor
    qmin: int
    qmax: int


def round_to_grid(
    x: Tensor, grid: Grid, *, stochastic: bool = False, generator: torch.Generator | None = None
) -> Tensor:
    """The nearest number of the grid for each x, a tensor like x; NaN stays NaN, infinities become ends of the grid.

    `stochastic`: stochastic rounding instead, up with the probability of the fraction, drawn with `generator`. The
    gradient is straight-through.

    >>> quarters = Grid(torch.tensor(0.25), torch.tensor(0), -8, 7)
    >>> round_to_grid(torch.tensor([0.3, 9.0, -9.0]), quarters)
    tensor([ 0.2500,  1.7500, -2.0000])
    """
    return _Round.apply(x, grid, stochastic, generator)


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, grid: Grid, stochastic: bool, generator: torch.Generator | None) -> Tensor:
        out = torch.empty_like(x, dtype=grid.scale.dtype, memory_format=torch.contiguous_format)
        return fill(out, x, grid, stochastic, generator).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.grid, *_ = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        return grad * inside(x, ctx.grid), None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        (x,) = ctx.saved_tensors
        return tangent * inside(x, ctx.grid)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, grid: Grid, *settings: Any) -> tuple[Tensor, int]:
        dims = in_dims[1] if isinstance(in_dims[1], tuple) else (None,) * 4
        x = x.expand(info.batch_size, *x.shape) if in_dims[0] is None else x.movedim(in_dims[0], 0)
        scale, zero_point = (_stacked(n, dim, x.ndim) for n, dim in zip(grid[:2], dims[:2], strict=True))
        return _Round.apply(x, grid._replace(scale=scale, zero_point=zero_point), *settings), 0


def inside(x: Tensor, grid: Grid) -> Tensor:
    """Where x lies within the grid, up to half a step beyond its ends."""
    steps = (x.to(grid.scale.dtype) * (1 / grid.scale)).round()
    return (steps >= grid.qmin - grid.zero_point) & (steps <= grid.qmax - grid.zero_point)


def _stacked(numbers: Tensor, dim: int | None, ndim: int) -> Tensor:
    """Numbers of a grid, for inputs with a first dimension of stacked ones."""
    first = numbers[None] if dim is None else numbers.movedim(dim, 0)
    return numbers if numbers.ndim == 0 else first.reshape(len(first), *[1] * (ndim - first.ndim), *first.shape[1:])


def fill(out: Tensor, x: Tensor, grid: Grid, stochastic: bool, generator: torch.Generator | None) -> Tensor:
    """Write the rounded x into `out`, block by block, so that each number is read from memory and written once."""
    scale = grid.scale
    x = x.to(scale.dtype)  # bfloat16 is rounded in float32
    low, high = (grid.qmin - grid.zero_point).to(scale.dtype), (grid.qmax - grid.zero_point).to(scale.dtype)
    for source, target, *numbers in _blocks(x, out, (1 / scale, scale, low, high)):
        inverse, spacing, low_step, high_step = numbers
        torch.mul(source, inverse, out=target)
        round_steps(target, stochastic, generator).clamp_(low_step, high_step).mul_(spacing)
    return out


def round_steps(steps: Tensor, stochastic: bool, generator: torch.Generator | None) -> Tensor:
    """Round in place, to even; or up with the probability of the fraction (Gupta et al. 2015, arXiv:1502.02551)."""
    if not stochastic:
        return steps.round_()
    return steps.add_(torch.rand(steps.shape, dtype=steps.dtype, device=steps.device, generator=generator)).floor_()


def _blocks(x: Tensor, out: Tensor, numbers: Sequence[Tensor]) -> Iterator[tuple[Any, ...]]:
    """Pieces of x and out that fit into the cache, with the numbers for each."""
    if x.is_cuda or x.numel() <= BLOCK:
        yield x, out, *numbers
    elif numbers[0].ndim == 0:
        plain = [n.item() for n in numbers]
        for source, target in zip(x.reshape(-1).split(BLOCK), out.view(-1).split(BLOCK), strict=True):
            yield source, target, *plain
    else:
        rows = max(1, BLOCK * len(x) // x.numel())
        for start in range(0, len(x), rows):
            cut = slice(start, start + rows)
            yield x[cut], out[cut], *(n if n.shape[0] == 1 else n[cut] for n in numbers)
