"""positions: there and back, never larger than either coding, and strangers' bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.coding.positions import (
    ROWS_AND_COLUMNS,
    _encode_gaps,
    _encode_rows,
    decode_positions,
    encode_positions,
)


def a_mask(seed: int, shape: tuple[int, ...], density: float, structured: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    share = np.full(shape, density)
    if structured and len(shape) == 2:
        share = density * np.outer(rng.gamma(1, size=shape[0]), rng.gamma(0.5, size=shape[1])) * 2
    return rng.random(shape) < share


shapes = st.sampled_from([(0,), (1,), (7,), (300,), (5, 9), (40, 30), (1, 64), (64, 1), (0, 3), (8, 3, 5, 5)])
masks = st.builds(a_mask, st.integers(0, 2**31), shapes, st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]), st.booleans())


@given(masks)
def test_there_and_back_by_the_smaller_coding(mask: np.ndarray) -> None:
    data = encode_positions(mask)
    back = decode_positions(data, shape=mask.shape)
    assert back.shape == mask.shape
    assert np.array_equal(back, mask)
    if mask.any():
        rows = mask.reshape(mask.shape[0] if mask.ndim > 1 else 1, -1)
        both = [_encode_gaps(mask, bits) for bits in range(1, 9)] + [
            bytes([ROWS_AND_COLUMNS]) + _encode_rows(rows).tobytes()
        ]
        for choice in both:
            assert np.array_equal(decode_positions(choice, shape=mask.shape), mask)
            assert len(data) <= len(choice)
    else:
        assert data == b""


def test_structure_is_used() -> None:
    mask = a_mask(0, (300, 784), 0.04, structured=True)
    gaps = min(len(_encode_gaps(mask, bits)) for bits in range(1, 9))
    assert len(encode_positions(mask)) < 0.9 * gaps
    even = a_mask(0, (300, 784), 0.01, structured=False)
    assert encode_positions(even)[0] != ROWS_AND_COLUMNS  # without structure there is nothing to learn


def test_within_reach_of_the_entropy() -> None:
    mask = a_mask(1, (300, 784), 0.05, structured=False)
    n, p = mask.size, mask.mean()
    entropy = -n * (p * np.log2(p) + (1 - p) * np.log2(1 - p)) / 8
    assert entropy < len(encode_positions(mask)) < 1.05 * entropy


@given(st.binary(max_size=60), shapes)
def test_any_bytes_are_read_or_refused(data: bytes, shape: tuple[int, ...]) -> None:
    try:
        mask = decode_positions(data, shape=shape)
    except ValueError:
        return
    assert mask.shape == shape


@pytest.mark.parametrize("structured", [True, False])
def test_every_flipped_byte_is_another_mask_or_refused(structured: bool) -> None:
    mask = a_mask(2, (30, 40), 0.1, structured)
    data = encode_positions(mask)
    for i in range(len(data)):
        for flip in (1, 128):
            wrong = bytearray(data)
            wrong[i] ^= flip
            try:
                assert decode_positions(bytes(wrong), shape=mask.shape).shape == mask.shape
            except ValueError:
                continue
    for end in range(1, len(data)):
        try:
            short = decode_positions(data[:end], shape=mask.shape)
        except ValueError:
            continue
        assert not np.array_equal(short, mask)
    with pytest.raises(ValueError, match=r"\S"):
        decode_positions(data + b"\0\0\0\0", shape=mask.shape)
