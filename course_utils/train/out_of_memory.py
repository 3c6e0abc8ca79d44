"""When the memory of a device is too small: the same work on half as many rows at once, or one clear error."""

from collections.abc import Callable
from typing import TypeVar

import torch

from course_utils._support.words import plural

__all__ = ["attempt", "halved"]

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


def halved(rows: int, *, minimum: int = 1, work: str) -> int:
    """Return half of `rows`, but not fewer than `minimum`.

    Raises: torch.OutOfMemoryError where no fewer are possible; it says that `work` does not fit, and the way out.

    >>> halved(128, work="training"), halved(3, minimum=2, work="training")
    (64, 2)
    """
    if rows <= minimum:
        raise torch.OutOfMemoryError(
            f"{work} does not fit into the memory, not even with {plural(rows, 'row')} at once; take a smaller "
            "network, free memory (a notebook keeps its own until its kernel is shut down), or use device='cpu'"
        )
    return max(rows // 2, minimum)
