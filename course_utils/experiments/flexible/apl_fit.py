"""Fits an adaptive piecewise linear unit to a function by least squares (lecture, (15))."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.methods.activations import APL

__all__ = ["RANGE", "S", "fit_apl"]

RANGE = 3.0
S = torch.linspace(-RANGE, RANGE, 301)


@torch.no_grad()
def fit_apl(function: Callable[[Tensor], Tensor], segments: int) -> APL:
    """An APL unit near a function on S: kinks at equal distances, and the best slopes for them (least squares)."""
    unit = APL(1, segments=segments)
    # Hinges with kinks far to the right are straight lines within the range: two of them give height and slope.
    far = torch.tensor([2 * RANGE, 4 * RANGE])[:segments]
    n = segments - len(far)
    inside = -RANGE + 2 * RANGE * (torch.arange(n) + 1 / 3) / max(1, n)  # 1/3: none at 0, where the ReLU has its kink
    b = torch.cat([inside, far])
    hinges = (b - S.unsqueeze(1)).clamp(min=0).double()
    rest = (function(S) - S.clamp(min=0)).double()
    a = torch.linalg.lstsq(hinges, rest.unsqueeze(1)).solution
    unit.a.copy_(a.float())
    unit.b.copy_(b.unsqueeze(1))
    return unit
