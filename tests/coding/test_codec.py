"""gaps and huffman: there and back, against slow specifications, and against what strangers may hand in."""

import hashlib
import heapq
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.coding.ans import AnsCode
from course_utils.coding.gaps import decode_gaps, encode_gaps
from course_utils.coding.huffman import BLOCK, LIMIT, HuffmanCode

GOLDEN_LENGTHS = [3, 4, 4, 3, 4, 4, 3, 3, 3, 4, 4]
GOLDEN_HUFFMAN = "5ea5e6610fdacfffb06288a9c2cb0692adf3f20fdbd05d3b8d69ffa465c0855c"
GOLDEN_FREQUENCIES = [6098, 6073, 6073, 6094, 6073, 6073, 6094, 6073, 6073, 5417, 5395]
GOLDEN_ANS = "23f49c7520bbd1b40c2d08b1e591e8f3be8664e181069e6ff71b73ac4dcf5733"

masks = st.lists(st.booleans(), max_size=60).map(lambda values: np.array(values, bool)) | st.tuples(
    st.integers(0, 2**31), st.integers(0, 5000), st.sampled_from([0.0, 0.001, 0.02, 0.5, 1.0])
).map(lambda t: np.random.default_rng(t[0]).random(t[1]) < t[2])


def slow_gaps(mask: np.ndarray, bits: int) -> tuple[list[int], list[bool]]:
    gaps, fillers, at = [], [], 0
    for position in np.flatnonzero(mask).tolist():
        while position - at > 2**bits:
            gaps.append(2**bits)
            fillers.append(True)
            at += 2**bits
        gaps.append(position - at)
        fillers.append(False)
        at = position
    return gaps, fillers


@given(masks, st.integers(1, 16))
def test_gaps_are_the_definition_and_come_back(mask: np.ndarray, bits: int) -> None:
    gaps, fillers = encode_gaps(mask, bits=bits)
    assert (gaps.tolist(), fillers.tolist()) == slow_gaps(mask, bits)
    assert np.array_equal(decode_gaps(gaps, fillers, size=len(mask), bits=bits), mask)


def test_the_lectures_example() -> None:
    mask = np.zeros(16, bool)
    mask[[1, 4, 15]] = True
    gaps, fillers = encode_gaps(mask, bits=3)
    assert gaps.tolist() == [1, 3, 8, 3]
    assert np.flatnonzero(fillers).tolist() == [2]
    assert int(np.cumsum(gaps)[2]) == 12  # the filler zero


def test_the_border_of_a_span() -> None:
    for span, expected in ((8, [8]), (9, [8, 1]), (16, [8, 8]), (17, [8, 8, 1]), (0, [0])):
        mask = np.zeros(span + 1, bool)
        mask[span] = True
        assert encode_gaps(mask, bits=3)[0].tolist() == expected


def test_matrices_and_tensors_are_read_row_by_row() -> None:
    mask = torch.tensor([[False, True], [True, False]])
    assert encode_gaps(mask, bits=4)[0].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("gaps", "fillers", "message"),
    [
        ([9], [False], "must be from 1 to 8"),
        ([1, 0], [False, False], "must be from 1 to 8"),
        ([-1], [False], "must be from 1 to 8"),
        ([8, 8], [False, False], "lead to position 16, and there are 16"),
        ([1], [False, True], "one length"),
    ],
)
def test_gaps_that_nobody_wrote(gaps: list[int], fillers: list[bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_gaps(gaps, fillers, size=16, bits=3)


@pytest.mark.parametrize("bits", [0, 17])
def test_gap_bits_are_1_to_16(bits: int) -> None:
    with pytest.raises(ValueError, match="bits must be between 1 and 16"):
        encode_gaps(np.ones(2, bool), bits=bits)


# --- huffman


def least_bits(counts: list[int]) -> int:
    """The total of Huffman's own algorithm."""
    heap = [c for c in counts if c]
    if len(heap) == 1:
        return 0
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        pair = heapq.heappop(heap) + heapq.heappop(heap)
        total += pair
        heapq.heappush(heap, pair)
    return total


counts_ = st.lists(st.integers(0, 50) | st.sampled_from([0, 1, 10_000]), max_size=80)


@given(counts_)
def test_no_prefix_code_is_shorter(counts: list[int]) -> None:
    code = HuffmanCode.from_counts(np.array(counts, int))
    assert code.bits(counts) == least_bits(counts)
    entropy = sum(-c * math.log2(c / sum(counts)) for c in counts if c)
    assert entropy - 1e-6 <= code.bits(counts) <= entropy + sum(counts)
    assert ((code.lengths > 0) == (np.array(counts, int) > 0)).all()


def test_the_limit_is_kept_and_costs_little() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 30:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])  # the worst case: words of 29 bits
    for limit in (5, 8, LIMIT):
        code = HuffmanCode.from_counts(fibonacci, limit=limit)
        assert code.lengths.max() == limit
        assert sum(2.0 ** -code.lengths[code.lengths > 0].astype(float)) == 1
    assert HuffmanCode.from_counts(fibonacci).bits(fibonacci) <= 1.001 * least_bits(fibonacci)
    with pytest.raises(ValueError, match="limit must be between 5 and 15, got 4; 30 symbols need words of 5 bits"):
        HuffmanCode.from_counts(fibonacci, limit=4)


