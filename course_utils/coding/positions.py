"""The positions of the nonzeros of a weight matrix, in whichever of two codings takes fewer bytes.

Gaps: relative differences (see `gaps`) under a Huffman code of their own; a span that is too long has a symbol of its
own here, so no filler takes a place among the values.

Rows and columns: pruning leaves a few inputs with many weights and most with none, and the same of neurons. So each row
is predicted from the rows before it: a place holds a nonzero with a probability in proportion to the nonzeros of its
column so far, scaled to the number of nonzeros in the last rows. All probabilities are whole numbers out of 2^16, so
every machine computes the same ones; the range coder is that of `constriction` (Bamler 2022, arXiv:2201.01741).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course_utils._support.check import in_range
from course_utils.coding.gaps import encode_gaps
from course_utils.coding.huffman import HuffmanCode
from course_utils.coding.symbols import count_symbols

__all__ = ["decode_positions", "encode_positions", "working_bytes"]

ROWS_AND_COLUMNS = 0  # the first byte; 1 to 8 are the bits of gaps
UNIT = 2**16
MAX_COLUMNS = 2**18  # for rows and columns: each takes memory
CHUNK = 2**18  # gaps at once, which keeps the memory small
ROWS_PER_BYTE = 64  # a row takes an eighth of a bit at least, at a probability of MAX_PROBABILITY
MIN_PROBABILITY, MAX_PROBABILITY = 16, 60_000  # out of UNIT: nothing is impossible


def encode_positions(mask: ArrayLike, *, coding: int | None = None) -> bytes:
    """The bytes from which `decode_positions` makes `mask` again; the shape is not stored.

    `mask`: booleans of any shape; the rows are its first dimension (the outputs of a layer). `coding`: 1 to 8 for gaps
    of so many bits, 0 for rows and columns, None for the smallest of all; the first byte says which it is. A mask
    without a nonzero takes no bytes.

    Raises: ValueError for another coding.

    >>> mask = np.eye(50, dtype=bool)
    >>> data = encode_positions(mask)
    >>> bool((decode_positions(data, shape=(50, 50)) == mask).all())
    True
    """
    nonzero = np.asarray(mask, bool)
    if not nonzero.any():
        return b""
    codings = range(9) if coding is None else [int(in_range("coding", coding, 0, 8))]
    if _rows(nonzero).shape[1] > MAX_COLUMNS:
        codings = [bits for bits in codings if bits != ROWS_AND_COLUMNS] or [5]
    return min((_encode(nonzero, candidate) for candidate in codings), key=len)


def decode_positions(data: bytes | memoryview, *, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask of this shape, booleans, that `encode_positions` was given.

    Raises: ValueError for data that it cannot have written for this shape.
    """
    size = int(np.prod(shape, dtype=object))
    if not data:
        return np.zeros(shape, bool)
    if not size or data[0] > 8:
        raise ValueError(f"positions in {size} places cannot start with a byte of {data[0]}")
    if data[0] == ROWS_AND_COLUMNS:
        rows = shape[0] if len(shape) > 1 else 1
        if size // rows > MAX_COLUMNS:
            raise ValueError(f"rows and columns are for {MAX_COLUMNS:,} columns at most")
        if rows > ROWS_PER_BYTE * len(data):  # each takes microseconds
            raise ValueError(f"{len(data)} bytes cannot be {rows:,} rows")
        return _decode_rows(data[1:], rows, size).reshape(shape)
    return _decode_gaps(data, size).reshape(shape)


def working_bytes(data: bytes | memoryview, places: int) -> int:
    """The memory that `decode_positions` takes besides the mask of so many places, in bytes, to within some MiB."""
    if not data:
        return 0
    if data[0] == ROWS_AND_COLUMNS:
        return 4 * len(data)  # in the decoder, and encoded again
    return min(places, int.from_bytes(data[1:5], "little")) * (1 if data[0] < 8 else 2)


