"""All arrays of a small network as one stream of mixed bits: what one layer shows helps to write the next.

An array is written line by line: for each row (an output) whether it is in use, for each column (an input) the same;
then, for each place whose row and column are in use, whether it holds a nonzero; and for a nonzero its sign and its
rank. Each bit is predicted from contexts (see `mixing`): from the places before it, which are its neighbours, its row,
its column and the columns around; and from the layer before, since an input that no unit computes is not read.

The order of the bits and their contexts are the format of the file; FORMAT.md refers to this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from course_utils.coding.mixing import ONE, BitDecoder, BitEncoder, Mixer, tables

__all__ = ["Sparse", "decode_joint", "encode_joint"]

MAX_UNARY = 12  # up to so many values of one sign, a rank is written in unary
UNKNOWN = 2  # whether a line is in use: 1, 0, or this where there is no such line


@dataclass(frozen=True, eq=False)
class Sparse:
    """An array of whole numbers: `ranks` are 0 where the array is 0, and otherwise from -negative to positive."""

    ranks: NDArray[np.int64]
    negative: int
    positive: int


def encode_joint(arrays: Sequence[Sparse]) -> tuple[bytes, dict[tuple[int, str], float]]:
    """The arrays as bytes, and the bits that the "positions" and the "values" of each took, by its number and that.

    >>> array = Sparse(np.array([[0, 1], [-1, 0]]), 1, 2)
    >>> data, _ = encode_joint([array])
    >>> decode_joint(data, [(2, 2)], [(1, 2)])[0].ranks.tolist()
    [[0, 1], [-1, 0]]
    """
    coder = BitEncoder()
    _code_arrays(coder, [np.array(a.ranks) for a in arrays], [(a.negative, a.positive) for a in arrays], writing=True)
    return coder.finish(), dict(coder.spent)


def decode_joint(data: bytes, shapes: Sequence[tuple[int, ...]], sides: Sequence[tuple[int, int]]) -> list[Sparse]:
    """The arrays of these shapes; `sides`: how many negative and how many positive values each has.

    Raises: ValueError for data that `encode_joint` cannot have written.
    """
    coder = BitDecoder(data)
    arrays = [np.zeros(shape, np.int64) for shape in shapes]
    _code_arrays(coder, arrays, sides, writing=False)
    coder.finish()
    return [Sparse(array, *side) for array, side in zip(arrays, sides, strict=True)]


class LineContext(NamedTuple):
    """What is known of a row or a column before the bit that says whether it is in use; None: left out.

    `line`: "row" or "column"; `array`: its number; `linked`: whether the lines are units of the layer before; `unit`:
    whether that unit is in use; `before`, `above`: the same of the line before, and of the one a pixel row above.
    """

    line: str
    array: int | None = None
    linked: bool | None = None
    unit: int | None = None
    before: int | None = None
    above: int | None = None


class Layout(NamedTuple):
    """How the lines of an array are arranged."""

    number: int  # of the array in the file
    rows: int
    columns: int
    width: int  # of the image, if the columns are its pixels: the place above is so many columns back
    span: int  # columns that read the same unit of the layer before
    reads_units: bool  # the columns read the units of the layer before
    is_bias: bool  # the rows are the units of the layer before

    @classmethod
    def of(cls, number: int, shape: tuple[int, ...], units: int) -> "Layout":
        """The layout of an array that follows a layer of so many units (0: of none)."""
        rows = shape[0] if shape else 1
        columns = int(np.prod(shape[1:]))
        reads_units = units > 0 and columns % units == 0 and columns > 1
        span = columns // units if reads_units else columns
        width = 1
        if len(shape) > 2:
            width = shape[-1]
        elif isqrt(span) ** 2 == span:
            width = isqrt(span)
        return cls(number, rows, columns, width, span, reads_units, units == rows and columns == 1)


def _code_arrays(
    coder: BitEncoder | BitDecoder, arrays: list[NDArray[np.int64]], sides: Sequence[tuple[int, int]], *, writing: bool
) -> None:
    """Write the arrays, or fill them: both go through the same bits in the same order."""
    units: list[int] = []  # of the layer before, whether each is in use
    lines = Mixer(coder)
    for number, (array, side) in enumerate(zip(arrays, sides, strict=True)):
        if not array.size or not any(side):
            units = []
            continue
        layout = Layout.of(number, array.shape, len(units))
        matrix = array.reshape(layout.rows, layout.columns)
        lines.name = (number, "positions")
        rows = _code_rows(lines, layout, units, np.count_nonzero(matrix, axis=1) if writing else None)
        columns = _code_columns(lines, layout, units, np.count_nonzero(matrix, axis=0) if writing else None)
        places = _PlaceCoder(coder, layout, columns, side)
        for i, row_in_use in enumerate(rows):
            if row_in_use:
                matrix[i] = places.code_row(i, matrix[i].tolist() if writing else None)
        if not writing:
            _check_in_use(matrix, rows, columns)
        if not layout.is_bias:
            units = rows


def _check_in_use(matrix: NDArray[np.int64], rows: list[int], columns: list[int]) -> None:
    """Raise ValueError where a row or column is said to be in use, and has no nonzero."""
    in_use = matrix.any(axis=1).sum(), matrix.any(axis=0).sum() if len(columns) > 1 else 1
    if in_use != (sum(rows), sum(columns)):
        raise ValueError(
            f"{sum(rows)} rows and {sum(columns)} columns are in use, {in_use[0]} and {in_use[1]} hold a nonzero"
        )


def _code_rows(mixer: Mixer, layout: Layout, units: list[int], counts: NDArray[np.intp] | None) -> list[int]:
    """For each row whether it is in use; `counts`: the nonzeros of each to write, or None to read."""
    array, linked = layout.number, layout.is_bias
    rows: list[int] = []
    before = UNKNOWN
    for i in range(layout.rows):
        unit = units[i] if linked else UNKNOWN
        contexts = [
            LineContext("row", array),
            LineContext("row", linked=linked, unit=unit),
            LineContext("row", array, unit=unit, before=before),
        ]
        before = mixer.code(None if counts is None else int(counts[i] > 0), contexts)
        rows.append(before)
    return rows


def _code_columns(mixer: Mixer, layout: Layout, units: list[int], counts: NDArray[np.intp] | None) -> list[int]:
    """For each column whether it is in use, as `_code_rows`; a single column always is."""
    if layout.columns == 1:
        return [1]
    array, linked = layout.number, layout.reads_units
    columns: list[int] = []
    before = UNKNOWN
    for j in range(layout.columns):
        unit = units[j // layout.span] if linked else UNKNOWN
        above = columns[j - layout.width] if j >= layout.width else UNKNOWN
        contexts = [
            LineContext("column", array),
            LineContext("column", linked=linked, unit=unit, before=before, above=above),
            LineContext("column", array, unit=unit, before=before, above=above),
        ]
        before = mixer.code(None if counts is None else int(counts[j] > 0), contexts)
        columns.append(before)
    return columns


class _PlaceCoder:
    """The places of one array in the columns that are in use, row by row."""

    def __init__(
        self, coder: BitEncoder | BitDecoder, layout: Layout, columns_in_use: list[int], side: tuple[int, int]
    ) -> None:
        self.places = Mixer(coder, (layout.number, "positions"))
        self.signs = Mixer(coder, (layout.number, "values"))
        self.ranks = Mixer(coder, (layout.number, "values"))
        self.width, self.side = layout.width, side
        self.live = [j for j, in_use in enumerate(columns_in_use) if in_use]
        self.odds = _Odds(layout.columns, layout.width, len(self.live))
        self.above = self.above2 = [0] * layout.columns  # the last row in use, and the one before
        self.balance = [0] * layout.columns  # the sum of the signs in each column
        self.code_rank = _unary_rank if max(side) <= MAX_UNARY else _binary_rank

    def code_row(self, i: int, given: list[int] | None) -> list[int]:
        """The ranks of row i: those `given` to write, or None to read them."""
        row, width, odds = [0] * len(self.balance), self.width, self.odds
        above, above2 = self.above, self.above2
        odds.new_row()
        row_balance = last = 0  # the sum of the signs in this row, and its last nonzero
        for j in self.live:
            left = row[j - 1] if j else 0
            corner = up = right = 0  # the pixels above
            if j >= width:
                up, right = row[j - width], row[j - width + 1]
                corner = row[j - width - 1] if j > width else 0
            neighbours = (left != 0) + 2 * (up != 0) + 4 * (corner != 0) + 8 * (right != 0)
            likely, hits = odds.of(j), min(odds.hits[j + odds.margin], 12)
            contexts = [
                likely,
                j,
                i,
                (likely, neighbours),
                (neighbours, min(hits, 3)),
                (above[j] != 0, above2[j] != 0, left != 0, likely // 2),
                (hits, _coarse(odds.rows)),
                (likely // 2, _coarse(odds.row_hits), up != 0),
            ]
            if not self.places.code(None if given is None else int(given[j] != 0), contexts):
                continue
            rank = None if given is None else given[j]
            positive = self._code_sign(rank, j, (left, up, last), row_balance)
            nearby = Nearby(positive, abs(left), abs(up), abs(last), min(hits, 3))
            size = self.code_rank(self.ranks, None if rank is None else abs(rank), self.side[positive], nearby)
            row[j] = last = size if positive else -size
            row_balance += 1 if positive else -1
            self.balance[j] += 1 if positive else -1
            odds.hit(j)
        self.above, self.above2 = row, above
        return row

    def _code_sign(self, rank: int | None, j: int, nearby: tuple[int, int, int], row_balance: int) -> int:
        """1 for a positive value, 0 for a negative one; no bit where all values have one sign."""
        negative, positive = self.side
        if not negative or not positive:
            return int(positive > 0)
        left, up, last = (_sign(value) for value in nearby)
        column = max(-2, min(2, self.balance[j]))
        contexts = [
            0,
            (left, up),
            column,
            (last, max(-3, min(3, row_balance))),
            (column, left, up),
        ]
        return self.signs.code(None if rank is None else int(rank > 0), contexts)


class Nearby(NamedTuple):
    """What is known of a nonzero before its rank: its sign, the ranks nearby without theirs, and its column's count."""

    positive: int
    left: int
    up: int
    last: int
    hits: int


