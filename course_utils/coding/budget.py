"""How much memory the reader of a file may still take: every array is counted before it is made."""

from collections.abc import Iterator
from contextlib import contextmanager

from course_utils.coding.reader import FormatError

__all__ = ["Budget"]


class Budget:
    """So many bytes of memory, of which the arrays of a file take their parts.

    >>> budget = Budget(1000)
    >>> budget.take(600, "array 'w'")
    >>> with budget.lend(400, "array 'w'"):
    ...     budget.left
    0
    >>> budget.left
    400
    >>> budget.take(401, "array v")
    Traceback (most recent call last):
        ...
    course_utils.coding.reader.FormatError: array v: 401 bytes more, and 400 of 1,000 are left; give a larger max_bytes
    """

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit

    def take(self, count: int, where: str) -> None:
        """Count bytes that stay; `where` says in an error what they are for.

        Raises: FormatError if fewer are left.
        """
        if count > self.left:
            raise FormatError(
                f"{where}: {count:,} bytes more, and {self.left:,} of {self.limit:,} are left; give a larger max_bytes"
            )
        self.left -= count

    @contextmanager
    def lend(self, count: int, where: str) -> Iterator[None]:
        """Count bytes that are free again after the block.

        Raises: FormatError if fewer are left.
        """
        self.take(count, where)
        try:
            yield
        finally:
            self.left += count
