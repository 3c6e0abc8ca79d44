"""Where the nonzeros of a weight matrix are, in the fewest bytes of two codings.

Gaps: relative differences (see `gaps`) under a Huffman code of their own; a span that is too long is a symbol of its
own here, so no filler takes a place among the values.

Rows and columns: pruning leaves some inputs with many weights and most with none, and the same of neurons. So each row
is coded after what the rows before it had: a place is a nonzero with a probability in proportion to the nonzeros of its
column so far, scaled to the number that the last rows had. All probabilities are whole numbers out of 2^16, so every
machine computes the same ones; the range coder is constriction's.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course_utils._support.check import in_range
from course_utils.coding.gaps import encode_gaps
from course_utils.coding.huffman import HuffmanCode

__all__ = ["decode_positions", "encode_positions"]

ROWS_AND_COLUMNS = 0  # the first byte; 1 to 8 are the bits of gaps
UNIT = 2**16
MOST_COLUMNS = 2**18  # for rows and columns: each is remembered
CHUNK = 2**18  # gaps at once, which keeps the memory small
LEAST, MOST = 16, 60_000  # probabilities out of 2^16: nothing is impossible


def encode_positions(mask: ArrayLike, *, coding: int | None = None) -> bytes:
    """The bytes from which `decode_positions` makes `mask` again; the shape must be kept elsewhere.

    `mask`: booleans of any shape; its first dimension are the rows (the outputs of a layer). `coding`: 1 to 8 for gaps
    of so many bits, 0 for rows and columns, None for what is smallest; the first byte says which it was. A mask of
    nothing but zeros takes no bytes.

    Raises: ValueError for another coding.

    >>> mask = np.eye(50, dtype=bool)
    >>> data = encode_positions(mask)
    >>> bool((decode_positions(data, shape=(50, 50)) == mask).all())
    True
    """
    found = np.asarray(mask, bool)
    if not found.any():
        return b""
    codings = range(9) if coding is None else [int(in_range("coding", coding, 0, 8))]
    if _rows(found).shape[1] > MOST_COLUMNS:
        codings = [c for c in codings if c] or [5]
    return min((_encode_gaps(found, c) if c else _encode_rows_and_columns(found) for c in codings), key=len)


def decode_positions(data: bytes | memoryview, *, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask that `encode_positions` was given.

    Raises: ValueError for data that it cannot have written for this shape.
    """
    size = int(np.prod(shape, dtype=object))
    if not data:
        return np.zeros(shape, bool)
    if not size or data[0] > 8:
        raise ValueError(f"positions in {size} places cannot start with a byte of {data[0]}")
    if data[0] == ROWS_AND_COLUMNS:
        if size // (shape[0] if len(shape) > 1 else 1) > MOST_COLUMNS:
            raise ValueError(f"rows and columns are for {MOST_COLUMNS:,} columns at most")
        rows = _decode_rows(data[1:], shape[0] if len(shape) > 1 else 1, size)
        return rows.reshape(shape)
    return _decode_gaps(data, size).reshape(shape)


def _rows(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return mask.reshape(mask.shape[0] if mask.ndim > 1 else 1, -1)


def _encode_rows_and_columns(mask: NDArray[np.bool_]) -> bytes:
    return bytes([ROWS_AND_COLUMNS]) + _encode_rows(_rows(mask))


def _encode_gaps(mask: NDArray[np.bool_], bits: int) -> bytes:
    """Bits; how many symbols, 4 bytes; a length of 4 bits for each of 2^bits gaps and the long span; their words."""
    # One place in front makes every gap at least 1.
    gaps, fillers = encode_gaps(np.concatenate([[False], mask.reshape(-1)]), bits=bits)
    symbols = np.where(fillers, 1 << bits, gaps.astype(np.int64) - 1)
    code = HuffmanCode.from_counts(np.bincount(symbols, minlength=(1 << bits) + 1))
    lengths = np.append(code.lengths, np.uint8(0))
    table = lengths[0::2] << 4 | lengths[1::2]
    return bytes([bits]) + len(symbols).to_bytes(4, "little") + table.tobytes() + code.encode(symbols)


def _decode_gaps(data: bytes | memoryview, size: int) -> NDArray[np.bool_]:
    bits, alphabet = data[0], (1 << data[0]) + 1
    head = 5 + (alphabet + 1) // 2
    count = int.from_bytes(data[1:5], "little")
    if len(data) < head or not 0 < count <= size:
        raise ValueError(f"{count} gaps in {len(data)} bytes cannot be positions in {size} places")
    table = np.frombuffer(data[5:head], np.uint8)
    lengths = np.stack([table >> 4, table & 15], 1).reshape(-1)
    if lengths[alphabet:].any():
        raise ValueError("the table of gaps has more lengths than there are gaps")
    symbols = HuffmanCode(lengths[:alphabet]).decode(data[head:], count=count)
    if symbols[-1] == 1 << bits:
        raise ValueError("the last gap leads to no nonzero")
    mask, at = np.zeros(size, bool), -1
    for part in np.split(symbols, range(CHUNK, count, CHUNK)):
        long = part == 1 << bits
        places = at + np.cumsum(np.where(long, 1 << bits, part.astype(np.int64) + 1))
        at = int(places[-1])
        if at >= size:
            raise ValueError(f"the gaps lead to position {at}, and there are {size}")
        mask[places[~long]] = True
    return mask


class _Rates:
    """The probabilities of the next row, out of 2^16, learned from the rows before."""

    def __init__(self, columns: int) -> None:
        self.hits = np.ones(columns, np.int64)
        self.recent = max(8, 16 * columns // 64)  # nonzeros of a row, in sixteenths

    def next(self) -> NDArray[np.float64]:
        """For the columns of the next row; as floats, exactly."""
        scaled = self.hits * (self.recent * (UNIT // 16)) // int(self.hits.sum())
        return np.clip(scaled, LEAST, MOST) / UNIT

    def learn(self, row: NDArray[np.bool_]) -> None:
        """Take a row into account: its columns at twice the weight of the start, its number for a quarter."""
        self.hits += 2 * row
        self.recent = max(8, self.recent + (16 * int(row.sum()) - self.recent) // 4)


def _encode_rows(rows: NDArray[np.bool_]) -> bytes:
    import constriction

    coder, model = constriction.stream.queue.RangeEncoder(), constriction.stream.model.Bernoulli(perfect=False)
    rates = _Rates(rows.shape[1])
    for row in rows:
        coder.encode(row.astype(np.int32), model, rates.next())
        rates.learn(row)
    return coder.get_compressed().astype("<u4").tobytes()


def _decode_rows(data: bytes | memoryview, count: int, size: int) -> NDArray[np.bool_]:
    import constriction

    if len(data) % 4:
        raise ValueError(f"the data must be whole 32-bit words, got {len(data)} bytes")
    coder = constriction.stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))
    model, rates = constriction.stream.model.Bernoulli(perfect=False), _Rates(size // count)
    rows = np.zeros((count, size // count), bool)
    try:
        for row in rows:
            row[:] = coder.decode(model, rates.next())
            rates.learn(row)
    except AssertionError as error:  # constriction's word for data that no encoder wrote
        raise ValueError("the data are no rows and columns") from error
    if _encode_rows(rows) != data:  # the coder itself does not see what stands behind the end
        raise ValueError("the data hold more or less than these rows")
    return rows