def _rows(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return mask.reshape(mask.shape[0] if mask.ndim > 1 else 1, -1)


def _encode(mask: NDArray[np.bool_], coding: int) -> bytes:
    if coding == ROWS_AND_COLUMNS:
        return bytes([ROWS_AND_COLUMNS]) + _encode_rows(_rows(mask)).astype("<u4").tobytes()
    return _encode_gaps(mask, coding)


def _encode_gaps(mask: NDArray[np.bool_], bits: int) -> bytes:
    """The bits; the number of symbols, 4 bytes; 4-bit lengths of 2^bits gaps and the long span; the words."""
    # One place in front makes every gap at least 1.
    gaps, fillers = encode_gaps(np.concatenate([[False], mask.reshape(-1)]), bits=bits)
    symbols = np.where(fillers, 1 << bits, gaps.astype(np.int64) - 1)
    code = HuffmanCode.from_counts(np.bincount(symbols, minlength=(1 << bits) + 1))
    lengths = np.append(code.lengths, np.uint8(0))
    table = lengths[0::2] << 4 | lengths[1::2]
    return bytes([bits]) + len(symbols).to_bytes(4, "little") + table.tobytes() + code.encode(symbols)


def _decode_gaps(data: bytes | memoryview, size: int) -> NDArray[np.bool_]:
    bits, alphabet = data[0], (1 << data[0]) + 1
    header = 5 + (alphabet + 1) // 2
    count = int.from_bytes(data[1:5], "little")
    if len(data) < header or not 0 < count <= size:
        raise ValueError(f"{count} gaps in {len(data)} bytes cannot be positions in {size} places")
    table = np.frombuffer(data[5:header], np.uint8)
    lengths = np.stack([table >> 4, table & 15], 1).reshape(-1)
    if lengths[alphabet:].any():
        raise ValueError("the table of gaps has more lengths than there are gaps")
    symbols = HuffmanCode(lengths[:alphabet]).decode(data[header:], count=count)
    if not np.array_equal(HuffmanCode.from_counts(count_symbols(symbols, alphabet)).lengths, lengths[:alphabet]):
        raise ValueError("the table of gaps is not the shortest code for these gaps")
    if symbols[-1] == 1 << bits:
        raise ValueError("the last gap leads to no nonzero")
    mask, last = np.zeros(size, bool), -1
    for chunk in np.split(symbols, range(CHUNK, count, CHUNK)):
        long = chunk == 1 << bits
        positions = last + np.cumsum(np.where(long, 1 << bits, chunk.astype(np.int64) + 1))
        last = int(positions[-1])
        if last >= size:
            raise ValueError(f"the gaps lead to position {last}, and there are {size}")
        mask[positions[~long]] = True
    return mask


class _RowModel:
    """The probabilities of the next row, learned from the rows before."""

    def __init__(self, columns: int) -> None:
        self.column_counts = np.ones(columns, np.int64)
        self.row_count = max(8, 16 * columns // 64)  # a moving average of a row's nonzeros, in sixteenths

    def probabilities(self) -> NDArray[np.float64]:
        """A probability for each column of the next row; multiples of 1 / UNIT, so exact as floats."""
        scaled = self.column_counts * (self.row_count * (UNIT // 16)) // int(self.column_counts.sum())
        return np.clip(scaled, MIN_PROBABILITY, MAX_PROBABILITY) / UNIT

    def learn(self, row: NDArray[np.bool_]) -> None:
        """Count a nonzero twice as much as the one that each column starts from; average rows at a rate of 1/4."""
        self.column_counts += 2 * row
        self.row_count = max(8, self.row_count + (16 * int(row.sum()) - self.row_count) // 4)


def _encode_rows(rows: NDArray[np.bool_]) -> NDArray[np.uint32]:
    import constriction

    coder, model = constriction.stream.queue.RangeEncoder(), constriction.stream.model.Bernoulli(perfect=False)
    row_model = _RowModel(rows.shape[1])
    for row in rows:
        coder.encode(row.astype(np.int32), model, row_model.probabilities())
        row_model.learn(row)
    return coder.get_compressed()


def _decode_rows(data: bytes | memoryview, count: int, size: int) -> NDArray[np.bool_]:
    import constriction

    if len(data) % 4:
        raise ValueError(f"the data must be whole 32-bit words, got {len(data)} bytes")
    words = np.frombuffer(data, "<u4")
    coder = constriction.stream.queue.RangeDecoder(words.astype(np.uint32))
    model, row_model = constriction.stream.model.Bernoulli(perfect=False), _RowModel(size // count)
    rows = np.zeros((count, size // count), bool)
    try:
        for row in rows:
            row[:] = coder.decode(model, row_model.probabilities())
            row_model.learn(row)
    except AssertionError as error:  # what constriction raises for data that no encoder wrote
        raise ValueError("the data are no rows and columns") from error
    del coder  # with its copy of the data
    if not rows.any() or not np.array_equal(_encode_rows(rows), words):  # the coder does not check what it has left
        raise ValueError("the data hold more or less than these rows")
    return rows