class _Odds:
    """How likely a place holds a nonzero: as often as its column and those around, times how full its row is."""

    def __init__(self, columns: int, width: int, live: int) -> None:
        self.width, self.margin, self.live = width, width + 1, live
        self.hits = [0] * (columns + 2 * self.margin)  # nonzeros of each column, with a margin on both sides
        self.rows = self.total = self.row_hits = self.expected = self.usual = 0
        self.stretch = tables()[1]

    def new_row(self) -> None:
        """Begin a row, with the average of the rows so far as the usual rate of a place."""
        self.usual = (self.total + 1) * ONE // (self.rows * self.live + 32)
        self.rows += 1
        self.row_hits = self.expected = 0

    def of(self, j: int) -> int:
        """The logarithm of the odds of column j, in halves."""
        hits, k, w = self.hits, j + self.margin, self.width
        weighted = 16 * hits[k]
        if w > 1:
            weighted = 4 * hits[k] + 2 * (hits[k - 1] + hits[k + 1] + hits[k - w] + hits[k + w])
            weighted += hits[k - w - 1] + hits[k - w + 1] + hits[k + w - 1] + hits[k + w + 1]
        rate = (weighted * ONE + 16 * self.usual) // (16 * self.rows)
        p = rate * (self.row_hits + 2) // ((self.expected >> 16) + 2)
        self.expected += rate
        return self.stretch[min(max(p, 16), ONE - 16) >> 4] // 128

    def hit(self, j: int) -> None:
        """Count a nonzero in column j."""
        self.hits[j + self.margin] += 1
        self.total += 1
        self.row_hits += 1