def slow_encode(symbols: list[int], lengths: list[int]) -> str:
    """The canonical words as text."""
    order = sorted((n, s) for s, n in enumerate(lengths) if n)
    words, value, previous = {}, 0, order[0][0]
    for n, symbol in order:
        value <<= n - previous
        words[symbol] = format(value, f"0{n}b")
        value, previous = value + 1, n
    return "".join(words[s] for s in symbols)


@given(st.integers(0, 2**31), st.integers(2, 40), st.integers(1, 1024))
def test_the_bits_are_the_canonical_words(seed: int, alphabet: int, count: int) -> None:
    symbols = np.random.default_rng(seed).geometric(0.2, count) % alphabet
    code = HuffmanCode.from_counts(np.bincount(symbols, minlength=alphabet))
    if len(np.unique(symbols)) > 1:
        text = slow_encode(symbols.tolist(), code.lengths.tolist())
        assert "".join(format(byte, "08b") for byte in code.encode(symbols)) == text + "0" * (-len(text) % 8)


@given(
    st.integers(0, 2**31),
    st.sampled_from([1, 2, 3, 64, 256, 257, 2000]),
    st.sampled_from([0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 1, 20_001]),
    st.sampled_from([0.02, 0.3, 0.9]),
)
def test_there_and_back(seed: int, alphabet: int, count: int, p: float) -> None:
    symbols = np.random.default_rng(seed).geometric(p, count) % alphabet
    code = HuffmanCode.from_counts(np.bincount(symbols, minlength=alphabet))
    data = code.encode(symbols)
    again = HuffmanCode(code.lengths)
    assert np.array_equal(again.decode(data, count=count), symbols)
    heads = 2 * ((count - 1) // BLOCK) if count and len(np.unique(symbols)) > 1 else 0
    assert len(data) == heads + (code.bits(np.bincount(symbols, minlength=alphabet)) + 7) // 8


def test_two_symbols_at_a_time_write_the_same() -> None:
    symbols = np.random.default_rng(0).geometric(0.4, 5001) % 8
    code = HuffmanCode.from_counts(np.bincount(symbols, minlength=8))
    wide = HuffmanCode(np.concatenate([code.lengths, np.zeros(300, np.uint8)]))  # too many for pairs
    assert code.encode(symbols) == wide.encode(symbols)


@given(st.binary(max_size=40), st.integers(0, 3000))
def test_any_bytes_are_read_or_refused(data: bytes, count: int) -> None:
    code = HuffmanCode.from_counts([10, 5, 3, 1, 1])
    try:
        symbols = code.decode(data, count=count)
    except ValueError:
        return
    assert code.encode(symbols) == data


def test_every_flip_of_a_bit_is_read_or_refused(request: pytest.FixtureRequest) -> None:
    symbols = np.random.default_rng(0).integers(0, 5, 2500)
    code = HuffmanCode.from_counts(np.bincount(symbols))
    data = code.encode(symbols)
    refused = 0
    bits = 8 * len(data)
    step = 7 if request.config.getoption("--slow") else 61
    for bit in (*range(0, bits, step), *range(bits - 16, bits)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        try:
            assert code.encode(code.decode(bytes(flipped), count=2500)) == bytes(flipped)
        except ValueError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 1, 1], "Kraft's sum is 1.5, not 1"),
        ([1, 2], "Kraft's sum is 0.75, not 1"),
        ([0, 2], "complete prefix code"),
        ([16, 1], "from 0 to 15"),
        ([-1, 1], "from 0 to 15"),
        ([[1, 1]], "at most 65,536 whole numbers"),
        ([0.5, 0.5], "whole numbers"),
    ],
)
def test_lengths_that_make_no_code(lengths: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HuffmanCode(lengths)


def test_symbols_without_a_word_and_codes_without_words() -> None:
    code = HuffmanCode.from_counts([3, 0, 2])
    for symbols in ([1], [0] * 100 + [1, 0, 0], [3], [-1]):
        with pytest.raises(ValueError, match=r"make the code from the counts|from 0 to 2, got"):
            code.encode(symbols)
    empty = HuffmanCode.from_counts([])
    assert empty.encode([]) == b""
    assert empty.decode(b"", count=0).tolist() == []
    with pytest.raises(ValueError, match="holds no symbols"):
        empty.decode(b"", count=1)
    with pytest.raises(ValueError, match="not negative"):
        HuffmanCode.from_counts([1, -1])
    with pytest.raises(ValueError, match="no bits are written"):
        HuffmanCode.from_counts([7]).decode(b"a", count=2)


# --- ANS


@given(
    st.integers(0, 2**31),
    st.sampled_from([1, 2, 3, 64, 256, 257, 2000]),
    st.sampled_from([0, 1, 2, 100, 5001]),
    st.sampled_from([0.02, 0.3, 0.9]),
)
def test_ans_there_and_back_at_the_entropy(seed: int, alphabet: int, count: int, p: float) -> None:
    symbols = np.random.default_rng(seed).geometric(p, count) % alphabet
    counts = np.bincount(symbols, minlength=alphabet)
    code = AnsCode.from_counts(counts)
    data = code.encode(symbols)
    assert np.array_equal(AnsCode(code.frequencies).decode(data, count=count), symbols)
    assert 8 * len(data) <= code.bits(counts) + 64
    assert code.frequencies.sum() == (65_536 if count else 0)
    entropy = sum(-c * math.log2(c / count) for c in counts.tolist() if c)
    assert entropy - 1e-6 <= code.bits(counts) <= 1.02 * entropy + 1


@given(counts_)
def test_ans_gives_every_symbol_a_share(counts: list[int]) -> None:
    code = AnsCode.from_counts(np.array(counts, int))
    assert ((code.frequencies > 0) == (np.array(counts, int) > 0)).all()


def test_ans_with_as_many_symbols_as_shares() -> None:
    counts = np.ones(65_536, int)
    counts[0] = 10**12
    assert (AnsCode.from_counts(counts).frequencies == 1).all()
    with pytest.raises(ValueError, match="at most 65536 different symbols"):
        AnsCode.from_counts(np.ones(65_537, int))


@given(st.binary(max_size=40), st.integers(0, 3000))
def test_ans_reads_or_refuses_any_bytes(data: bytes, count: int) -> None:
    code = AnsCode.from_counts([10, 5, 3, 1, 1])
    try:
        symbols = code.decode(data, count=count)
    except ValueError:
        return
    assert code.encode(symbols) == data


@pytest.mark.parametrize("alphabet", [2, 17, 256, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 16, 64))])
def test_huffman_at_every_length_around_its_blocks(alphabet: int) -> None:
    # Words are joined in fours where there are many symbols, and what is left over must not move the blocks.
    for count in (*range(1015, 1035), *range(1190, 1200), *range(2040, 2056), 5001, 70_003):
        symbols = np.random.default_rng(count).integers(0, alphabet, count)
        code = HuffmanCode.from_counts(np.bincount(symbols, minlength=alphabet))
        assert np.array_equal(code.decode(code.encode(symbols), count=count), symbols)


