"""A network in evaluation mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["evaluation_mode"]


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and afterwards each of its modules back into the mode that it was in.

    A frozen BatchNorm layer in a network that is being trained stays in evaluation mode.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3).eval())
    >>> with evaluation_mode(model):
    ...     [module.training for module in model.modules()]
    [False, False, False]
    >>> [module.training for module in model.modules()]
    [True, True, False]
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
