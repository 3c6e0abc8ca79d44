"""What all entropy coders share: counts of symbols, the type of symbols, and symbols that take no bits."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["checked_counts", "count_symbols", "only_symbol", "smallest_dtype"]

CHUNK = 2**18  # symbols at once, which keeps the memory small


def checked_counts(counts: ArrayLike) -> NDArray[Any]:
    """`counts` (n,) as an array.

    Raises: ValueError unless they are whole numbers, none of them negative.

    >>> checked_counts([3, -1])
    Traceback (most recent call last):
        ...
    ValueError: counts must be whole numbers, not negative, got int64 of shape (2,)
    """
    table = np.asarray(counts)
    if table.ndim != 1 or (len(table) and (not np.issubdtype(table.dtype, np.integer) or int(table.min()) < 0)):
        raise ValueError(f"counts must be whole numbers, not negative, got {table.dtype} of shape {table.shape}")
    return table


def count_symbols(symbols: NDArray[np.unsignedinteger], alphabet: int) -> NDArray[np.int64]:
    """How often each of the symbols 0 to `alphabet` - 1 occurs in `symbols` (n,).

    >>> count_symbols(np.array([2, 0, 2], np.uint8), 4)
    array([1, 0, 2, 0])
    """
    counts = np.zeros(alphabet, np.int64)
    for start in range(0, len(symbols), CHUNK):
        counts += np.bincount(symbols[start : start + CHUNK], minlength=alphabet)
    return counts


def smallest_dtype(alphabet: int) -> type[np.unsignedinteger]:
    """The type of the symbols 0 to `alphabet` - 1; an alphabet has at most 65,536 symbols.

    >>> smallest_dtype(256).__name__, smallest_dtype(257).__name__
    ('uint8', 'uint16')
    """
    return np.uint8 if alphabet <= 2**8 else np.uint16


def only_symbol(used: NDArray[np.intp], data: bytes | memoryview, count: int) -> int | None:
    """The symbol that needs no bits: the only one in use, or 0 where none is asked for. None if there are bits to read.

    Raises: ValueError where the data, the count and the symbols in use do not fit each other.

    >>> only_symbol(np.array([3]), b"", 10), only_symbol(np.array([3, 5]), b"x", 10)
    (3, None)
    """
    if count < 0 or (count and not len(used)):
        raise ValueError(f"a code without words holds no symbols, asked for {count}")
    if count and len(used) > 1:
        return None
    if data:
        raise ValueError(f"no bits are written for these symbols, got {len(data)} bytes")
    return int(used[0]) if len(used) else 0