def _coarse(n: int) -> int:
    return n if n < 3 else n.bit_length() + 1


def _sign(value: int) -> int:
    return (value > 0) + 2 * (value < 0)


def _unary_rank(mixer: Mixer, rank: int | None, maximum: int, nearby: Nearby) -> int:
    """A number from 1 to `maximum`, which is small: as many ones as it is above 1, and a zero."""
    positive, left, up, last, hits = nearby
    value = 1
    while value < maximum:
        contexts = [value, (value, positive), (value, left, positive), (value, last, up), (value, hits, positive)]
        if not mixer.code(None if rank is None else int(rank > value), contexts):
            break
        value += 1
    return value


def _binary_rank(mixer: Mixer, rank: int | None, maximum: int, nearby: Nearby) -> int:
    """A number from 1 to `maximum`: its length in bits in unary, then the bits behind the first."""
    length, longest = 1, maximum.bit_length()
    while length < longest:
        longer = None if rank is None else int(rank.bit_length() > length)
        if not mixer.code(longer, [length, (length, nearby.positive)]):
            break
        length += 1
    value = 1
    for place in range(length - 2, -1, -1):
        prefix = value if value < 4 else 0  # the bits behind the second are as good as random
        bit = None if rank is None else rank >> place & 1
        value = 2 * value + mixer.code(bit, [(length, place), (length, place, prefix)])
    if value > maximum:
        raise ValueError(f"a rank is {value}, and there are {maximum} values")
    return value
