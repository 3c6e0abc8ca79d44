"""One weight under a penalty: what a proximal step does to it, and where many steps lead (lecture, (5), (7), (8))."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.methods.penalties import prox_elastic_net, prox_l1, prox_l2

__all__ = ["LR", "STEPS", "Prox", "Shrunk", "W", "descend", "shrink"]

W = torch.arange(-200, 201) / 100
STEPS = 40
LR = 0.3

Prox = Callable[..., Tensor]


class Shrunk(NamedTuple):
    """`maps`: a new weight per old weight W, for each penalty; `paths`: the weight after each step, for each way."""

    maps: dict[str, np.ndarray]
    paths: dict[str, np.ndarray]


def shrink(lam: float, a: float, prox: Prox = prox_l1) -> Shrunk:
    """One proximal step of size `lam` on all W, and STEPS steps of size LR on (w - a)^2 / 2 + lam |w|."""
    return Shrunk(
        maps={
            "l2": prox_l2(W, step=lam).numpy(),
            "elastic net": prox_elastic_net(W, step=lam, l1_ratio=0.5).numpy(),
            "l1": _checked(prox, W.clone(), lam).numpy(),
        },
        paths={"subgradient": descend(a, lam), "proximal": descend(a, lam, prox)},
    )


def descend(a: float, lam: float, prox: Prox | None = None) -> np.ndarray:
    """The weight before and after each step on (w - a)^2 / 2 + lam |w|, from w = 1.5; without `prox` by (8)."""
    w, path = torch.tensor([1.5]), []
    for _ in range(STEPS + 1):
        path.append(float(w))
        w = w - LR * (w - a + lam * w.sign()) if prox is None else _checked(prox, w - LR * (w - a), LR * lam)
    return np.array(path)


def _checked(prox: Prox, w: Tensor, step: float) -> Tensor:
    """What a reader's function returns, if it is a tensor like `w`."""
    new = prox(w, step=step)
    if not isinstance(new, Tensor) or new.shape != w.shape:
        got = f"a tensor of shape {tuple(new.shape)}" if isinstance(new, Tensor) else type(new).__name__
        raise ValueError(f"prox must return a tensor of shape {tuple(w.shape)} like w, got {got}")
    return new.detach()
