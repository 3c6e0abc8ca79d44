"""Claim: a KAF by the Horner form is at least 15 times faster than with a tensor of N x H x D kernels, 50 compiled.

4096 x 300 activations and D = 20, forward and backward, with at most a fifth of the extra memory. Then the time against
D and against N, which should grow in proportion.
"""

import shutil
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.bench.timing import extra_megabytes, in_turn, row
from course_utils.methods.activations import kernel_sum
from course_utils.train import pick_device

__all__ = ["run"]

N, H, D = 4096, 300, 20
Function = Callable[[Tensor, Tensor], Tensor]


def run(device: str = "cpu", *, rounds: int = 7) -> list[dict[str, Any]]:
    """Measure both forms in turn; the compiled one where there is a compiler."""
    pick_device(device)
    horner, plain = step(kernels(D), device), step(tensor_of_kernels(D), device)
    functions = [plain, horner]
    if device != "cpu" or shutil.which("g++") or shutil.which("clang++"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.compile imports deprecated parts of torch
            functions.append(compiled := step(torch.compile(kernels(D)), device))
            compiled()
    times = in_turn(functions, rounds=rounds)
    rows = [row("4096 x 300, D = 20, eager, ms", times[1], times[0], "at least 15 times faster")]
    if len(times) > 2:
        rows.append(row("the same under torch.compile, ms", times[2], times[0], "at least 50 times faster"))
    ours, theirs = extra_megabytes(make_horner, device), extra_megabytes(make_plain, device)
    rows.append(row("extra memory, MB", ours, theirs, "at most 0.2 of it", faster=False))
    base, *larger = in_turn([step(kernels(d), device, d=d) for d in (20, 40, 80)], rounds=rounds)
    for d, time in zip((40, 80), larger, strict=True):
        rows.append(row(f"D = {d}, against D = 20, ms", time, base, f"about {d // 20}", faster=False))
    base, *larger = in_turn([step(kernels(D), device, n=n * N) for n in (1, 2, 4)], rounds=rounds)
    for n, time in zip((2, 4), larger, strict=True):
        rows.append(row(f"N = {n * N}, against N = {N}, ms", time, base, f"about {n}", faster=False))
    return rows


def kernels(d: int) -> Function:
    """The primitive."""
    spacing = 6 / (d - 1)
    return lambda s, alpha: kernel_sum(s, alpha, low=-3.0, spacing=spacing, gamma=1 / (6 * spacing**2))


def tensor_of_kernels(d: int) -> Function:
    """(17) as it is written."""
    gamma = (d - 1) ** 2 / (6 * 6**2)

    def plain(s: Tensor, alpha: Tensor) -> Tensor:
        dictionary = torch.linspace(-3, 3, d, device=s.device)
        return (alpha * torch.exp(-gamma * (s.unsqueeze(-1) - dictionary) ** 2)).sum(-1)

    return plain


def step(function: Function, device: str, *, n: int = N, d: int = D) -> Callable[[], object]:
    """One forward and one backward pass through the function."""
    generator = torch.Generator().manual_seed(0)
    s = torch.randn(n, H, generator=generator).to(device).requires_grad_()
    alpha = torch.randn(H, d, generator=generator).to(device).requires_grad_()
    upstream = torch.ones(n, H, device=device)

    def once() -> None:
        s.grad = alpha.grad = None
        function(s, alpha).backward(upstream)

    return once


def make_horner(device: str) -> Callable[[], object]:
    """The function whose memory is measured in a separate process."""
    return step(kernels(D), device)


def make_plain(device: str) -> Callable[[], object]:
    """The same."""
    return step(tensor_of_kernels(D), device)
