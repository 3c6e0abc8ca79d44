"""Huffman codes, canonical and of limited length, written and read many symbols at a time (lecture, figure 5).

A canonical code is known by the lengths of its codewords alone: those of one length are consecutive numbers, in the
order of their symbols (here: words). Written: every word is shifted to its place, and the words that share 64 bits are
joined at once. Read: the symbols lie in blocks of 1,024 whose lengths in bits stand in front, so all blocks are read
side by side, each step by a table from the next bits to a symbol and its length.

Huffman 1952; the lengths by package-merge (Larmore, Hirschberg 1990), which is optimal under a limit.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course_utils._support.check import in_range
from course_utils.coding.symbols import checked_counts, only_symbol, smallest_dtype

__all__ = ["HuffmanCode"]

BLOCK = 1024  # symbols that are read one after the other
GROUP = 2048  # blocks that are read side by side; more would only take more memory
LIMIT = 15  # bits of the longest word: 1,024 words fit 16 bits of length, and the table 32,768 entries
JOINED = 4  # words that are written as one, of up to JOINED * LIMIT = 60 bits
NO_WORD = 63  # length of the missing word: more than JOINED words together have, and JOINED of it still fit a uint8
THREE, SEVEN, SIXTEEN = np.uint32(3), np.uint32(7), np.uint32(16)


class HuffmanCode:
    """A prefix code for the symbols 0, 1, ..., n - 1, by the lengths of its words in bits; 0 for a symbol without one.

    `lengths`: (n,) uint8. A code of a single symbol writes no bits at all: how many there are is known.

    Raises: ValueError for lengths above the limit, or that no prefix code has, or that leave words unused.

    >>> code = HuffmanCode.from_counts([5, 1, 0, 2])
    >>> code.lengths
    array([1, 2, 0, 2], dtype=uint8)
    >>> data = code.encode([0, 0, 3, 1])
    >>> data, code.decode(data, count=4)
    (b'8', array([0, 0, 3, 1], dtype=uint8))
    """

    def __init__(self, lengths: ArrayLike) -> None:
        table = np.asarray(lengths)
        if table.ndim != 1 or len(table) > 2**16 or (not np.issubdtype(table.dtype, np.integer) and len(table)):
            raise ValueError(f"lengths must be at most 65,536 whole numbers, got {table.dtype} of shape {table.shape}")
        if len(table) and not 0 <= int(table.min()) <= int(table.max()) <= LIMIT:
            raise ValueError(f"lengths must be from 0 to {LIMIT}, got {table.min()} to {table.max()}")
        self.lengths: NDArray[np.uint8] = table.astype(np.uint8)
        self._used = np.flatnonzero(self.lengths)
        # Kraft's sum in units of 2^-LIMIT; it is 1 for a complete code.
        kraft = int((1 << (LIMIT - self.lengths[self._used].astype(np.int64))).sum())
        single = len(self._used) == 1
        if (len(self._used) > 1 and kraft != 1 << LIMIT) or (single and self.lengths[self._used[0]] != 1):
            raise ValueError(f"lengths make no complete prefix code: Kraft's sum is {kraft / 2**LIMIT:g}, not 1")
        self.dtype = smallest_dtype(len(table))

    @classmethod
    def from_counts(cls, counts: ArrayLike, *, limit: int = LIMIT) -> "HuffmanCode":
        """The code of minimum total length for symbols that occur `counts` times (n,), with no word above `limit` bits.

        Raises: ValueError for negative counts, or a limit too small for the number of symbols.

        >>> HuffmanCode.from_counts([8, 4, 2, 1, 1], limit=3).lengths
        array([1, 3, 3, 3, 3], dtype=uint8)
        """
        table = checked_counts(counts)
        used = np.flatnonzero(table)
        minimum = max(1, (len(used) - 1).bit_length()) if len(used) else 1
        in_range("limit", limit, minimum, LIMIT, f"{len(used)} symbols need words of {minimum} bits at least")
        lengths = np.zeros(len(table), np.uint8)
        lengths[used] = _package_merge(table[used].astype(np.float64), limit)
        return cls(lengths)

    def bits(self, counts: ArrayLike) -> int:
        """The bits of symbols that occur `counts` times (n,), sum_i counts_i lengths_i; lengths of blocks add to it."""
        if len(self._used) <= 1:
            return 0
        return int((np.asarray(counts, np.int64) * self.lengths).sum())

    def encode(self, symbols: ArrayLike) -> bytes:
        """The symbols as bytes: for each block but the last its length in bits, two bytes each; then the words.

        Raises: ValueError for a symbol without a word.
        """
        flat = np.asarray(symbols).reshape(-1)
        if not len(flat):
            return b""
        if not 0 <= int(flat.min()) <= int(flat.max()) < len(self.lengths):
            raise ValueError(f"symbols must be from 0 to {len(self.lengths) - 1}, got {flat.min()} to {flat.max()}")
        words, lengths, symbols_per_word = _words_of(flat, *self._codewords())
        if int(lengths.max()) >= NO_WORD:
            raise ValueError("symbols must have a word in this code; make the code from the counts of these symbols")
        if len(self._used) == 1:
            return b""
        ends = np.cumsum(lengths, dtype=np.int64)
        words_per_block = BLOCK // symbols_per_word
        block_ends = ends[words_per_block - 1 : -1 : words_per_block]
        block_lengths = np.diff(block_ends, prepend=0)[: (len(flat) - 1) // BLOCK]  # of all blocks but the last
        return block_lengths.astype("<u2").tobytes() + _join(words, lengths, ends)

    def decode(self, data: bytes | memoryview, *, count: int) -> NDArray[np.unsignedinteger]:
        """The `count` symbols that `encode` wrote, uint8 or uint16.

        Raises: ValueError for data that it cannot have written.
        """
        if (single := only_symbol(self._used, data, count)) is not None:
            return np.full(count, single, self.dtype)
        header = 2 * ((count - 1) // BLOCK)
        if len(data) < header:
            raise ValueError(f"the lengths of blocks take {header} bytes, and there are {len(data)}")
        block_bits, body = np.frombuffer(data[:header], "<u2"), np.frombuffer(data, np.uint8, offset=header)
        longest = int(self.lengths.max()) * BLOCK
        start = int(block_bits.sum(dtype=np.int64))  # of the last block
        if int(block_bits.max(initial=0)) > longest or not start < 8 * len(body) < start + longest + 8:
            raise ValueError(f"blocks of {BLOCK} symbols do not take so many bits, in {len(body)} bytes")
        symbols, start = np.empty(count, self.dtype), 0
        for first in range(0, len(block_bits) + 1, GROUP):
            next_starts = start + np.cumsum(block_bits[first : first + GROUP], dtype=np.int64)
            starts = np.concatenate([[start], next_starts])[:GROUP]
            byte, group = start >> 3, symbols[first * BLOCK : (first + GROUP) * BLOCK]
            stop = (int(next_starts[-1]) >> 3) + 1 if first + GROUP <= len(block_bits) else len(body)
            ends = 8 * byte + self._read(body[byte:stop], starts - 8 * byte, group)
            if not np.array_equal(ends[: len(next_starts)], next_starts):
                raise ValueError("the blocks do not end where the next ones start")
            start = int(ends[-1])
        rest = 8 * len(body) - start
        if not 0 <= rest < 8 or body[-1] & ((1 << rest) - 1):
            raise ValueError("the data do not end behind the last symbol")
        return symbols

    def _read(self, body: NDArray[np.uint8], starts: NDArray[np.int64], out: NDArray[Any]) -> NDArray[np.int64]:
        """Fill `out` from blocks that start at these bits, all of them at once; returns the bits where they end."""
        windows = _windows(body)
        longest = int(self.lengths.max())
        table, drop = self._table(longest), np.uint32(32 - longest)
        lanes = len(starts)
        last_block = len(out) - (lanes - 1) * BLOCK  # its number of symbols; the other blocks are full
        entries = np.empty((min(len(out), BLOCK), lanes), np.uint32)
        position, finished = starts.astype(np.uint32), np.empty(0, np.uint32)
        for step, row in enumerate(entries):
            if step == last_block and lanes > 1:
                position, finished = position[:-1].copy(), position[-1:]
            prefix = windows.take(position >> THREE)
            prefix <<= position & SEVEN
            prefix >>= drop
            entry = row[: len(position)]
            table.take(prefix, out=entry, mode="clip")
            position += entry >> SIXTEEN
        # The lower bits are the symbol; what lies behind the last block was never filled.
        out[:] = np.ascontiguousarray(entries.astype(out.dtype).T).reshape(-1)[: len(out)]
        return np.concatenate([position, finished]).astype(np.int64)

    def _order(self) -> NDArray[np.intp]:
        """Symbols with a word, in the order of their words."""
        return self._used[np.argsort(self.lengths[self._used], kind="stable")]

    def _codewords(self) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """The word of each symbol, and its length; NO_WORD where there is none."""
        order = self._order()
        lengths = self.lengths[order].astype(np.int64)
        spans = 1 << (LIMIT - lengths)  # of LIMIT-bit numbers that start with the word
        words = np.zeros(len(self.lengths), np.uint64)
        words[order] = (np.cumsum(spans) - spans) >> (LIMIT - lengths)
        return words, np.where(self.lengths > 0, self.lengths, NO_WORD).astype(np.uint8)

    def _table(self, longest: int) -> NDArray[np.uint32]:
        """For each number of `longest` bits the symbol whose word it starts with; from bit 16 on, the word's length."""
        order = self._order()
        lengths = self.lengths[order].astype(np.int64)
        return np.repeat((order | lengths << 16).astype(np.uint32), 1 << (longest - lengths))


