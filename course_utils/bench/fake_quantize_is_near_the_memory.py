"""Claim: 8-bit min-max fake quantization of 25 million weights takes at most 2.5 times the time of memory access.

That is one pass for the range (torch.aminmax) and one copy. And it is at least 4 times faster than torch's
fake_quantize_per_tensor_affine with the same search for the range. Then the time against the number of weights.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_utils.bench.timing import in_turn, row
from course_utils.methods.quantize import choose_qparams, fake_quantize
from course_utils.train import pick_device

__all__ = ["run"]


def run(device: str = "cpu", *, rounds: int = 9) -> list[dict[str, Any]]:
    """Measure into memory that is there already, and into fresh memory."""
    pick_device(device)
    x = torch.randn(25_000_000, generator=torch.Generator().manual_seed(0)).to(device)
    out = torch.empty_like(x)
    ours, limit, theirs, fresh = in_turn(
        [
            lambda: fake_quantize(x, bits=8, out=out),
            lambda: (torch.aminmax(x), out.copy_(x)),
            lambda: torchs(x),
            lambda: fake_quantize(x, bits=8),
        ],
        rounds=rounds,
    )
    rows = [
        row("25M weights, against copy + minmax, ms", ours, limit, "at most 2.5", faster=False),
        row("25M weights, against torch's fake_quantize, ms", ours, theirs, "at least 4 times faster"),
        row("25M weights into fresh memory, against torch's, ms", fresh, theirs, ""),
    ]
    sizes = (1_000_000, 5_000_000, 25_000_000)
    base, *larger = in_turn([partial(fake_quantize, x[:n], bits=8, out=out[:n]) for n in sizes], rounds=rounds)
    for n, time in zip(sizes[1:], larger, strict=True):
        rows.append(row(f"{n:,} weights, against 1,000,000, ms", time, base, f"about {n // 1_000_000}", faster=False))
    return rows


def torchs(x: Tensor) -> Tensor:
    """The range by ours, the rounding by torch's operator."""
    p = choose_qparams(x, bits=8)
    return torch.fake_quantize_per_tensor_affine(x, p.scale, p.zero_point, p.qmin, p.qmax)
