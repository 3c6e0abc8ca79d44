"""Networks whose weights are still to be loaded: made without drawing from PyTorch's global generator."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

__all__ = ["unfilled"]

# Every initializer of torch.nn ends in the first two, or is handed over under the name of one of the others.
DRAWS = {Tensor.uniform_, Tensor.normal_, init.uniform_, init.normal_, init.kaiming_uniform_}


class _OwnGenerators(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.generators: dict[torch.device, torch.Generator] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in DRAWS:
            return func(*args, **kwargs)
        tensor = kwargs["tensor"] if "tensor" in kwargs else args[0]
        if tensor.is_meta:  # it has no numbers, and to draw none PyTorch would import its compiler
            return tensor
        if tensor.device not in self.generators:
            self.generators[tensor.device] = torch.Generator(tensor.device)
        return func(*args, **kwargs | {"generator": self.generators[tensor.device]})


@contextmanager
def unfilled() -> Iterator[None]:
    """Draw the first weights of networks that are made inside from a generator of its own; holds for this thread only.

    A seeded computation of the caller, and one in another thread, get the same numbers as without the block.

    >>> before = torch.get_rng_state()
    >>> with unfilled():
    ...     layer = torch.nn.Linear(3, 2)
    >>> torch.equal(before, torch.get_rng_state())
    True
    """
    with _OwnGenerators():
        yield
