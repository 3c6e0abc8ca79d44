"""Asymmetric numeral systems: within a thousandth of a bit of the entropy, where Huffman's words are whole bits.

The coder is that of `constriction` (Bamler 2022, arXiv:2201.01741), behind the interface of `HuffmanCode`. ANS: Duda
2009, arXiv:0902.0271. Its table is whole numbers out of 2^16, so that the same symbols give the same bytes on every
machine.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course_utils.coding.symbols import checked_counts, only_symbol, smallest_dtype

__all__ = ["AnsCode"]

TOTAL = 2**16
CHUNK = 2**20  # symbols at once, which keeps the memory small


class AnsCode:
    """A code for the symbols 0, 1, ..., n - 1, by their frequencies out of 65,536; 0 for a symbol that does not occur.

    `frequencies`: (n,) whole numbers with a sum of 65,536, or none at all. A single symbol writes no bits.

    Raises: ValueError for other frequencies.

    >>> code = AnsCode.from_counts([5, 1, 0, 2])
    >>> data = code.encode([0, 0, 3, 1])
    >>> len(data), code.decode(data, count=4)
    (4, array([0, 0, 3, 1], dtype=uint8))
    """

    def __init__(self, frequencies: ArrayLike) -> None:
        table = np.asarray(frequencies)
        if table.ndim != 1 or (len(table) and not np.issubdtype(table.dtype, np.integer)):
            raise ValueError(f"frequencies must be whole numbers, got {table.dtype} of shape {table.shape}")
        if len(table) and (int(table.min()) < 0 or sum(table.tolist()) not in (0, TOTAL)):
            raise ValueError(f"frequencies must not be negative and have the sum {TOTAL}, got {sum(table.tolist())}")
        self.frequencies: NDArray[np.int64] = table.astype(np.int64)
        self._used = np.flatnonzero(self.frequencies)
        self.dtype = smallest_dtype(len(table))

    @classmethod
    def from_counts(cls, counts: ArrayLike) -> "AnsCode":
        """The code for symbols that occur `counts` times (n,): frequencies in proportion to them, each at least 1.

        Raises: ValueError for negative counts, or more than 65,536 different symbols.
        """
        table = checked_counts(counts)
        used = np.flatnonzero(table)
        if len(used) > TOTAL:
            raise ValueError(f"counts must be of at most {TOTAL} different symbols, got {len(used)}")
        frequencies = np.zeros(len(table), np.int64)
        if len(used):
            frequencies[used] = _frequencies(table[used].astype(np.int64))
        return cls(frequencies)

    def bits(self, counts: ArrayLike) -> float:
        """The bits of symbols that occur `counts` times (n,): -sum_i counts_i log2(frequencies_i / 65,536).

        `encode` fills them up to whole 32-bit words.
        """
        occurrences = np.asarray(counts, np.float64)[self._used]
        return float(-(occurrences * np.log2(self.frequencies[self._used] / TOTAL)).sum())

    def encode(self, symbols: ArrayLike) -> bytes:
        """The symbols as bytes, a multiple of 4.

        Raises: ValueError for a symbol that does not occur in the frequencies.
        """
        flat = np.asarray(symbols).reshape(-1)
        if not len(flat):
            return b""
        if not 0 <= int(flat.min()) <= int(flat.max()) < len(self.frequencies) or not self.frequencies[flat].all():
            raise ValueError("symbols must occur in this code; make the code from the counts of these symbols")
        if len(self._used) == 1:
            return b""
        import constriction

        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(np.searchsorted(self._used, flat).astype(np.int32), self._model())
        return coder.get_compressed().astype("<u4").tobytes()

    def decode(self, data: bytes | memoryview, *, count: int) -> NDArray[np.unsignedinteger]:
        """The `count` symbols that `encode` wrote, uint8 or uint16.

        Raises: ValueError for data that it cannot have written.
        """
        if (single := only_symbol(self._used, data, count)) is not None:
            return np.full(count, single, self.dtype)
        import constriction

        if len(data) % 4 or not data:
            raise ValueError(f"the data must be whole 32-bit words, got {len(data)} bytes")
        words, state = np.frombuffer(data, "<u4"), np.zeros(0, np.uint32)
        model, used, symbols = self._model(), self._used.astype(self.dtype), np.empty(count, self.dtype)
        for start in range(0, count, CHUNK):
            part = symbols[start : start + CHUNK]
            # The last words come first. A symbol takes half a word at most, and two words are the coder's state.
            split = max(0, len(words) - max(0, len(part) // 2 + 4 - len(state)))
            coder = constriction.stream.stack.AnsCoder(np.concatenate([words[split:].astype(np.uint32), state]))
            part[:] = used[coder.decode(model, len(part))]
            words, state = words[:split], coder.get_compressed()
        if len(words) or len(state):
            raise ValueError("the data hold more than these symbols")
        return symbols

    def _model(self) -> object:
        import constriction

        probabilities = self.frequencies[self._used] / TOTAL  # exact: TOTAL is a power of two
        return constriction.stream.model.Categorical(probabilities, perfect=False)


def _frequencies(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers in proportion to the counts, at least 1 each, with the sum TOTAL."""
    total = sum(counts.tolist())
    frequencies = np.array([max(1, count * TOTAL // total) for count in counts.tolist()], np.int64)
    # What is missing goes to the largest, and what is too much is taken from the largest: it matters least there.
    order = np.argsort(-frequencies, kind="stable")
    missing = TOTAL - int(frequencies.sum())
    if missing > 0:
        frequencies[order[0]] += missing
    excess = max(0, -missing)
    for i in order:
        if not excess:
            break
        taken = min(excess, int(frequencies[i]) - 1)
        frequencies[i] -= taken
        excess -= taken
    return frequencies
