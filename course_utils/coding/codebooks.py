"""Codebooks as bytes: all multiples of a spacing, as float16, or as they are."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_utils.coding.budget import Budget
from course_utils.coding.reader import FormatError, Reader, varint

__all__ = ["codebook_bytes", "dense_bytes", "read_codebook"]

PLAIN, FLOAT16, MULTIPLES = range(3)  # the forms
CHUNK = 2**16  # values at once, which keeps the memory small


def dense_bytes(array: NDArray[Any]) -> bytes:
    """The numbers of an array, row by row, the lowest byte first."""
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()


def codebook_bytes(codebook: NDArray[Any]) -> bytes:
    """A codebook in the first of three forms that gives back every bit of it: multiples, float16, its own type.

    >>> [len(codebook_bytes(np.array(values, "f4"))) for values in ([-1, 1, 2], [0.5, 0.25, 3], [0.1, 0.2, 0.4])]
    [6, 7, 13]
    """
    form = _form(codebook)
    if form == MULTIPLES:
        negative, spacing = _negative_and_spacing(codebook)
        return bytes([MULTIPLES]) + varint(negative) + dense_bytes(spacing)
    return bytes([form]) + dense_bytes(codebook.astype(np.float16) if form == FLOAT16 else codebook)


def read_codebook(section: Reader, size: int, kind: str, budget: Budget) -> NDArray[Any]:
    """The `size` values of type `kind` that `codebook_bytes` wrote.

    Raises: FormatError for other bytes, or for a codebook above the budget.
    """
    form, dtype = section.byte(), np.dtype(kind)
    little_endian = dtype.newbyteorder("<")
    if form > MULTIPLES or (form != PLAIN and dtype.kind != "f"):
        raise FormatError(f"{section.place}: no form {form} of a codebook of {kind}")
    # A few bytes can stand for many multiples, so they are counted before they are made.
    budget.take(size * dtype.itemsize, section.where)
    place = section.place
    if form == MULTIPLES:
        negative = section.varint(size)
        spacing = np.frombuffer(section.take(dtype.itemsize), little_endian).astype(dtype)
        codebook = np.empty(size, dtype)
        for start, part in _chunks(codebook):
            part[:] = _multiples(spacing, negative, start, len(part), dtype)
        written = size > 0 and negative == _negative_and_spacing(codebook)[0]
        written = written and _same_bits(spacing, _negative_and_spacing(codebook)[1])
    else:
        raw = np.frombuffer(
            section.take(size * (2 if form == FLOAT16 else dtype.itemsize)), "<f2" if form == FLOAT16 else little_endian
        )
        codebook = raw.astype(dtype)
        written = form == PLAIN or all(
            _same_bits(part.astype("<f2"), raw[start : start + CHUNK]) for start, part in _chunks(codebook)
        )
    if not written or _form(codebook) != form:
        raise FormatError(f"{place}: a codebook of {section.where} is not in the form of the fewest bytes")
    return codebook


def _form(codebook: NDArray[Any]) -> int:
    """The form of the fewest bytes that gives back every bit."""
    dtype = codebook.dtype
    if dtype.kind != "f" or not len(codebook):
        return PLAIN
    negative, spacing = _negative_and_spacing(codebook)
    if all(_same_bits(_multiples(spacing, negative, i, len(part), dtype), part) for i, part in _chunks(codebook)):
        return MULTIPLES
    with np.errstate(over="ignore", invalid="ignore"):
        exact = all(_same_bits(part.astype(np.float16).astype(dtype), part) for _, part in _chunks(codebook))
    return FLOAT16 if dtype != np.float16 and exact else PLAIN


def _negative_and_spacing(codebook: NDArray[Any]) -> tuple[int, NDArray[Any]]:
    """How many values are negative, and the smallest of the others, or of all without their sign; (1,)."""
    negative = sum(int((part < 0).sum()) for _, part in _chunks(codebook))
    return negative, codebook[negative : negative + 1] if negative < len(codebook) else -codebook[-1:]


def _multiples(spacing: NDArray[Any], negative: int, start: int, count: int, dtype: np.dtype) -> NDArray[Any]:
    """-negative spacing, ..., -spacing, spacing, 2 spacing, ...: `count` of these numbers from the `start`-th on."""
    factors = np.arange(start, start + count) - negative
    factors += factors >= 0
    with np.errstate(all="ignore"):
        return (factors * spacing.astype(np.float64)).astype(dtype)


def _chunks(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Views of so many values at once that what is computed from them takes little memory, with where they start."""
    for start in range(0, len(values), CHUNK):
        yield start, values[start : start + CHUNK]


def _same_bits(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.tobytes() == b.tobytes()
