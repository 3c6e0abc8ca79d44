"""The rows of each training step: an epoch is cut into batches, and a batch into parts where memory is short."""

import torch
from torch import Tensor

__all__ = ["batches", "parts_of_batch"]


def batches(n: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """The numbers of n rows in a random order, cut into batches; a last one of one row joins the one before.

    Batch normalisation has no variance to divide by in a batch of one.

    >>> [len(rows) for rows in batches(129, 64, torch.Generator())]
    [64, 65]
    """
    parts = list(torch.randperm(n, generator=generator).split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def parts_of_batch(rows: Tensor, *, at_most: int | None, minimum: int = 1) -> tuple[Tensor, ...]:
    """Cut the row numbers of a batch into parts of equal size (to one row): `at_most` rows each, at least `minimum`.

    None leaves the batch as it is. Where both limits cannot be met, a part is larger than `at_most`.

    >>> [len(part) for part in parts_of_batch(torch.arange(10), at_most=4)]
    [4, 3, 3]
    >>> [len(part) for part in parts_of_batch(torch.arange(3), at_most=2, minimum=2)]
    [3]
    """
    if at_most is None:
        return (rows,)
    needed, possible = -(-len(rows) // at_most), len(rows) // minimum
    return rows.tensor_split(max(1, min(needed, possible)))
