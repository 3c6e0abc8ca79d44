"""Actions after each optimizer step: masks are applied again, weights clipped or rounded.

The hook is on torch's optimizers, so it works inside any training loop, the caller's own included.
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
    """Inside the context, call `action()` after each step of an optimizer that holds parameters of `model`.

    The action runs without gradients. What it returns is ignored; what it raises ends the step.

    >>> model = nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with after_steps(model, lambda: print("stepped")):
    ...     optimizer.step()
    stepped
    """
    parameter_ids = {id(p) for p in model.parameters()}

    def hook(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if any(id(p) in parameter_ids for group in optimizer.param_groups for p in group["params"]):
            with torch.no_grad():
                action()

    handle = register_optimizer_step_post_hook(hook)
    try:
        yield
    finally:
        handle.remove()
