"""Positions of nonzeros as relative differences of few bits, with filler zeros where a span is too long.

The sparse storage of Deep Compression (Han, Mao, Dally 2015, arXiv:1510.00149, figure 2; lecture, section 07). A gap is
the distance from one stored position to the next, from 1 to 2^bits; the first is counted from position 0, so it is 0
if position 0 itself holds a nonzero, which the lecture's example leaves open. A span above 2^bits is walked in steps
of 2^bits, each to a filler: a place that is stored although its value is zero. Zeros after the last nonzero are not
stored.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course_utils._support.check import in_range

__all__ = ["decode_gaps", "encode_gaps"]


def encode_gaps(mask: ArrayLike, *, bits: int) -> tuple[NDArray[np.unsignedinteger], NDArray[np.bool_]]:
    """The gaps between the nonzeros of `mask`, and which of them lead to a filler; two arrays of one length.

    `mask`: booleans of any shape, read row by row. `bits`: from 1 to 16. Gaps have the smallest of uint8, uint16 and
    uint32 that holds 2^bits. In a file gap - 1 takes `bits` bits, a first gap of 0 a flag of its own, and a filler is
    known by its zero value.

    Raises: ValueError for other bits.

    >>> mask = np.zeros(20, bool)
    >>> mask[[1, 4, 15]] = True  # the lecture's example: 3.4, 0.9 and 1.7 at positions 1, 4 and 15
    >>> encode_gaps(mask, bits=3)
    (array([1, 3, 8, 3], dtype=uint8), array([False, False,  True, False]))
    """
    dtype = _dtype(bits)
    positions = np.flatnonzero(np.asarray(mask))
    spans = np.diff(positions, prepend=0)
    fillers = np.maximum(spans - 1, 0) >> bits
    ends = np.cumsum(fillers + 1) - 1
    total = int(ends[-1]) + 1 if len(ends) else 0
    gaps, is_filler = np.full(total, 1 << bits, dtype), np.ones(total, bool)
    gaps[ends] = spans - (fillers << bits)
    is_filler[ends] = False
    return gaps, is_filler


def decode_gaps(gaps: ArrayLike, fillers: ArrayLike, *, size: int, bits: int) -> NDArray[np.bool_]:
    """The mask, (size,) booleans, from which `encode_gaps` made the gaps and fillers, two arrays of one length.

    Raises: ValueError for other bits, or for gaps that it cannot have made: out of range, past the end, or of another
    number than `fillers`.

    >>> decode_gaps([0, 2], [False, False], size=4, bits=3)
    array([ True, False,  True, False])
    """
    _dtype(bits)  # checks them
    gaps, fillers = np.asarray(gaps), np.asarray(fillers, bool)
    if gaps.shape != fillers.shape or gaps.ndim != 1:
        raise ValueError(f"gaps and fillers must be two lists of one length, got {gaps.shape} and {fillers.shape}")
    mask = np.zeros(size, bool)
    if not len(gaps):
        return mask
    if int(gaps.max()) > 1 << bits or int(gaps.min()) < 0 or not gaps[1:].all():
        raise ValueError(f"gaps must be from 1 to {1 << bits}, the first from 0; got {gaps.min()} to {gaps.max()}")
    positions = np.cumsum(gaps, dtype=np.int64)
    if positions[-1] >= size:
        raise ValueError(f"the gaps lead to position {positions[-1]}, and there are {size}")
    mask[positions] = ~fillers
    return mask


def _dtype(bits: int) -> type[np.unsignedinteger]:
    in_range("bits", bits, 1, 16)
    if bits < 8:
        return np.uint8
    return np.uint16 if bits < 16 else np.uint32
