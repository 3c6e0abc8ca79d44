"""Claim: Huffman coding writes 1.2 and reads 1.5 times as fast as bitarray; gap coding is 10 and 90 times a loop.

A million symbols of 6 bits with an entropy near 4.6, and a mask of 1000 x 1000 with 8 % ones. bitarray and dahuffman
are measured too where they are installed; constriction's ANS is the other coder of the library.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from course_utils.bench.timing import in_turn, row
from course_utils.coding.ans import AnsCode
from course_utils.coding.gaps import decode_gaps, encode_gaps
from course_utils.coding.huffman import HuffmanCode

__all__ = ["run"]


def run(device: str = "cpu", *, rounds: int = 7) -> list[dict[str, Any]]:
    """Measure in millions of symbols a second; codecs run on the CPU, whatever the device."""
    symbols = weight_symbols(1_000_000)
    counts = np.bincount(symbols, minlength=64)
    huffman, ans = HuffmanCode.from_counts(counts), AnsCode.from_counts(counts)
    data, packed = huffman.encode(symbols), ans.encode(symbols)
    calls = {
        "Huffman": (partial(huffman.encode, symbols), partial(huffman.decode, data, count=len(symbols))),
        "ANS": (partial(ans.encode, symbols), partial(ans.decode, packed, count=len(symbols))),
        **peers(symbols, counts),
    }
    times = in_turn([call for pair in calls.values() for call in pair], rounds=rounds)
    rates = {name: (1000 / times[2 * i], 1000 / times[2 * i + 1]) for i, name in enumerate(calls)}
    words, text = python_words(huffman), symbols[:50_000].tolist()
    bits = python_encode(words, text)
    slow = in_turn([partial(python_encode, words, text), partial(python_decode, words, bits)], rounds=3)
    rates["a Python loop"] = (50 / slow[0], 50 / slow[1])
    rows = []
    bars = {"bitarray": (1.2, 1.5), "a Python loop": (15, 25)}
    for name, theirs in rates.items():
        if name == "Huffman":
            continue
        for i, verb in enumerate(("written", "read")):
            bar = f"at least {bars[name][i]:g}" if name in bars else ""
            claim = f"Huffman against {name}, M symbols {verb} per second"
            rows.append(row(claim, rates["Huffman"][i], theirs[i], bar, faster=False))
    bits_each = 8 / len(symbols)
    rows.append(
        row("bits a symbol: Huffman against ANS", len(data) * bits_each, len(packed) * bits_each, "", faster=False)
    )
    return rows + gap_rows(rounds)


def weight_symbols(n: int) -> np.ndarray:
    """Indices into a codebook of 64 of weights that are spread normally without the middle, as pruning leaves them."""
    values = np.random.default_rng(0).normal(size=n)
    return np.clip(np.round(values * 7 + 32), 0, 63).astype(np.uint8)


def peers(symbols: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    """The packages that are installed, each with the same symbols."""
    calls: dict[str, Any] = {}
    text = symbols.tolist()
    try:
        from bitarray import bitarray, util

        code = util.huffman_code({i: int(c) for i, c in enumerate(counts) if c})

        def write() -> bitarray:
            bits = bitarray()
            bits.encode(code, text)
            return bits

        calls["bitarray"] = write, partial(lambda bits: list(bits.decode(code)), write())
    except ImportError:
        pass
    try:
        from dahuffman import HuffmanCodec

        codec = HuffmanCodec.from_frequencies({i: int(c) for i, c in enumerate(counts) if c})
        short = text[:50_000]
        calls["dahuffman"] = (partial(repeat, codec.encode, short), partial(repeat, codec.decode, codec.encode(short)))
    except ImportError:
        pass
    return calls


def repeat(call: Any, argument: Any) -> None:
    """20 times a twentieth of the symbols: the rate is the same."""
    for _ in range(20):
        call(argument)


def python_words(code: HuffmanCode) -> dict[int, str]:
    """The words as text."""
    words, sizes = code._codewords()
    return {s: format(int(words[s]), f"0{sizes[s]}b") for s in np.flatnonzero(code.lengths).tolist()}


def python_encode(words: dict[int, str], symbols: list[int]) -> bytes:
    """As most public code does it: words as text, which is then cut into bytes."""
    text = ""
    for s in symbols:
        text += words[s]
    text += "0" * (-len(text) % 8)
    out = bytearray()
    for i in range(0, len(text), 8):
        out.append(int(text[i : i + 8], 2))
    return bytes(out)


def python_decode(words: dict[int, str], data: bytes) -> list[int]:
    """Decoding bit by bit, until a word is complete."""
    symbol_of, symbols, word = {w: s for s, w in words.items()}, [], ""
    for byte in data:
        for bit in format(byte, "08b"):
            word += bit
            if word in symbol_of:
                symbols.append(symbol_of[word])
                word = ""
    return symbols


def gap_rows(rounds: int) -> list[dict[str, Any]]:
    """Gap coding against Python loops."""
    mask = np.random.default_rng(0).random((1000, 1000)) < 0.08
    gaps, fillers = encode_gaps(mask, bits=5)
    calls: list[Callable[[], object]] = [
        lambda: [encode_gaps(mask, bits=5) for _ in range(10)],
        partial(python_gaps, mask, 5),
        lambda: [decode_gaps(gaps, fillers, size=mask.size, bits=5) for _ in range(10)],
        partial(python_mask, gaps.tolist(), fillers.tolist(), mask.size),
    ]
    times = in_turn(calls, rounds=min(rounds, 5))
    return [
        row("gaps of 1000 x 1000 at 8 %, against a loop, ms", times[0] / 10, times[1], "at least 10 times faster"),
        row("the mask from its gaps, against a loop, ms", times[2] / 10, times[3], "at least 90 times faster"),
    ]


def python_gaps(mask: np.ndarray, bits: int) -> list[int]:
    """A loop over all places."""
    gaps, since = [], 0
    for value in mask.reshape(-1).tolist():
        if value or since == 1 << bits:
            gaps.append(since)
            since = 0
        since += 1
    return gaps


def python_mask(gaps: list[int], fillers: list[bool], size: int) -> list[bool]:
    """A loop over all places."""
    mask, i = [False] * size, 0
    following = gaps[0] if gaps else size
    for place in range(size):
        if place == following:
            mask[place] = not fillers[i]
            i += 1
            following = place + gaps[i] if i < len(gaps) else size
    return mask
