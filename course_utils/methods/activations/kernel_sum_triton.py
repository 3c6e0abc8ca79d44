"""`kernel_sum` on a GPU: one fused Triton kernel forward, and one backward.

The same two-sided Horner form, in registers: each s is read once, and each g written once. The backward kernel writes
the sums over its rows of each t_k; they are added up afterwards, in the same order each time.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["backward", "forward"]

ROWS, COLUMNS = 16, 64  # of one program's tile


def forward(x: Tensor, weights: Tensor, grid: Any) -> Tensor:
    """g for x (n, H) and scaled coefficients (D, H)."""
    x = x.contiguous()
    out = torch.empty_like(x)
    blocks, limit = grid.blocks(x.dtype)
    for number, block in enumerate(blocks):
        _forward[_tiles(x)](
            x,
            weights,
            out,
            len(x),
            x.shape[1],
            grid.place(block.centre),
            limit,
            2 * grid.gamma * grid.spacing,
            grid.gamma,
            FIRST=block.first,
            CENTRE=block.centre,
            LAST=block.last,
            ADD=number > 0,
            ROWS=ROWS,
            COLUMNS=COLUMNS,
        )
    return out


def backward(x: Tensor, upstream: Tensor, weights: Tensor, grid: Any) -> tuple[Tensor, Tensor]:
    """The gradients of x and of alpha, as (D, H)."""
    from course_utils.methods.activations.kernel_sum import coefficients

    x, upstream = x.contiguous(), upstream.contiguous()
    ds = torch.empty_like(x)
    sums = torch.empty(triton.cdiv(len(x), ROWS), grid.size, x.shape[1], device=x.device, dtype=x.dtype)
    blocks, limit = grid.blocks(x.dtype)
    for number, block in enumerate(blocks):
        _backward[_tiles(x)](
            x,
            upstream,
            weights,
            ds,
            sums,
            len(x),
            x.shape[1],
            grid.place(block.centre),
            limit,
            grid.gamma,
            grid.spacing,
            SIZE=grid.size,
            FIRST=block.first,
            CENTRE=block.centre,
            LAST=block.last,
            ADD=number > 0,
            ROWS=ROWS,
            COLUMNS=COLUMNS,
        )
    return ds, sums.sum(0) * coefficients(torch.ones_like(weights[:, :1]).T, grid)


def _tiles(x: Tensor) -> tuple[int, int]:
    return triton.cdiv(len(x), ROWS), triton.cdiv(x.shape[1], COLUMNS)


@triton.jit
def _forward(
    x,
    weights,
    out,
    n,
    features,
    centre,
    limit,
    rate,
    gamma,
    FIRST: tl.constexpr,
    CENTRE: tl.constexpr,
    LAST: tl.constexpr,
    ADD: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = columns < features
    mask = (rows < n)[:, None] & inside[None, :]
    places = rows[:, None].to(tl.int64) * features + columns[None, :]
    u = tl.load(x + places, mask=mask, other=0.0) - centre
    nan = u != u
    u = tl.minimum(tl.maximum(u, -limit), limit)
    r = tl.exp(u * rate)
    p = tl.zeros_like(u)
    for step in range(0, LAST - CENTRE + 1):
        b = tl.load(weights + (LAST - step) * features + columns, mask=inside, other=0.0)
        p = p * r + b[None, :]
    back = 1.0 / r
    below = tl.zeros_like(u)
    for i in range(FIRST, CENTRE):
        b = tl.load(weights + i * features + columns, mask=inside, other=0.0)
        below = below * back + b[None, :]
    g = (p + below * back) * tl.exp(-gamma * u * u)
    g = tl.where(nan, float("nan"), g)
    if ADD:
        g += tl.load(out + places, mask=mask, other=0.0)
    tl.store(out + places, g, mask=mask)


@triton.jit
def _backward(
    x,
    upstream,
    weights,
    ds,
    sums,
    n,
    features,
    centre,
    limit,
    gamma,
    spacing,
    SIZE: tl.constexpr,
    FIRST: tl.constexpr,
    CENTRE: tl.constexpr,
    LAST: tl.constexpr,
    ADD: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = columns < features
    mask = (rows < n)[:, None] & inside[None, :]
    places = rows[:, None].to(tl.int64) * features + columns[None, :]
    u = tl.load(x + places, mask=mask, other=0.0) - centre
    nan = u != u
    u = tl.minimum(tl.maximum(u, -limit), limit)
    r = tl.exp(u * (2 * gamma * spacing))
    back = 1.0 / r
    # Where the tile sticks out nothing flows back, so nothing is added to the sums.
    start = tl.load(upstream + places, mask=mask, other=0.0) * tl.exp(-gamma * u * u)
    start = tl.where(nan, float("nan"), start)
    sums += tl.program_id(0).to(tl.int64) * SIZE * features
    b = tl.load(weights + CENTRE * features + columns, mask=inside, other=0.0)
    tl.store(sums + CENTRE * features + columns, tl.sum(start, axis=0), mask=inside)
    m0 = start * b[None, :]
    m1 = tl.zeros_like(u)
    t = start
    for i in range(CENTRE + 1, LAST + 1):
        t = t * r
        tl.store(sums + i * features + columns, tl.sum(t, axis=0), mask=inside)
        b = tl.load(weights + i * features + columns, mask=inside, other=0.0)
        m0 += t * b[None, :]
        m1 += t * b[None, :] * (i - CENTRE)
    t = start
    for step in range(1, CENTRE - FIRST + 1):
        t = t * back
        tl.store(sums + (CENTRE - step) * features + columns, tl.sum(t, axis=0), mask=inside)
        b = tl.load(weights + (CENTRE - step) * features + columns, mask=inside, other=0.0)
        m0 += t * b[None, :]
        m1 -= t * b[None, :] * step
    d = 2 * gamma * (spacing * m1 - u * m0)
    if ADD:
        d += tl.load(ds + places, mask=mask, other=0.0)
    tl.store(ds + places, d, mask=mask)
