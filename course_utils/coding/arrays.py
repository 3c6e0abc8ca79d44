"""Arrays of few different values, and the bytes that stand for them: a codebook, positions, and indices into it.

An array has a section of its own, with its indices under a Huffman code, an ANS code or none; or it shares one section
with all others of entropy "mixed", which takes the fewest bytes for a small network (see `joint`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from course_utils.coding.ans import AnsCode
from course_utils.coding.budget import Budget
from course_utils.coding.codebooks import codebook_bytes, dense_bytes, read_codebook
from course_utils.coding.huffman import HuffmanCode
from course_utils.coding.joint import Sparse, decode_joint, encode_joint
from course_utils.coding.positions import decode_positions, encode_positions, working_bytes
from course_utils.coding.reader import FormatError, Reader, varint
from course_utils.coding.symbols import count_symbols, smallest_dtype

__all__ = ["ENTROPY", "Coded", "Part", "coded_section", "dense_bytes", "joint_section", "read_coded", "read_joint"]

ENTROPY = (None, "huffman", "ans", "in order", "mixed")
MAX_CENTROIDS = 2**16  # for entropy "in order" there is no limit: its codebook lists the nonzeros
CHUNK = 2**16  # indices or values at once, which keeps the memory small


@dataclass(frozen=True, eq=False)
class Coded:
    """An array of few different values: `codebook[indices]` where `mask` is true, row by row, and 0 elsewhere.

    codebook: (k,); indices: (nonzeros,), whole numbers below k; mask: booleans in the shape of the array. `entropy`:
    how the indices are written. "huffman", "ans", or None for ceil(log2 k) bits each. "in order": not at all, as they
    are 0, 1, 2, ..., which makes the codebook a list of the nonzeros (`indices` may be left empty). "mixed": the arrays
    of a small network in one stream of mixed contexts, the smallest and the slowest (about 100,000 places a second); it
    needs a codebook that rises and holds no 0. `gap_bits`: of the positions, 1 to 8, or 0 for rows and columns; None
    for the coding of the fewest bytes.

    >>> coded = Coded(np.array([0.5, -1.0], "f4"), np.array([1, 0]), np.array([[True, False], [False, True]]))
    >>> coded.decode()
    array([[-1. ,  0. ],
           [ 0. ,  0.5]], dtype=float32)
    """

    codebook: NDArray[Any]
    indices: NDArray[Any]
    mask: NDArray[np.bool_]
    entropy: str | None = "huffman"
    gap_bits: int | None = None

    def decode(self) -> NDArray[Any]:
        """The array, in the shape of the mask and the type of the codebook."""
        array = np.zeros(self.mask.shape, self.codebook.dtype)
        array[self.mask] = self.codebook if self.entropy == "in order" else self.codebook[self.indices]
        return array


class Part(NamedTuple):
    """A piece of a file: its array, what it is, its bytes; of a joint stream also its bits by array and by kind."""

    array: str
    what: str
    data: bytes
    bits: Mapping[tuple[str, str], float] = {}


def coded_section(name: str, value: Coded) -> list[Part]:
    """The section of an array of any entropy but "mixed".

    Raises: ValueError for indices that do not fit the mask and the codebook.

    >>> coded = Coded(np.array([0.5, -1.0], "f4"), np.array([1, 0]), np.array([[True, False], [False, True]]))
    >>> [(part.what, len(part.data)) for part in coded_section("w", coded)]
    [('codebook', 8), ('positions', 6), ('table', 1), ('values', 1)]
    """
    indices, mask = _checked(name, value)
    size = len(value.codebook)
    positions = b"" if mask.all() else encode_positions(mask, coding=value.gap_bits)
    table, body = b"", b""
    if value.entropy == "huffman":
        huffman = HuffmanCode.from_counts(np.bincount(indices, minlength=size))
        lengths = np.append(huffman.lengths, np.zeros(size % 2, np.uint8))
        table, body = (lengths[0::2] << 4 | lengths[1::2]).tobytes(), huffman.encode(indices)
    elif value.entropy == "ans":
        ans = AnsCode.from_counts(np.bincount(indices, minlength=size))
        table, body = b"".join(map(varint, ans.frequencies.tolist())), ans.encode(indices)
    elif value.entropy is None:
        body = _pack(indices, size)
    flags = bytes([int(mask.all()), ENTROPY.index(value.entropy)])
    return [
        Part(name, "codebook", flags + varint(size) + codebook_bytes(value.codebook)),
        Part(name, "positions", varint(len(positions)) + positions),
        Part(name, "table", table),
        Part(name, "values", body),
    ]


def read_coded(section: Reader, shape: tuple[int, ...], kind: str, budget: Budget) -> Coded:
    """The array of a section that `coded_section` wrote; `kind`: the type of its numbers, such as "float32".

    Raises: FormatError, or ValueError from a coder, for other bytes, or for an array above the budget.
    """
    full, number = section.byte(), section.byte()
    if full > 1 or number >= ENTROPY.index("mixed"):
        raise FormatError(f"{section.place}: no flag {full}, or no coder {number}")
    entropy = ENTROPY[number]
    size = section.varint(math.prod(shape) if entropy == "in order" else MAX_CENTROIDS)
    codebook = read_codebook(section, size, kind, budget)
    positions = section.take(section.varint(2**62))
    if full and positions:
        raise FormatError(f"{section.place}: {section.where} has positions, and none of its places is zero")
    places = math.prod(shape)
    budget.take(places, section.where)
    with budget.lend(working_bytes(positions, places), section.where):
        mask = np.ones(shape, bool) if full else decode_positions(positions, shape=shape)
    if not full and mask.all():
        raise FormatError(f"{section.place}: {section.where} has no zeros, and does not say so")
    count = int(mask.sum())
    indices = _read_indices(section, entropy, size, count, budget)
    return Coded(codebook, indices, mask, entropy, positions[0] if positions else None)


def _read_indices(
    section: Reader, entropy: str | None, size: int, count: int, budget: Budget
) -> NDArray[np.unsignedinteger]:
    """The table of the coder and the indices, which are the rest of the section."""
    if entropy == "in order":
        section.finish()
        if count != size:
            raise ValueError(f"there are {count} nonzeros and {size} values")
        return np.zeros(0, np.uint8)
    budget.take(count * np.dtype(smallest_dtype(size)).itemsize, section.where)
    if entropy is None:
        return _unpack(section.rest(), size, count)
    if entropy == "huffman":
        table = np.frombuffer(section.take((size + 1) // 2), np.uint8)
        lengths = np.stack([table >> 4, table & 15], 1).reshape(-1)
        if lengths[size:].any():
            raise FormatError(f"{section.place}: {section.where} has more lengths than centroids")
        huffman = HuffmanCode(lengths[:size])
        indices = huffman.decode(section.rest(), count=count)
        shortest = HuffmanCode.from_counts(count_symbols(indices, size))
        same = np.array_equal(shortest.lengths, huffman.lengths)
    else:
        ans = AnsCode(np.array([section.varint(2**16) for _ in range(size)], np.int64))
        indices = ans.decode(section.rest(), count=count)
        same = np.array_equal(AnsCode.from_counts(count_symbols(indices, size)).frequencies, ans.frequencies)
    if not same:
        raise ValueError("the table is not the one that is made for these indices")
    return indices


def joint_section(arrays: Mapping[str, Coded]) -> list[Part]:
    """The section that all arrays of entropy "mixed" share: their codebooks, and one stream for the rest.

    Raises: ValueError for indices that do not fit, or a codebook that does not rise or holds 0 or NaN.
    """
    parts, sparse = [], []
    for name, value in arrays.items():
        indices, mask = _checked(name, value)
        book = value.codebook.astype(np.float64)
        if not np.all(np.diff(book) > 0) or not np.all(book != 0) or np.isnan(book).any():
            raise ValueError(
                f'{name} must have a rising codebook without 0 for entropy="mixed"; use "huffman" or "ans"'
            )
        negative = int((book < 0).sum())
        ranks = np.zeros(mask.shape, np.int64)
        ranks[mask] = indices.astype(np.int64) - negative + (indices >= negative)
        sparse.append(Sparse(ranks, negative, len(book) - negative))
        parts.append(
            Part(name, "codebook", varint(negative) + varint(len(book) - negative) + codebook_bytes(value.codebook))
        )
    stream, bits = encode_joint(sparse)
    names = list(arrays)
    return [*parts, Part("", "stream", stream, {(names[i], what): spent for (i, what), spent in bits.items()})]


def read_joint(section: Reader, entries: Mapping[str, tuple[tuple[int, ...], str]], budget: Budget) -> dict[str, Coded]:
    """The arrays of the joint section; `entries`: the shape and the type of each.

    Raises: FormatError, or ValueError from the coder, for bytes that `joint_section` cannot have written, or for arrays
    above the budget.
    """
    places = sum(math.prod(shape) for shape, _ in entries.values())
    budget.take(3 * places, section.where)  # masks, and indices of two bytes
    with budget.lend(8 * places + section.end, section.where):  # ranks, and a copy of the stream
        return _read_joint(section, entries, budget)


def _read_joint(
    section: Reader, entries: Mapping[str, tuple[tuple[int, ...], str]], budget: Budget
) -> dict[str, Coded]:
    books, sides = [], []
    for _, kind in entries.values():
        negative, positive = section.varint(MAX_CENTROIDS), section.varint(MAX_CENTROIDS)
        books.append(read_codebook(section, negative + positive, kind, budget))
        sides.append((negative, positive))
        with np.errstate(invalid="ignore"):  # a NaN, which does not rise
            rising = bool(np.all(np.diff(books[-1].astype(np.float64)) > 0))
        if not rising or int((books[-1] < 0).sum()) != negative or int((books[-1] > 0).sum()) != positive:
            raise FormatError(f"{section.place}: a codebook of {section.where} does not rise, or holds 0")
    sparse_arrays = decode_joint(bytes(section.rest()), [shape for shape, _ in entries.values()], sides)
    arrays = {}
    for name, book, sparse in zip(entries, books, sparse_arrays, strict=True):
        mask = sparse.ranks != 0
        ranks = sparse.ranks[mask]
        indices = (ranks + sparse.negative - (ranks > 0)).astype(smallest_dtype(len(book)))
        arrays[name] = Coded(book, indices, mask, "mixed")
    return arrays


def _checked(name: str, value: Coded) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    size, indices = len(value.codebook), np.asarray(value.indices).reshape(-1)
    mask = np.asarray(value.mask, bool)
    in_order = value.entropy == "in order"
    if value.codebook.ndim != 1 or (size > MAX_CENTROIDS and not in_order) or value.entropy not in ENTROPY:
        raise ValueError(f"{name} must have a codebook of at most 65,536 values, and an entropy among {ENTROPY}")
    if in_order:
        if size != int(mask.sum()) or (len(indices) and not np.array_equal(indices, np.arange(size))):
            raise ValueError(f'{name} must have a value for each of {int(mask.sum())} nonzeros for entropy="in order"')
        return indices, mask
    if len(indices) != int(mask.sum()) or (len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < size):
        raise ValueError(f"{name} must have an index below {size} for each of {int(mask.sum())} nonzeros")
    return indices, mask


def _pack(indices: NDArray[Any], size: int) -> bytes:
    """ceil(log2 size) bits for each index, the highest first."""
    bits = max(0, size - 1).bit_length()
    if not bits:
        return b""
    shifts = np.arange(bits - 1, -1, -1)
    return np.packbits((indices.astype(np.int64)[:, None] >> shifts & 1).astype(np.uint8).reshape(-1)).tobytes()


def _unpack(data: bytes | memoryview, size: int, count: int) -> NDArray[Any]:
    bits = max(0, size - 1).bit_length()
    if (count and not size) or len(data) != (count * bits + 7) // 8:
        raise ValueError(f"{count} indices of {bits} bits do not take {len(data)} bytes")
    indices = np.zeros(count, smallest_dtype(size))
    if not bits:
        return indices
    powers = 1 << np.arange(bits - 1, -1, -1)
    for start in range(0, count, CHUNK):  # a chunk starts at a whole byte
        chunk = indices[start : start + CHUNK]
        digits = np.unpackbits(np.frombuffer(data[start * bits // 8 : (start + CHUNK) * bits // 8], np.uint8))
        if digits[len(chunk) * bits :].any():
            raise ValueError("the bits behind the last index are not 0")
        chunk[:] = digits[: len(chunk) * bits].reshape(-1, bits) @ powers
    if count and int(indices.max()) >= size:
        raise ValueError(f"an index is {int(indices.max())}, and there are {size} centroids")
    return indices
