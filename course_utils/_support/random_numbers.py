"""Random numbers that a block has for itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["random_numbers"]


@contextmanager
def random_numbers(seed: int) -> Iterator[None]:
    """Draw from a seed inside of the block; outside of it numbers are drawn as if there had been no block.

    This holds for tensors on the CPU, where networks are made.

    >>> with random_numbers(0):
    ...     a = torch.rand(2)
    >>> with random_numbers(0):
    ...     b = torch.rand(2)
    >>> bool((a == b).all())
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
