"""Sums of Gaussian kernels on a uniform grid, without a tensor of all kernels: the two-sided Horner form.

    g(s) = sum_i alpha_i exp(-gamma (s - d_i)^2),    d_i = low + i Delta                                (17), (18)

With u = s - d_c for a centre c of the grid and k = i - c,

    exp(-gamma (u - k Delta)^2) = exp(-gamma u^2) * exp(-gamma (k Delta)^2) * r^k,    r = exp(2 gamma Delta u),

so g is exp(-gamma u^2) times a polynomial in r (k >= 0) and one in 1 / r (k < 0): two exponentials and D
multiplications for each s, where the plain form needs D exponentials and N x H x D numbers of memory. One centre serves
the grid as far as r^k stays in the range of the floats; larger grids are cut into blocks with a centre for each.
Far from a block u is clamped, where its kernels are below the precision of the result; so every input is safe.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from course_utils._support.check import floating

__all__ = ["kernel_sum"]

# Numbers per chunk of rows on a CPU, so that the passes over a chunk find most of it in the cache.
ROWS_IN_CACHE = 2**18


class Block(NamedTuple):
    """Consecutive kernels first, ..., last of the grid, computed from their centre."""

    first: int
    last: int
    centre: int


class Grid(NamedTuple):
    """A uniform grid of `size` values from `low` with `spacing`, and the kernels' gamma; plain numbers."""

    low: float
    spacing: float
    size: int
    gamma: float

    def blocks(self, dtype: torch.dtype) -> tuple[list[Block], float]:
        """The blocks, and how far from a centre u is clamped.

        In units of the spacing, with c = gamma spacing^2: the kernels of a block of reach h are below e^-far at a
        distance of sqrt(far / c) from its edge, and there r^k is at most exp(2 c h (h + sqrt(far / c))). With
        y = sqrt(c) h that is exp(2 y (y + sqrt(far))), which the bound on y keeps in range, and the rounding errors
        small.
        """
        far, bound = (40.0, 10.0) if dtype == torch.float64 else (24.0, 4.3)
        root = math.sqrt(self.gamma) * self.spacing
        reach = int(min(bound / root, self.size)) if root > 0 else self.size
        width = 2 * reach + 1
        count = -(-self.size // width)
        edges = [round(i * self.size / count) for i in range(count + 1)]
        blocks = [Block(a, b - 1, (a + b) // 2) for a, b in pairwise(edges)]
        limit = reach * self.spacing + (math.sqrt(far) / math.sqrt(self.gamma) if self.gamma > 0 else math.inf)
        return blocks, limit

    def place(self, i: int) -> float:
        """The i-th value of the dictionary."""
        return self.low + i * self.spacing


def kernel_sum(s: Tensor, alpha: Tensor, *, low: float, spacing: float, gamma: float | Tensor) -> Tensor:
    """g(s) for activations s (n, H) and mixing coefficients alpha (H, D), one row for each column of s; like s.

    `low`: the first of the D values; `spacing`: their distance; `gamma`: of (18), not negative; a 0-d tensor gets a
    gradient. Memory is O(n H), forward and backward. bfloat16 and float16 are computed in float32. For inputs of any
    size float32 is within 1e-5 max |g| of the exact sum at the gamma of (19), and at any other within 1e-5 of the
    greater of max |g| and max |alpha|, plus 1e-6 of the largest row sum of |alpha|; NaN stays NaN. On a GPU with Triton
    one fused kernel each way.

    Raises: TypeError if s is not a floating tensor; ValueError for shapes that do not belong together.

    >>> s, alpha = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    >>> kernel_sum(s, alpha, low=-1.0, spacing=1.0, gamma=0.5)
    tensor([[1.0000],
            [0.6065]])
    """
    floating("s", s)
    if s.ndim != 2 or alpha.ndim != 2 or alpha.shape[0] != s.shape[1] or not alpha.shape[1]:
        raise ValueError(
            f"s must have the shape (n, H) and alpha must have the shape ({s.shape[-1] if s.ndim else 'H'}, D), D > 0; "
            f"got {tuple(s.shape)} and {tuple(alpha.shape)}"
        )
    return _KernelSum.apply(s, alpha, gamma, low, spacing)


class _KernelSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, s: Tensor, alpha: Tensor, gamma: float | Tensor, low: float, spacing: float) -> Tensor:
        grid = Grid(low, spacing, alpha.shape[1], float(gamma))
        wide = torch.float64 if s.dtype == torch.float64 else torch.float32
        x, weights = s.to(wide), coefficients(alpha.to(wide), grid)
        ctx.grid, ctx.alpha_dtype = grid, alpha.dtype
        fused = fused_kernels(x)
        if fused is not None:
            out = fused.forward(x, weights, grid)
        elif in_one_piece(x):
            out = forward_chunk(x, weights, grid)
        else:
            out = torch.empty_like(x)
            for rows in chunks(x):
                out[rows] = forward_chunk(x[rows], weights, grid)
        ctx.save_for_backward(s, weights, out)
        return out.to(s.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        s, weights, out = ctx.saved_tensors
        x, upstream, grid = s.to(out.dtype), grad.to(out.dtype), ctx.grid
        dgamma = x.new_zeros(()) if ctx.needs_input_grad[2] else None
        fused = fused_kernels(x) if dgamma is None else None
        if fused is not None:
            ds, dalpha = fused.backward(x, upstream, weights, grid)
        elif in_one_piece(x):
            ds, dalpha, dgamma = backward_chunk(x, upstream, out, weights, grid, dgamma)
        else:
            ds, dalpha = torch.empty_like(x), torch.zeros_like(weights)
            for rows in chunks(x):
                ds[rows], part, dgamma = backward_chunk(x[rows], upstream[rows], out[rows], weights, grid, dgamma)
                dalpha += part
        return ds.to(s.dtype), dalpha.T.to(ctx.alpha_dtype), None if dgamma is None else dgamma.to(s.dtype), None, None


def coefficients(alpha: Tensor, grid: Grid) -> Tensor:
    """alpha_i exp(-gamma (k Delta)^2), (D, H): a row for each kernel, k counted from the centre of its block."""
    scale = alpha.new_empty(grid.size)
    for block in grid.blocks(alpha.dtype)[0]:
        k = torch.arange(
            block.first - block.centre, block.last - block.centre + 1, device=alpha.device, dtype=alpha.dtype
        )
        scale[block.first : block.last + 1] = torch.exp(-grid.gamma * (k * grid.spacing) ** 2)
    if torch.compiler.is_compiling():
        # A product that the compiler cannot fuse: fused, every use would read alpha across its rows, number by number.
        return torch.mm(torch.diag(scale), alpha.T)
    return (alpha * scale).T.contiguous()


def in_one_piece(x: Tensor) -> bool:
    """Whether x is small, or fused by a compiler, or on a GPU, where chunks gain nothing."""
    return x.numel() <= ROWS_IN_CACHE or torch.compiler.is_compiling() or x.is_cuda


def chunks(x: Tensor) -> Iterator[slice]:
    """Rows that fit into the cache together."""
    rows = max(1, ROWS_IN_CACHE // max(1, x.shape[1]))
    for start in range(0, len(x), rows):
        yield slice(start, start + rows)


def forward_chunk(x: Tensor, weights: Tensor, grid: Grid) -> Tensor:
    """g for some rows."""
    total = None
    blocks, limit = grid.blocks(x.dtype)
    for block in blocks:
        u = (x - grid.place(block.centre)).clamp_(-limit, limit)
        r = torch.exp(u * (2 * grid.gamma * grid.spacing))
        p = weights[block.last].expand_as(x)
        for i in range(block.last - 1, block.centre - 1, -1):
            p = torch.addcmul(weights[i], p, r)
        if block.first < block.centre:
            back = r.reciprocal()
            below = weights[block.first].expand_as(x)
            for i in range(block.first + 1, block.centre):
                below = torch.addcmul(weights[i], below, back)
            p = torch.addcmul(p, below, back)
        part = p * torch.exp(u * u * -grid.gamma)
        total = part if total is None else total + part
    assert total is not None
    return total


def backward_chunk(
    x: Tensor, upstream: Tensor, out: Tensor, weights: Tensor, grid: Grid, dgamma: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The gradients of x, of alpha as (D, H), and the gradient of gamma added to `dgamma` if it is there.

    With t_k = upstream * exp(-gamma u^2) r^k and the moments m_j = sum_k k^j b_k t_k:
    ds = 2 gamma (Delta m_1 - u m_0)
    dalpha_k = c_k sum_rows t_k
    dgamma = -sum (u^2 m_0 - 2 u Delta m_1 + Delta^2 m_2)
    """
    ds = None
    sums: list[Tensor] = [x.new_zeros(0)] * grid.size
    blocks, limit = grid.blocks(x.dtype)
    for block in blocks:
        u = (x - grid.place(block.centre)).clamp_(-limit, limit)
        r = torch.exp(u * (2 * grid.gamma * grid.spacing))
        start = upstream * torch.exp(u * u * -grid.gamma)
        sums[block.centre] = start.sum(0)
        # Of a single block m_0 is known: it is what went forward.
        m0 = None if len(blocks) == 1 and not torch.compiler.is_compiling() else start * weights[block.centre]
        m1 = torch.zeros_like(x)
        m2 = None if dgamma is None else torch.zeros_like(x)
        for numbers, factor in (
            (range(block.centre + 1, block.last + 1), r),
            (range(block.centre - 1, block.first - 1, -1), r.reciprocal()),
        ):
            t = start
            for i in numbers:
                k = i - block.centre
                t = t * factor
                sums[i] = t.sum(0)
                m1 = torch.addcmul(m1, t, weights[i], value=k)
                m0 = None if m0 is None else torch.addcmul(m0, t, weights[i])
                m2 = None if m2 is None else torch.addcmul(m2, t, weights[i], value=k * k)
        m0 = upstream * out if m0 is None else m0
        part = torch.addcmul(m1 * grid.spacing, u, m0, value=-1) * (2 * grid.gamma)
        ds = part if ds is None else ds + part
        if m2 is not None and dgamma is not None:
            dgamma = dgamma - (u * u * m0 - 2 * grid.spacing * u * m1 + grid.spacing**2 * m2).sum()
    assert ds is not None
    ones = coefficients(torch.ones_like(weights[:, :1]).T, grid)
    return ds, torch.stack(sums) * ones, dgamma


def fused_kernels(x: Tensor) -> Any:
    """The module of Triton kernels where x can use it: on a GPU, in float32, with Triton installed."""
    if x.device.type != "cuda" or x.dtype != torch.float32 or torch.compiler.is_compiling():
        return None
    try:
        from course_utils.methods.activations import kernel_sum_triton
    except ImportError:
        return None
    return kernel_sum_triton
