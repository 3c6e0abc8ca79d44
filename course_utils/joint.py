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

from course_utils.mixing import BitDecoder, BitEncoder, Mixer

__all__ = ["Sparse", "decode_joint", "encode_joint"]


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
        matrix = array.reshape(array.shape[0] if array.ndim else 1, -1)
        if not matrix.size:
            continue
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


def _log(n: int) -> int:
    return n if n < 3 else n.bit_length() + 1


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
    places, signs, sizes = (Mixer(coder, (number, what)) for what in ("positions", "values", "values"))
    rows, columns = matrix.shape
    live = [j for j in range(columns) if column_used[j]]
    hits, balance = [0] * columns, [0] * columns  # nonzeros of each column so far, and the sum of their signs
    above: list[int] = [0] * columns
    above2: list[int] = [0] * columns
    seen = 0
    for i in range(rows):
        if not row_used[i]:
            continue
        line = [0] * columns
        given = matrix[i].tolist() if write else line
        row_hits, row_sign, last = 0, 0, 0
        for at, j in enumerate(live):
            left = line[j - 1] if j else 0
            up = line[j - width] if j >= width else 0
            ul = line[j - width - 1] if j > width else 0
            ur = line[j - width + 1] if j >= width else 0
            around = hits[j - 1] if j else 0
            around += hits[j + 1] if j + 1 < columns else 0
            if width > 1:
                around += (hits[j - width] if j >= width else 0) + (hits[j + width] if j + width < columns else 0)
            hit = hits[j]
            near = (left != 0) + 2 * (up != 0) + 4 * (ul != 0) + 8 * (ur != 0)
            bit = places.code(
                int(given[j] != 0),
                [
                    0,
                    j,
                    i,
                    (min(hit, 12), _log(seen)),
                    (near, min(hit, 3)),
                    (above[j] != 0, above2[j] != 0, left != 0, min(hit, 4)),
                    (_log(around), min(hit, 3), _log(seen)),
                    (_log(hit), _log(row_hits), _log(at)),
                ],
            )
            if not bit:
                continue
            rank = given[j]
            negative, positive = side
            if negative and positive:
                s = [0 if v == 0 else 1 if v > 0 else 2 for v in (left, up, above[j], last)]
                balanced = max(-2, min(2, balance[j]))
                sign = signs.code(
                    int(rank > 0),
                    [0, (s[0], s[1]), balanced, (s[3], max(-3, min(3, row_sign))), (balanced, s[0], s[1])],
                )
            else:
                sign = int(positive > 0)
            most = positive if sign else negative
            size = _rank(sizes, abs(rank), most, sign, abs(left), abs(up), abs(last), min(hit, 3))
            line[j] = last = size if sign else -size
            row_hits += 1
            row_sign += 1 if sign else -1
            hits[j] += 1
            balance[j] += 1 if sign else -1
        seen += 1
        above2, above = above, line
        if not write:
            matrix[i] = line


def _rank(mixer: Mixer, rank: int, most: int, *context: int) -> int:
    """A number from 1 to `most`: as many ones as it is above 1, up to 8; what is left above that bit by bit."""
    sign, left, up, last, hit = context
    value = 1
    while value < most:
        more = mixer.code(
            int(rank > value),
            [value, (value, sign), (value, left, sign), (value, last, up), (value, hit, sign)],
        )
        if not more:
            return value
        value += 1
    return value
