"""Claim: a product of packed signs takes a 32nd of the memory of the float product, and a time like it.

On a CPU NumPy counts the bits, about one instruction for 64 multiplications and additions, against a float product
that is as fast as the processor. The ratio has no bar. Then the time against the number of signs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from course_utils.bench.timing import in_turn, row
from course_utils.methods.binarize import binarize, pack_bits, xnor_linear
from course_utils.train import pick_device

__all__ = ["run"]


def run(device: str = "cpu", *, rounds: int = 9) -> list[dict[str, Any]]:
    """Measure a layer of 1024 x 1024 on batches of 1 and 256, and how the time grows with the inputs."""
    pick_device(device)
    rows = []
    w = signs(1024, 1024, device)
    w_packed = pack_bits(w)
    for batch in (1, 256):
        x = signs(batch, 1024, device)
        packed, floats = in_turn(
            [partial(xnor_linear, pack_bits(x), w_packed, n=1024), partial(torch.matmul, x, w.T)], rounds=rounds
        )
        rows.append(row(f"batch {batch}, 1024 x 1024, against floats, ms", packed, floats, "(no bar)"))
    size, full = w_packed.nbytes / 1e6, w.nbytes / 1e6
    rows.append(row("memory of the 1024 x 1024 weights, MB", size, full, "32 times less"))
    sizes = (512, 2048, 8192)
    base, *larger = in_turn([multiplication(n, device) for n in sizes], rounds=rounds)
    for n, time in zip(sizes[1:], larger, strict=True):
        rows.append(row(f"{n} inputs, against 512, ms", time, base, f"about {n // 512}", faster=False))
    return rows


def signs(rows: int, n: int, device: str) -> torch.Tensor:
    """Random signs."""
    return binarize(torch.randn(rows, n, generator=torch.Generator().manual_seed(rows))).to(device)


def multiplication(n: int, device: str) -> Callable[[], object]:
    """The product of packed signs, 256 rows with 1024 outputs."""
    x, w = pack_bits(signs(256, n, device)), pack_bits(signs(1024, n, device))
    return partial(xnor_linear, x, w, n=n)
