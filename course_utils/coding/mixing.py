"""Binary arithmetic coding with mixed contexts: the slowest coder of the package and the smallest files.

Each bit is predicted by several contexts at once. A context estimates how likely a 1 is from the bits that were coded
under it; the predictions are mixed in the logistic domain, with weights w that learn by gradient descent on the bits:

    p = squash(sum_i w_i stretch(p_i)),    stretch(p) = ln(p / (1 - p)),    w_i += rate * (bit - p) * stretch(p_i)

(Mahoney 2005, *Adaptive weighing of context models for lossless data compression*.) The weight of a context depends on
how many bits it has had, and a new context starts from the prediction of the first one. A range coder then writes the
bit at a cost of -log2 p(bit). All numbers are integers, so every machine computes the same bytes.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from decimal import Decimal, localcontext
from functools import lru_cache
from math import log2
from typing import Any

__all__ = ["ONE", "BitDecoder", "BitEncoder", "Mixer", "tables"]

ONE = 2**16  # probabilities are whole numbers out of this
LIMIT = 255  # a context changes by 1 / (n + 1.5) at its n-th bit, and never by less than this allows
SCALE, FAR = 256, 2815  # stretched probabilities in units of 1 / SCALE, from -11 to 11
LEVEL = [0, 1, 2, 2, 3, 3, 3, 3] + 8 * [4] + 16 * [5] + 224 * [6]  # of experience: a context's weight after n bits
START = [0, 3_000, 5_000, 7_000, 9_000, 11_000, 12_000]  # the weight of each level at first, out of 2^16
LEARN = 16  # the weights' learning rate, as a right shift
# A bit takes a reader some 20 microseconds, and hardly a part of a byte where it is as expected. The free ones say
# which of 2^20 places, rows and columns hold a nonzero; all others are about its value, which takes bytes.
FREE_BITS, BITS_OF_BYTE = 2**20 + 2**18, 2**10


@lru_cache
def tables() -> tuple[list[int], list[int], list[int]]:
    """squash, at FAR + x; stretch, at p // 16; and how far the n-th bit moves a probability, out of 2^16.

    Computed in decimals, whose exp and ln are rounded the same way on every machine.
    """
    with localcontext() as context:
        context.prec = 20
        squash = [min(max(round(ONE / (1 + (Decimal(-x) / SCALE).exp())), 16), ONE - 16) for x in range(-FAR, FAR + 1)]
        odds = [Decimal(2 * i + 1) / (2 * ONE // 16 - 2 * i - 1) for i in range(ONE // 16)]
        stretch = [round(odd.ln() * SCALE) for odd in odds]
    return squash, stretch, [2 * ONE // (2 * n + 3) for n in range(LIMIT + 1)]


class BitEncoder:
    """An arithmetic encoder: bits with their probabilities in, bytes out.

    `spent`: how many bits of the file those written under each `name` have taken.

    >>> encoder = BitEncoder()
    >>> for bit in [1, 0, 1]:
    ...     encoder.write(bit, ONE // 2)
    >>> decoder = BitDecoder(encoder.finish())
    >>> [decoder.read(ONE // 2) for _ in range(3)], encoder.spent[None]
    ([1, 0, 1], 3.0)
    """

    def __init__(self) -> None:
        self.low, self.high, self.out = 0, 2**32 - 1, bytearray()
        self.count = 0
        self.spent: dict[Any, float] = defaultdict(float)

    def write(self, bit: int, p: int, name: Hashable = None) -> None:
        """Write a bit that is 1 with a probability of p / 2^16."""
        self.count += 1
        self.spent[name] -= log2((p if bit else ONE - p) / ONE)
        middle = self.low + ((self.high - self.low) * p >> 16)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while not (self.low ^ self.high) >> 24:
            self.out.append(self.high >> 24)
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = self.high << 8 & 0xFFFFFFFF | 255

    def finish(self) -> bytes:
        """All bytes. The decoder reads zeros behind them, so the last one is never zero.

        Raises: ValueError where a decoder refuses so many bits in so few bytes.
        """
        data = (bytes(self.out) + _fewest_bytes(self.low, self.high)).rstrip(b"\0")
        if self.count > _most_bits(data):
            raise ValueError(f'{self.count:,} bits in {len(data)} bytes take a reader too long; use "ans"')
        return data


class BitDecoder:
    """What `BitEncoder` wrote, bit by bit, given the same probabilities.

    Raises: ValueError, from `finish`, for bytes that are not those of the bits that were read; from `read`, for more
    bits than an encoder writes in so few bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 4
        self.low, self.high = 0, 2**32 - 1
        self.value = int.from_bytes(data[:4].ljust(4, b"\0"), "big")
        self.left = _most_bits(data)

    def read(self, p: int) -> int:
        """The next bit, which is 1 with a probability of p / 2^16."""
        if not self.left:
            raise ValueError(f"{len(self.data)} bytes cannot hold more than {_most_bits(self.data):,} bits")
        self.left -= 1
        middle = self.low + ((self.high - self.low) * p >> 16)
        bit = int(self.value <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while not (self.low ^ self.high) >> 24:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.at += 1
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = self.high << 8 & 0xFFFFFFFF | 255
            self.value = self.value << 8 & 0xFFFFFFFF | byte
        return bit

    def finish(self) -> None:
        """Check that the bytes are those that `BitEncoder.finish` returns for the bits that were read."""
        written = self.at - 4
        expected = (self.data[:written].ljust(written, b"\0") + _fewest_bytes(self.low, self.high)).rstrip(b"\0")
        if self.data != expected:
            raise ValueError(f"{len(self.data)} bytes of bits do not end as an encoder ends them")


def _most_bits(data: bytes) -> int:
    return FREE_BITS + BITS_OF_BYTE * len(data)


def _fewest_bytes(low: int, high: int) -> bytes:
    """The fewest bytes that name a number from low to high, with zeros behind them."""
    for size in range(4):
        step = 1 << (32 - 8 * size)
        end = -(-low // step) * step
        if end <= high:
            return end.to_bytes(4, "big")[:size]
    return low.to_bytes(4, "big")


class Mixer:
    """Codes bits by a set of contexts; of several mixers on one coder each learns for itself.

    The same calls write with a `BitEncoder` and read with a `BitDecoder`. A context is anything that can be a key of a
    dictionary; each bit has the same number of them, the most general first. `name`: see `BitEncoder.spent`.

    >>> encoder = BitEncoder()
    >>> mixer = Mixer(encoder)
    >>> bits = [0, 0, 1] * 200
    >>> for i, bit in enumerate(bits):
    ...     _ = mixer.code(bit, [0, i % 3])
    >>> data = encoder.finish()
    >>> len(data)
    11
    >>> mixer = Mixer(BitDecoder(data))
    >>> [mixer.code(None, [0, i % 3]) for i in range(600)] == bits
    True
    """

    def __init__(self, coder: BitEncoder | BitDecoder, name: Hashable = None) -> None:
        self.coder, self.name = coder, name
        self.tables = tables()
        self.states: list[dict[Hashable, list[int]]] = []  # by context: a probability, and how many bits it has had
        self.weights: list[list[int]] = []

    def code(self, bit: int | None, contexts: Sequence[Hashable]) -> int:
        """Write `bit`, or read one where it is None; returns the bit."""
        squash, stretch, rates = self.tables
        if not self.states:
            self.states = [{} for _ in contexts]
            self.weights = [list(START) for _ in contexts]
        predictions: list[tuple[list[int], list[int], int, int]] = []
        total, general = 0, ONE // 2
        for states, weights, context in zip(self.states, self.weights, contexts, strict=True):
            state = states.get(context)
            if state is None:
                state = states[context] = [general, 0]
            p, n = state
            if not predictions:
                general = p
            stretched, level = stretch[p >> 4], LEVEL[n]
            total += weights[level] * stretched
            predictions.append((state, weights, level, stretched))
        p = squash[min(max(total >> 16, -FAR), FAR) + FAR]
        bit = self._coded(bit, p)
        error, target = (bit << 16) - p, (ONE - 1) * bit
        for state, weights, level, stretched in predictions:
            weights[level] += stretched * error >> LEARN
            n = state[1]
            state[0] += (target - state[0]) * rates[n] >> 16
            if n < LIMIT:
                state[1] = n + 1
        return bit

    def _coded(self, bit: int | None, p: int) -> int:
        if isinstance(self.coder, BitDecoder):
            return self.coder.read(p)
        if bit is None:
            raise ValueError("an encoder needs a bit to write, got None")
        self.coder.write(bit, p, self.name)
        return bit