def _windows(body: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The 32 bits from each byte on; zeros behind the end, as far as a block of wrong data can lead."""
    padded = np.concatenate([body, np.zeros(LIMIT * BLOCK // 8 + 8, np.uint8)])
    windows = np.empty(len(padded) - 3, ">u4")
    for i in range(4):
        windows.view(np.uint8)[i::4] = padded[i : len(padded) - 3 + i]
    return windows.astype(np.uint32)


def _words_of(
    symbols: NDArray[Any], words: NDArray[np.uint64], lengths: NDArray[np.uint8]
) -> tuple[NDArray[np.uint64], NDArray[np.uint8], int]:
    """The words of the symbols, their lengths, and how many symbols share one: JOINED where there are many, or 1.

    What holds a symbol without a word is NO_WORD long or longer.
    """
    n = len(words)
    joined = len(symbols) // JOINED * JOINED
    if n > 2**8 or joined < JOINED * n * n:  # a table of pairs would be too large, or cost more than it saves
        return words.take(symbols), lengths.take(symbols), 1
    pair_words = (words[:, None] << lengths[None, :] | words[None, :]).reshape(-1)
    pair_lengths = (lengths[:, None] + lengths[None, :]).reshape(-1)
    pairs = symbols[0:joined:2].astype(np.uint16) * np.uint16(n) + symbols[1:joined:2].astype(np.uint16)
    words_of_two, lengths_of_two = pair_words.take(pairs), pair_lengths.take(pairs)
    words_of_four = words_of_two[0::2] << lengths_of_two[1::2] | words_of_two[1::2]
    lengths_of_four = lengths_of_two[0::2] + lengths_of_two[1::2]
    rest = symbols[joined:]
    return np.append(words_of_four, words[rest]), np.append(lengths_of_four, lengths[rest]), JOINED


def _join(words: NDArray[np.uint64], lengths: NDArray[np.uint8], ends: NDArray[np.int64]) -> bytes:
    """The words one after the other, filled up with zeros to whole bytes."""
    starts = ends - lengths
    room = 64 - (starts & 63) - lengths  # what is left of the 64 bits behind the word; negative where it goes on
    shifted = words << np.maximum(room, 0).astype(np.uint64)
    split = np.flatnonzero(room < 0)  # words that go on in the next 64 bits
    shifted[split] = words[split] >> (-room[split]).astype(np.uint64)
    cell = starts >> 6
    cells = np.zeros(int(ends[-1] + 127) >> 6, np.uint64)
    firsts = np.flatnonzero(np.diff(cell, prepend=-1))
    cells[: len(firsts)] = np.bitwise_or.reduceat(shifted, firsts)
    cells[cell[split] + 1] |= words[split] << (64 + room[split]).astype(np.uint64)
    return cells.astype(">u8").tobytes()[: (int(ends[-1]) + 7) // 8]


def _package_merge(weights: NDArray[np.float64], limit: int) -> NDArray[np.uint8]:
    """The lengths of the code of minimum total length without words above `limit` bits."""
    n = len(weights)
    lengths = np.zeros(n, np.uint8)
    if n <= 1:
        lengths[:] = 1
        return lengths
    order = np.argsort(weights, kind="stable")
    leaves = weights[order]
    level, is_leaf = leaves, [np.ones(n, bool)]
    for _ in range(limit - 1):
        packages = level[0 : len(level) // 2 * 2 : 2] + level[1::2]
        candidates = np.concatenate([leaves, packages])
        merged = np.argsort(candidates, kind="stable")
        level = candidates[merged]
        is_leaf.append(merged < n)
    taken = 2 * n - 2
    for flags in reversed(is_leaf):
        count = int(flags[:taken].sum())
        lengths[order[:count]] += 1
        taken = 2 * (taken - count)
    return lengths
