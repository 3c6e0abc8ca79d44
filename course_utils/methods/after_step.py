"""Something that has to happen after each optimizer step: masks put back, weights clipped or rounded.

The hook sits on torch's optimizers, so it works inside any training loop, also one that was written by somebody else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

__all__ = ["after_steps"]


@contextmanager
def after_steps(model: nn.Module, action: Callable[[], object]) -> Iterator[None]:
    """While the context lasts, call `action()` after each step of an optimizer that holds parameters of `model`.

    >>> model = nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with after_steps(model, lambda: print("stepped")):
    ...     optimizer.step()
    stepped
    """
    mine = {id(p) for p in model.parameters()}

    def hook(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if any(id(p) in mine for group in optimizer.param_groups for p in group["params"]):
            with torch.no_grad():
                action()

    handle = register_optimizer_step_post_hook(hook)
    try:
        yield
    finally:
        handle.remove()
