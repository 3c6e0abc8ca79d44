"""All arrays of a small network as one stream of mixed bits: what one layer shows helps to write the next.

Row by row: is this row (an output) in use at all, is this column (an input); then for each place where both are,
whether it holds a nonzero; and for a nonzero its sign and the rank of its value. Each bit is predicted from the
places before it (its neighbours, its row, its column and the columns around), from the layer before (an input that no
unit computes is not read), and from what else was alike; see `mixing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_utils.coding.mixing import ONE, BitDecoder, BitEncoder, Mixer, tables

__all__ = ["Sparse", "decode_joint", "encode_joint"]

FEW = 12  # up to so many values of one sign, a rank is that many bits


@dataclass(frozen=True, eq=False)
class Sparse:
    """An array of whole numbers: `ranks` are 0 where the array is 0, and otherwise from -negative to positive."""

    ranks: NDArray[np.int64]
    negative: int
    positive: int


def encode_joint(arrays: Sequence[Sparse]) -> tuple[bytes, dict[tuple[int, str], float]]:
    """The arrays as bytes, and how many bits the positions and the values of each took, by its number.

    >>> array = Sparse(np.array([[0, 1], [-1, 0]]), 1, 2)
    >>> data, _ = encode_joint([array])
    >>> decode_joint(data, [(2, 2)], [(1, 2)])[0].ranks.tolist()
    [[0, 1], [-1, 0]]
    """
    coder = BitEncoder()
    _walk(coder, [np.array(array.ranks) for array in arrays], [(a.negative, a.positive) for a in arrays], write=True)
    return coder.finish(), dict(coder.spent)


def decode_joint(data: bytes, shapes: Sequence[tuple[int, ...]], sides: Sequence[tuple[int, int]]) -> list[Sparse]:
    """The arrays of these shapes, with so many negative and positive values each.

    Raises: ValueError for data that `encode_joint` cannot have written.
    """
    coder = BitDecoder(data)
    arrays = [np.zeros(shape, np.int64) for shape in shapes]
    _walk(coder, arrays, sides, write=False)
    coder.finish()
    return [Sparse(array, *side) for array, side in zip(arrays, sides, strict=True)]


def _walk(coder: Any, arrays: list[NDArray[np.int64]], sides: Sequence[tuple[int, int]], *, write: bool) -> None:
    """Write the arrays, or fill them: both go through the same bits in the same order."""
    in_use: list[int] = []  # for each unit of the layer before, whether it is
    lines = Mixer(coder)
    for number, (array, side) in enumerate(zip(arrays, sides, strict=True)):
        if not array.size or not any(side):
            in_use = []
            continue
        matrix = array.reshape(array.shape[0] if array.ndim else 1, -1)
        lines.name = (number, "positions")
        rows, columns = matrix.shape
        units = len(in_use)
        reads = units > 0 and columns % units == 0 and columns > 1  # a layer behind the one before
        span = columns // units if reads else columns
        width = array.shape[-1] if array.ndim > 2 else isqrt(span) if isqrt(span) ** 2 == span else 1
        follows = units == rows and columns == 1  # the biases of the layer before
        row_used: list[int] = []
        column_used: list[int] = []
        for i in range(rows):
            bit = int(write and bool(matrix[i].any()))
            before = in_use[i] if follows else 2
            one = row_used[-1] if row_used else 2
            row_used.append(lines.code(bit, [(0, number), (1, follows, before), (2, number, one, before)]))
        for j in range(columns):
            if columns == 1:
                column_used.append(1)
                continue
            bit = int(write and bool(matrix[:, j].any()))
            before = in_use[j // span] if reads else 2
            left = column_used[j - 1] if j else 2
            up = column_used[j - width] if j >= width else 2
            column_used.append(
                lines.code(bit, [(3, number), (4, reads, before, left, up), (5, number, left, up, before)])
            )
        _fill(coder, number, matrix, row_used, column_used, width, side, write)
        if not follows:
            in_use = row_used


def _fill(
    coder: Any,
    number: int,
    matrix: NDArray[np.int64],
    row_used: list[int],
    column_used: list[int],
    width: int,
    side: tuple[int, int],
    write: bool,
) -> None:
    """Write or fill one array, of which it is known which rows and columns are in use."""
    places, signs, sizes = (Mixer(coder, (number, what)) for what in ("positions", "values", "values"))
    guess = _Guess(len(column_used), width, sum(column_used))
    live = [j for j, used in enumerate(column_used) if used]
    above = above2 = [0] * len(column_used)
    balance = [0] * len(column_used)  # the sum of the signs in each column
    read = _rank if max(side) <= FEW else _long_rank
    for i in range(len(matrix)):
        if not row_used[i]:
            continue
        line = [0] * len(column_used)
        given = matrix[i].tolist() if write else line
        guess.new_row()
        row_sign, last = 0, 0
        for j in live:
            left, up = line[j - 1] if j else 0, line[j - width] if j >= width else 0
            corner, right = (line[j - width - 1] if j > width else 0, line[j - width + 1] if j >= width else 0)
            near = (left != 0) + 2 * (up != 0) + 4 * (corner != 0) + 8 * (right != 0)
            likely, hits = guess.likely(j), min(guess.hits[j + guess.pad], 12)
            about = [
                likely,
                j,
                i,
                (likely, near),
                (near, min(hits, 3)),
                (above[j] != 0, above2[j] != 0, left != 0, likely // 2),
                (hits, _coarse(guess.rows)),
                (likely // 2, _coarse(guess.row_hits), up != 0),
            ]
            if not places.code(int(given[j] != 0), about):
                continue
            sign = int(side[1] > 0)
            if side[0] and side[1]:
                a, b, c = (_sign(v) for v in (left, up, last))
                lean = max(-2, min(2, balance[j]))
                about = [0, (a, b), lean, (c, max(-3, min(3, row_sign))), (lean, a, b)]
                sign = signs.code(int(given[j] > 0), about)
            size = read(sizes, abs(given[j]), side[sign], (sign, abs(left), abs(up), abs(last), min(hits, 3)))
            line[j] = last = size if sign else -size
            row_sign += 1 if sign else -1
            balance[j] += 1 if sign else -1
            guess.hit(j)
        above2, above = above, line
        if not write:
            matrix[i] = line


class _Guess:
    """How likely a place holds a nonzero: as often as its column and those around it did, times the row's own share."""

    def __init__(self, columns: int, width: int, live: int) -> None:
        self.width, self.pad, self.live = width, width + 1, live
        self.hits = [0] * (columns + 2 * self.pad)  # of each column, with a margin on both sides
        self.rows = self.total = self.row_hits = self.expected = self.usual = 0
        self.stretch = tables()[1]

    def new_row(self) -> None:
        """All that was hit so far counts from now on."""
        self.usual = (self.total + 1) * ONE // (self.rows * self.live + 32)
        self.rows += 1
        self.row_hits = self.expected = 0

    def likely(self, j: int) -> int:
        """The logarithm of the odds of column j, in halves."""
        hits, k, w = self.hits, j + self.pad, self.width
        popular = 16 * hits[k]
        if w > 1:
            popular = 4 * hits[k] + 2 * (hits[k - 1] + hits[k + 1] + hits[k - w] + hits[k + w])
            popular += hits[k - w - 1] + hits[k - w + 1] + hits[k + w - 1] + hits[k + w + 1]
        rate = (popular * ONE + 16 * self.usual) // (16 * self.rows)
        p = rate * (self.row_hits + 2) // ((self.expected >> 16) + 2)
        self.expected += rate
        return self.stretch[min(max(p, 16), ONE - 16) >> 4] // 128

    def hit(self, j: int) -> None:
        """Column j holds a nonzero."""
        self.hits[j + self.pad] += 1
        self.total += 1
        self.row_hits += 1


def _coarse(n: int) -> int:
    return n if n < 3 else n.bit_length() + 1


def _sign(value: int) -> int:
    return (value > 0) + 2 * (value < 0)


def _rank(mixer: Mixer, rank: int, most: int, context: tuple[int, ...]) -> int:
    """A number from 1 to `most`, which is small: as many ones as it is above 1."""
    sign, left, up, last, hit = context
    value = 1
    while value < most:
        about = [value, (value, sign), (value, left, sign), (value, last, up), (value, hit, sign)]
        if not mixer.code(int(rank > value), about):
            break
        value += 1
    return value


def _long_rank(mixer: Mixer, rank: int, most: int, context: tuple[int, ...]) -> int:
    """A number from 1 to `most`: how many bits it has, then the bits."""
    sign, *_ = context
    length, longest = 1, most.bit_length()
    while length < longest and mixer.code(int(rank.bit_length() > length), [length, (length, sign)]):
        length += 1
    value = 1
    for place in range(length - 2, -1, -1):
        prefix = value if value < 4 else 0  # the bits behind the second are as good as random
        value = 2 * value + mixer.code(rank >> place & 1, [(length, place), (length, place, prefix)])
    if value > most:
        raise ValueError(f"a rank is {value}, and there are {most} values")
    return value
