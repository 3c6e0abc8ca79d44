"""Whether two networks compute the same: on the example, and on random inputs of its shapes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

__all__ = ["largest_difference", "tolerance"]

TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}


def tolerance(model: nn.Module) -> float:
    """How far outputs may differ, relative to the largest: sums are taken in another order, in the network's dtype."""
    return max((TOLERANCES.get(p.dtype, 0.0) for p in model.parameters()), default=0.0)


@torch.no_grad()
def largest_difference(model: nn.Module, other: nn.Module, example: tuple[Tensor, ...]) -> float:
    """The largest difference of the outputs, relative to the largest output; infinity for other shapes or dtypes."""
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for inputs in (example, tuple(_random(x, generator) for x in example)):
        given: list[Any] = _pytree.tree_leaves(model(*inputs))
        got: list[Any] = _pytree.tree_leaves(other(*inputs))
        if len(given) != len(got):
            return float("inf")
        worst = max([worst, *(_difference(a, b) for a, b in zip(given, got, strict=True) if isinstance(a, Tensor))])
    return worst


def _random(x: Tensor, generator: torch.Generator) -> Tensor:
    """Normal numbers, or for integers the same ones in another order, which are valid indices for sure."""
    if x.is_floating_point():
        return torch.randn(x.shape, generator=generator).to(x)
    order = torch.randperm(x.numel(), generator=generator).to(x.device)
    return x.flatten()[order].reshape(x.shape)


def _difference(a: Tensor, b: Any) -> float:
    if not isinstance(b, Tensor) or a.shape != b.shape or a.dtype != b.dtype:
        return float("inf")
    a, b = a.double(), b.double()
    if not torch.equal(a.isnan(), b.isnan()):
        return float("inf")
    distance = torch.where(a == b, 0.0, (a - b).abs()).nan_to_num(nan=0.0, posinf=float("inf"))
    largest = a[a.isfinite()].abs().amax().item() if bool(a.isfinite().any()) else 0.0
    return 0.0 if distance.numel() == 0 or not bool(distance.any()) else distance.amax().item() / max(largest, 1e-30)
