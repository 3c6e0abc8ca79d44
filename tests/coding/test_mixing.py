"""mixing and joint: what was written is read, near the entropy, and strangers' bytes are read or refused in time."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.coding import mixing
from course_utils.coding.joint import Sparse, decode_joint, encode_joint
from course_utils.coding.mixing import ONE, BitDecoder, BitEncoder, Mixer, tables


def test_the_tables_are_those_of_the_formula() -> None:
    squash, stretch, rates = tables()
    assert len(squash) == 2 * 2815 + 1
    for x in (-2815, -1000, -1, 0, 1, 999, 2815):
        exact = ONE / (1 + math.exp(-x / 256))
        assert squash[x + 2815] == min(max(round(exact), 16), ONE - 16)
    for i in (0, 1, 2047, 2048, 4095):
        p = (i + 0.5) / 4096
        assert abs(stretch[i] - 256 * math.log(p / (1 - p))) <= 0.5001
    assert rates[:3] == [2 * ONE // 3, 2 * ONE // 5, 2 * ONE // 7]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(16, ONE - 16)), max_size=300))
def test_bits_come_back_under_any_probabilities(bits: list[tuple[int, int]]) -> None:
    encoder = BitEncoder()
    for bit, p in bits:
        encoder.write(bit, p)
    data = encoder.finish()
    assert not data.endswith(b"\0")
    spent = sum(encoder.spent.values())
    assert len(data) <= (spent + 0.01 * len(bits)) / 8 + 4
    decoder = BitDecoder(data)
    assert [decoder.read(p) for _, p in bits] == [bit for bit, _ in bits]
    decoder.finish()
    for wrong in (data + b"\1" * 8, data + b"\0"):
        decoder = BitDecoder(wrong)
        for _, p in bits:
            decoder.read(p)
        with pytest.raises(ValueError, match="do not end as"):
            decoder.finish()


def test_the_mixer_finds_the_context_that_counts() -> None:
    rng = np.random.default_rng(0)
    clue = rng.integers(0, 2, 5000)
    bits = np.where(rng.random(5000) < 0.95, clue, 1 - clue)
    encoder = BitEncoder()
    mixer = Mixer(encoder, "all")
    for bit, c, noise in zip(bits.tolist(), clue.tolist(), rng.integers(0, 50, 5000).tolist(), strict=True):
        mixer.code(bit, [0, c, noise])
    entropy = -5000 * (0.95 * math.log2(0.95) + 0.05 * math.log2(0.05))
    assert entropy * 0.95 < encoder.spent["all"] < entropy * 1.15


shapes = st.sampled_from([(), (0,), (1,), (7,), (5, 9), (9, 5), (4, 0), (1, 64), (3, 2, 3, 3), (5, 3)])


def random_sparse(rng: np.random.Generator, shape: tuple[int, ...]) -> Sparse:
    negative, positive = (int(n) for n in rng.choice([0, 1, 2, 5, 12, 13, 40], 2))
    ranks = rng.integers(-negative, positive + 1, shape) * (rng.random(shape) < rng.choice([0, 0.1, 0.5, 1]))
    return Sparse(np.asarray(ranks, np.int64), negative, positive)


@given(st.lists(shapes, max_size=4), st.integers(0, 2**31))
def test_arrays_come_back(some: list[tuple[int, ...]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = [random_sparse(rng, shape) for shape in some]
    data, bits = encode_joint(arrays)
    assert sum(bits.values()) / 8 <= len(data) + 4
    decoded = decode_joint(data, some, [(a.negative, a.positive) for a in arrays])
    for ours, theirs in zip(arrays, decoded, strict=True):
        assert np.array_equal(ours.ranks, theirs.ranks)
    assert encode_joint(decoded)[0] == data


@given(st.binary(max_size=60), st.integers(0, 2**31))
def test_bytes_that_nobody_wrote_are_read_or_refused(data: bytes, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sides = [(int(rng.integers(0, 20)), int(rng.integers(0, 20))) for _ in range(2)]
    try:
        arrays = decode_joint(data, [(6, 9), (9,)], sides)
    except ValueError:
        return
    for array, (negative, positive) in zip(arrays, sides, strict=True):
        assert -negative <= int(array.ranks.min())
        assert int(array.ranks.max()) <= positive


def test_structure_that_pruned_layers_have_is_used() -> None:
    rng = np.random.default_rng(1)
    columns, rows = rng.random(784) ** 6, rng.random(60) ** 2
    mask = rng.random((60, 784)) < np.outer(rows, columns) * 0.6
    ranks = mask * rng.choice([-2, -1, 1, 2], mask.shape)
    data, bits = encode_joint([Sparse(ranks.astype(np.int64), 2, 2)])
    density = mask.mean()
    plain = mask.size * -(density * math.log2(density) + (1 - density) * math.log2(1 - density))
    assert bits[0, "positions"] < 0.85 * plain
    assert bits[0, "values"] < 1.02 * 2 * mask.sum()
    assert len(data) == pytest.approx(sum(bits.values()) / 8, abs=5)


def test_the_same_bytes_on_every_machine() -> None:
    # Written down once: if this changes, files that exist can no longer be read.
    n = np.arange(40 * 49)
    ranks = np.where(n * 7919 % 23 < 3, n * 31 % 7 - 3, 0).reshape(40, 49)
    data, _ = encode_joint([Sparse(ranks, 3, 3), Sparse(np.arange(40) % 30 - 14, 14, 15)])
    assert (len(data), hashlib.sha256(data).hexdigest()[:16]) == (180, "4ef9204ce39efbb5")


def test_few_bytes_are_not_very_many_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bits that are all as expected take no bytes, and each takes a reader some microseconds."""
    largest, shape, sides = np.full((10, 20), 12), (10, 20), (0, 12)
    data, _ = encode_joint([Sparse(largest, *sides)])
    assert data == b""
    bits = 10 + 20 + 200 * 12  # for each row and column, and for each place: that it is in use, and eleven of its rank
    monkeypatch.setattr(mixing, "FREE_BITS", bits)
    assert np.array_equal(decode_joint(data, [shape], [sides])[0].ranks, largest)
    assert encode_joint([Sparse(largest, *sides)])[0] == data
    monkeypatch.setattr(mixing, "FREE_BITS", bits - 1)
    with pytest.raises(ValueError, match="0 bytes cannot hold more than 2,429 bits"):
        decode_joint(data, [shape], [sides])
    with pytest.raises(ValueError, match='2,430 bits in 0 bytes take a reader too long; use "ans"'):
        encode_joint([Sparse(largest, *sides)])
    largest[0, 0] = -1  # which takes bytes, of which each allows 1,024 bits more
    data, _ = encode_joint([Sparse(largest, 12, 12)])
    assert np.array_equal(decode_joint(data, [shape], [(12, 12)])[0].ranks, largest)
