"""Seeded random numbers inside a block, without an effect on those outside."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["random_numbers"]


@contextmanager
def random_numbers(seed: int) -> Iterator[None]:
    """Seed torch's generator inside the block; afterwards it continues as if there had been no block.

    This holds for the generator of the CPU, where networks are initialized.

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