def test_ans_refuses_what_is_no_table() -> None:
    for table in ([1, 2], [-1, 65_537], [0.5]):
        with pytest.raises(ValueError, match="frequencies must"):
            AnsCode(table)
    with pytest.raises(ValueError, match="make the code from the counts"):
        AnsCode.from_counts([3, 0, 2]).encode([1])
    with pytest.raises(ValueError, match="no bits are written"):
        AnsCode.from_counts([7]).decode(b"abcd", count=2)
    with pytest.raises(ValueError, match="holds no symbols"):
        AnsCode.from_counts([]).decode(b"", count=1)


def test_the_same_bytes_on_every_machine() -> None:
    # Written down once: if this changes, files that exist can no longer be read.
    symbols = np.arange(3000) * 7919 % 97 % 11
    counts = np.bincount(symbols)
    huffman, ans = HuffmanCode.from_counts(counts), AnsCode.from_counts(counts)
    assert huffman.lengths.tolist() == GOLDEN_LENGTHS
    assert hashlib.sha256(huffman.encode(symbols)).hexdigest() == GOLDEN_HUFFMAN
    assert ans.frequencies.tolist() == GOLDEN_FREQUENCIES
    assert hashlib.sha256(ans.encode(symbols)).hexdigest() == GOLDEN_ANS
