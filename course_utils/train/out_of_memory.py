"""When the memory of a device is too small: the same work again, on fewer rows at once.

A CUDA device that is full raises an error, and what the failed work had taken is free again once the error is gone. So
work that can be done on fewer rows is tried on half as many until it fits.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["attempt", "halved", "in_parts", "split"]

T = TypeVar("T")

# Beside torch.OutOfMemoryError: what libraries below PyTorch, and its allocator on a CPU, say in a plain RuntimeError.
SIGNS = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "can't allocate memory", "not enough memory")


def attempt(work: Callable[[], T]) -> T | None:
    """Return what `work()` gives, or None where the memory was too small for it. Every other error is raised.

    >>> attempt(lambda: torch.zeros(10**15)) is None
    True
    """
    try:
        return work()
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not any(sign in str(error) for sign in SIGNS):
            raise
    # After the block, for the error holds the frames of the work, and those its tensors.
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return None


def halved(rows: int, *, least: int = 1, work: str) -> int:
    """Return half of `rows`, but not fewer than `least`.

    Raises: torch.OutOfMemoryError where no fewer are possible; it says that `work` does not fit, and the way out.

    >>> halved(128, work="training"), halved(3, least=2, work="training")
    (64, 2)
    """
    if rows <= least:
        raise torch.OutOfMemoryError(
            f"{work} does not fit into the memory, not even with {rows} row{'s' * (rows > 1)} at once; take a smaller "
            "network, free memory (a notebook keeps its own until its kernel is shut down), or use device='cpu'"
        )
    return max(rows // 2, least)


def in_parts(work: Callable[[slice], T], rows: int, *, at_once: int, name: str) -> Iterator[T]:
    """Do `work` on all rows, `at_once` at a time, or fewer where the memory is too small; yield what each part gives.

    Raises: torch.OutOfMemoryError where one row is too much; `name` says what for.

    >>> list(in_parts(lambda rows: rows.stop - rows.start, 5, at_once=2, name="counting"))
    [2, 2, 1]
    """
    start = 0
    while start < rows:
        part = slice(start, min(start + at_once, rows))
        done = attempt(lambda part=part: work(part))  # type: ignore[misc]
        if done is None:
            at_once = halved(part.stop - part.start, work=name)
        else:
            yield done
            start = part.stop


def split(rows: Tensor, at_once: int | None, least: int) -> tuple[Tensor, ...]:
    """Cut the numbers of a batch's rows into parts that are as equal as can be: of at most `at_once`, at least `least`.

    None leaves the batch whole. Where both cannot be had, a part is larger than `at_once`.

    >>> [len(part) for part in split(torch.arange(10), 4, 1)], [len(part) for part in split(torch.arange(3), 2, 2)]
    ([4, 3, 3], [3])
    """
    if at_once is None:
        return (rows,)
    return rows.tensor_split(max(1, min(-(-len(rows) // at_once), len(rows) // least)))
