"""container: every bit comes back, and whatever a stranger made is loaded or refused."""

import gzip
import io
import json
import os
import re
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.coding.container import Coded, FormatError, layout, load, read_header, save
from course_utils.coding.header import MAGIC, TYPES
from course_utils.coding.positions import _encode_rows, encode_positions

Arrays = dict[str, np.ndarray | Coded]
LIMIT = 2**22


def random_arrays(seed: int) -> Arrays:
    """Some arrays as a compressed network has them, with the numbers that are easily lost."""
    rng = np.random.default_rng(seed)
    arrays: Arrays = {}
    for i in range(int(rng.integers(0, 5))):
        shape = tuple(int(n) for n in rng.integers(0, 9, rng.integers(0, 4)))
        if rng.random() < 0.5:
            dtype = str(rng.choice(TYPES))
            size = int(np.prod(shape, dtype=int))
            raw = rng.bytes(size * np.dtype(dtype).itemsize)  # NaN payloads, -0.0 and infinities among them
            value = np.frombuffer(raw, dtype) if dtype != "bool" else rng.random(size) < 0.5
            arrays[f"dense {i}"] = value.reshape(shape)
        else:
            mask = rng.random(shape) < rng.choice([0.0, 0.1, 0.6, 1.0])
            k = int(rng.choice([1, 2, 7, 300]))
            special = np.array([np.nan, -0.0, np.inf, -np.inf])
            book = np.concatenate([special, rng.normal(size=k)])[:k].astype("f4")
            indices = rng.geometric(0.5, int(mask.sum())) % k
            entropy = (None, "huffman", "ans", "mixed", "in order")[int(rng.integers(5))]
            if entropy == "in order":
                book, indices = np.frombuffer(rng.bytes(4 * int(mask.sum())), "f4"), np.zeros(0, int)
            if entropy == "mixed":
                book = np.unique(rng.normal(size=k).astype("f4")) if i else np.float32(0.06) * rising(k)
                indices %= len(book)
            name = str(i) if rng.random() < 0.3 else f"kodé {i}"
            arrays[name] = Coded(book, indices, mask, entropy, None if rng.random() < 0.5 else int(rng.integers(9)))
    return arrays


def rising(k: int) -> np.ndarray:
    """Multiples of a step, but for 0."""
    return np.array([n for n in range(-(k // 2), k + 1) if n][:k], "f4")


def same(a: Arrays, b: Arrays) -> bool:
    def plain(value: np.ndarray | Coded) -> tuple:
        if isinstance(value, Coded):
            decoded = value.decode()
            return value.mask.shape, value.entropy, value.codebook.tobytes(), decoded.dtype, decoded.tobytes()
        return value.shape, value.dtype, value.tobytes()

    return list(a) == list(b) and all(plain(a[name]) == plain(b[name]) for name in a)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@given(seed=st.integers(0, 2**31))
def test_every_bit_comes_back(folder: Path, seed: int) -> None:
    arrays = random_arrays(seed)
    path = folder / "a.cun"
    metadata = {"seed": seed, "text": "ü"}
    size = save(path, arrays, metadata=metadata)
    assert path.stat().st_size == size
    back = load(path, max_bytes=LIMIT)
    assert same(back, arrays)
    header = read_header(path)
    assert header.metadata == metadata
    assert [entry.name for entry in header.entries] == list(arrays)
    lengths = [entry.length + 4 for entry in header.entries if entry.kind != "joint"]
    shared = {entry.length + 4 for entry in header.entries if entry.kind == "joint"}
    assert header.length + sum(lengths) + sum(shared) == size
    assert b"".join(part.data for part in layout(arrays, metadata=metadata)) == path.read_bytes()
    first = path.read_bytes()
    save(path, back, metadata=metadata)
    assert path.read_bytes() == first


def a_file(folder: Path) -> tuple[Path, bytes]:
    rng = np.random.default_rng(0)
    mask = rng.random((20, 30)) < 0.2
    book = np.linspace(-1, 1, 8).astype("f4")
    indices = rng.geometric(0.4, int(mask.sum())) % 8
    arrays: Arrays = {
        "bias": np.arange(5, dtype="f4"),
        **{f"w{e}": Coded(book, indices, mask, e) for e in (None, "huffman", "ans")},
        "full": Coded(book, rng.integers(0, 8, 40), np.ones((5, 8), bool)),
        "listed": Coded(rng.normal(size=int(mask.sum())).astype("f2"), np.zeros(0, int), mask, "in order", 3),
        "7": Coded(np.unique(rng.normal(size=6)), rng.integers(0, 6, int(mask.sum())), mask, "mixed"),
        "8": Coded(rising(6) * np.float32(0.5), rng.integers(0, 6, 20), np.ones(20, bool), "mixed"),
    }
    path = folder / "victim.cun"
    save(path, arrays, metadata={"a": [1, 2]})
    return path, path.read_bytes()


def outcome(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    try:
        load(path, max_bytes=LIMIT)
    except FormatError:
        return "refused"
    return "loaded"


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


ONE = b"\2\0\0\0\x80?"  # a codebook of one value, 1.0, as multiples of 1: none of them negative


def forged(
    shape: tuple[int, ...] = (4,),
    section: bytes = b"\0" * 16,
    *,
    kind: int = 0,
    dtype: int = 0,
    name: bytes = b"w",
    metadata: bytes = b"",
    count: int = 1,
    length: int | None = None,
    version: int = 1,
    tail: bytes = b"",
    like_the_rows: bool = False,
) -> bytes:
    """A file with right checksums and whatever content."""
    entry = (
        varint(len(name))
        + name
        + bytes([kind << 4 | dtype])
        + (b"\x09" if like_the_rows else varint(len(shape)) + b"".join(map(varint, shape)))
    )
    entry += varint(len(section) if length is None else length)
    header = varint(len(metadata)) + metadata + varint(count) + entry * min(count, 3)
    start = MAGIC + bytes([version]) + varint(len(header)) + header
    start += zlib.crc32(start).to_bytes(4, "little")
    return start + (section + zlib.crc32(section).to_bytes(4, "little")) * min(count, 3) + tail


def coded(
    *,
    size: int = 1,
    book: bytes = ONE,
    full: int = 1,
    coder: int = 0,
    positions: bytes = b"",
    rest: bytes = b"",
) -> bytes:
    """A section of a coded array."""
    return bytes([full, coder]) + varint(size) + book + varint(len(positions)) + positions + rest


def joint(stream: bytes = b"", *, book: bytes = ONE, negative: int = 0, positive: int = 1) -> bytes:
    """A section of one joint array."""
    return varint(negative) + varint(positive) + book + stream


EMPTY_ROW = b"\x04"  # the joint bits of 2 x 2 places, one row of which is said to be in use and holds nothing


def nine(section: bytes, *, kind: int = 1) -> bytes:
    """A file of nine scalars of type float64, each with this section; if they are joint, all of them share one."""
    entry = b"\0" + bytes([kind << 4 | 1]) + b"\0" + (varint(len(section)) if kind == 1 else b"")
    header = b"\0\x09" + 9 * entry + (varint(9 * len(section)) if kind == 2 else b"")
    start = MAGIC + b"\1" + varint(len(header)) + header
    parts = [start, *([section] * 9 if kind == 1 else [section * 9])]
    return b"".join(part + zlib.crc32(part).to_bytes(4, "little") for part in parts)


def headed(header: bytes) -> bytes:
    """A file of a header alone."""
    start = MAGIC + b"\1" + varint(len(header)) + header
    return start + zlib.crc32(start).to_bytes(4, "little")


# What is refused, and why: each for its own reason.
FEWEST = "not in the form of the fewest bytes"
KEYS = "metadata are not written with each key once, in order, without spaces or escapes"
ATTACKS: dict[str, tuple[bytes, str]] = {
    "2^62 elements": (forged((2**62,)), "which no array can have"),
    "2^40 elements that take no bytes": (forged((2**40,), coded(), kind=1), "arrays take 4,398,046,511,104 bytes"),
    "dimensions whose product overflows": (forged((2**31, 2**31, 2**31, 0), b""), "which no array can have"),
    "a dimension of 2^62 beside a 0": (forged((0, 2**62), b""), "which no array can have"),
    "a shape that is larger than its section": (forged((5,)), "takes 20 bytes, its section has 16"),
    "a section that is longer than its shape": (forged((3,)), "takes 12 bytes, its section has 16"),
    "a header that goes on": (headed(b"\0\0x"), "the header has 1 byte too many"),
    "a header that stops": (headed(b"\0"), "the header ends 1 byte too early"),
    "a section beyond the end": (forged(length=2**61), "damaged or cut off"),
    "a section that is shorter than it says": (forged(length=17), "damaged or cut off"),
    "bytes behind the end": (forged(tail=b"x"), "damaged or cut off"),
    "the same name twice": (forged((), b"\0" * 4, count=2), "two arrays have one name"),
    "the rows of the array before in two bytes": (forged(count=2), "as long as the array before has rows, which takes"),
    "a name that is its number": (forged(name=b"0"), "is its number, which takes no bytes"),
    "more arrays than there are": (forged(count=10_001), "above 10000"),
    "too many dimensions": (forged((1,) * 9, b"\0" * 4), "there is none with rows"),
    "another kind": (forged(kind=7), "no kind 7"),
    "another type": (forged(dtype=10), "no type 10"),
    "another version": (forged(version=2), "reads version 1; update it"),
    "a name that is no UTF-8": (forged(name=b"\xff"), "a name is not UTF-8"),
    "metadata that are no JSON": (forged(metadata=b"{"), "the metadata are not JSON"),
    "metadata that are no object": (forged(metadata=b"[1]"), "must be a JSON object"),
    "metadata as deep as they are long": (forged(metadata=b"[" * 100_000), "the metadata are not JSON"),
    "metadata behind a mark of the order of bytes": (
        forged(metadata=b'\xef\xbb\xbf{"a":1}'),
        "the metadata are not JSON",
    ),
    "metadata in UTF-16": (forged(metadata='{"a":1}'.encode("utf-16-le")), "the metadata are not JSON"),
    "metadata with half a letter": (forged(metadata=b'{"a":"\\ud800"}'), "in UTF-8: 'utf-8' codec can't encode"),
    "metadata with NaN": (forged(metadata=b'{"a":NaN}'), "must be what JSON can hold"),
    "metadata with a number above all": (forged(metadata=b'{"a":1e400}'), "must be what JSON can hold"),
    "metadata with a number of 5000 digits": (forged(metadata=b'{"a":' + b"9" * 5000 + b"}"), "metadata are not JSON"),
    "metadata with a key twice": (forged(metadata=b'{"a":1,"a":2}'), KEYS),
    "metadata with keys in another order": (forged(metadata=b'{"b":1,"a":2}'), KEYS),
    "metadata with a space": (forged(metadata=b'{"a": 1}'), KEYS),
    "metadata with an escape": (forged(metadata=b'{"a":"\\u0041"}'), KEYS),
    "metadata with a number in another form": (forged(metadata=b'{"a":1.00}'), KEYS),
    "metadata that are empty": (forged(metadata=b"{}"), KEYS),
    "a truth value of 2": (forged((1,), b"\2", dtype=9), "neither 0 nor 1"),
    "a codebook of 2^16 + 1": (forged((4,), coded(size=2**16 + 1), kind=1), "above 65536"),
    "a codebook that is not there": (forged((4,), coded(size=1000, book=b"\0"), kind=1), "3,999 bytes too early"),
    "a codebook in another form": (forged((4,), coded(book=b"\3\0\0\x80?"), kind=1), "no form 3"),
    "a codebook of float16 for whole numbers": (forged((4,), coded(book=b"\1\0\0"), kind=1, dtype=7), "no form 1"),
    "a codebook in numbers that is of multiples": (forged((4,), coded(book=b"\0\0\0\x80?"), kind=1), FEWEST),
    "a codebook of multiples of nothing": (forged((0,), coded(size=0), kind=1), FEWEST),
    "a codebook of multiples with another sign": (
        forged((4,), coded(size=2, book=b"\2\2\0\0\x80\xbf"), kind=1),
        FEWEST,
    ),
    "a codebook of multiples of 0 with a sign": (forged((4,), coded(book=b"\2\1\0\0\0\0"), kind=1), FEWEST),
    "a codebook of multiples of a signalling NaN": (forged((4,), coded(book=b"\2\0\1\0\x80\x7f"), kind=1), FEWEST),
    "nine codebooks of 2^16 multiples": (
        nine(coded(size=2**16, book=b"\2\0" + b"\0" * 6 + b"\xf0?", rest=b"\0\0")),
        "524,288",
    ),
    "nine joint codebooks of 2^16 multiples": (
        nine(joint(positive=2**16, book=b"\2\0" + b"\0" * 6 + b"\xf0?"), kind=2),
        "bytes more",
    ),
    "positions where no place is zero": (forged((4,), coded(positions=b"\1"), kind=1), "none of its places is zero"),
    "positions of all places": (
        forged((4,), coded(full=0, positions=encode_positions([True] * 4, coding=1)), kind=1),
        "has no zeros, and does not say so",
    ),
    "a flag of 2": (forged((4,), coded(full=2), kind=1), "no flag 2"),
    "another coder": (forged((4,), coded(coder=4), kind=1), "no coder 4"),
    "an over-subscribed code": (forged((4,), coded(size=3, coder=1, rest=b"\x11\x10\0"), kind=1), "no complete prefix"),
    "an incomplete code": (forged((4,), coded(size=2, coder=1, rest=b"\x12\0"), kind=1), "no complete prefix"),
    "a code that is not the shortest": (
        forged((4,), coded(size=2, coder=1, rest=b"\x11\0"), kind=1),
        "the table is not",
    ),
    "a code that is longer than its symbols": (
        forged((4,), coded(size=2, coder=1, rest=b"\x11" + b"\0" * 9000), kind=1),
        "so many bits",
    ),
    "frequencies with another sum": (forged((4,), coded(size=2, coder=2, rest=b"\1\1\0\0"), kind=1), "the sum 65536"),
    "frequencies of what does not occur": (
        forged((4,), coded(full=0, coder=2, rest=varint(2**16)), kind=1),
        "the table is not",
    ),
    "more indices than bytes": (forged((4,), coded(size=2), kind=1), "do not take 0 bytes"),
    "an index above the codebook": (forged((4,), coded(size=3, rest=b"\xff"), kind=1), "an index is 3"),
    "a gap bomb": (
        forged((4,), coded(full=0, positions=b"\1" + b"\xff" * 4 + b"\x10\0"), kind=1),
        "cannot be positions",
    ),
    "gaps past the end": (forged((4,), coded(full=0, positions=b"\1\4\0\0\0\x01\0"), kind=1), "and there are 4"),
    "gaps under a code that is not the shortest": (
        forged((4,), coded(full=0, positions=b"\1\2\0\0\0\x11\0\0"), kind=1),
        "not the shortest code",
    ),
    "gaps that end where there is no nonzero": (
        forged((4,), coded(full=0, positions=b"\1\2\0\0\0\x10\x10\x40"), kind=1),
        "the last gap leads to no nonzero",
    ),
    "gaps with a length too many": (
        forged((4,), coded(full=0, positions=b"\1\2\0\0\0\x11\1\x40"), kind=1),
        "more lengths than there are gaps",
    ),
    "rows that are no whole words": (forged((4, 4), coded(full=0, positions=b"\0\1"), kind=1), "whole 32-bit words"),
    "positions of another coding": (forged((4,), coded(full=0, positions=b"\x09"), kind=1), "cannot start with"),
    "rows that no encoder wrote": (forged((4, 4), coded(full=0, positions=b"\0" + b"\xff" * 4), kind=1), "these rows"),
    "rows without a nonzero": (
        forged((4, 4), coded(full=0, positions=b"\0" + _encode_rows(np.zeros((4, 4), bool)).tobytes()), kind=1),
        "these rows",
    ),
    "2^20 rows in few bytes": (
        forged((2**20, 1), coded(full=0, positions=b"\0" + b"\1" * 4), kind=1),
        "cannot be 1,048,576 rows",
    ),
    "a row of 2^19 columns": (
        forged((1, 2**19), coded(full=0, positions=b"\0" + b"\1" * 4), kind=1),
        "262,144 columns",
    ),
    "joint arrays of 2^20 + 1 places": (forged((2**20 + 1,), joint(), kind=2, dtype=3), "1,048,577 places"),
    "joint arrays of 2^17 columns": (forged((1, 2**17), joint(), kind=2), "131,073 rows and columns"),
    "a joint codebook that falls": (forged((4,), joint(book=b"\1\0\x40\0\x3c", positive=2), kind=2), "does not rise"),
    "a joint codebook with a 0": (forged((4,), joint(book=b"\2" + b"\0" * 5), kind=2), "holds 0"),
    "a joint codebook with NaN": (forged((4,), joint(book=b"\1\0\x3c\0\x7e", positive=2), kind=2), "does not rise"),
    "a joint codebook with a signalling NaN": (
        forged((4,), joint(book=b"\1\0\x3c\1\x7c", positive=2), kind=2),
        "does not rise",
    ),
    "a joint codebook of multiples of NaN": (forged((4,), joint(book=b"\2\0\0\0\xc0\x7f"), kind=2), "does not rise"),
    "a joint codebook of 2^16 + 1": (forged((4,), joint(positive=2**16 + 1), kind=2), "above 65536"),
    "a joint codebook of multiples, all negative but one": (
        forged((4,), joint(book=b"\2\x05\0\0\x80?"), kind=2),
        "above 1 or not",
    ),
    "joint bits that go on": (forged((4,), joint(b"\1" * 50), kind=2), "do not end as"),
    "joint bits that end in zeros": (forged((4,), joint(b"\0"), kind=2), "do not end as"),
    "joint bits with another last byte": (forged((4,), joint(b"\1"), kind=2), "do not end as"),
    "a joint row in use without a nonzero": (forged((2, 2), joint(EMPTY_ROW), kind=2), "hold a nonzero"),
    "a list that is too short": (forged((4,), coded(coder=3), kind=1), "4 nonzeros and 1 values"),
    "a list of 2^28 multiples for 4 places": (forged((4,), coded(coder=3, size=2**28), kind=1), "above 4 or"),
    "a list of 2^60": (forged((4,), coded(coder=3, size=2**60), kind=1), "above 4 or"),
    "as long as the rows of nothing": (forged((), b"", like_the_rows=True), "there is none with rows"),
    "a number in more bytes than it needs": (MAGIC + b"\1\x80\x00", "not in the fewest bytes"),
    "a header of 2^40 bytes": (MAGIC + b"\1" + varint(2**40), "above 1048576"),
    "nothing": (b"", "4 bytes too early"),
    "another file": (b"PK\3\4" + b"\0" * 100, "starts with 504b0304"),
}


KEPT = Path(__file__).parent / "attacks"


def file_of(name: str) -> Path:
    return KEPT / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".cun")


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_each_for_its_own_reason(folder: Path, name: str) -> None:
    content, reason = ATTACKS[name]
    path = folder / "attack.cun"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=re.escape(reason)) as refusal:
        load(path, max_bytes=LIMIT)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_the_kept_attacks_are_those_that_are_forged_here() -> None:
    # To keep a new one: file_of(name).write_bytes(ATTACKS[name][0])
    assert {path.name for path in KEPT.glob("*.cun")} == {file_of(name).name for name in ATTACKS}
    assert all(file_of(name).read_bytes() == content for name, (content, _) in ATTACKS.items())


def test_the_forger_can_make_right_files(folder: Path) -> None:
    assert outcome(folder / "right.cun", forged()) == "loaded"
    assert outcome(folder / "right.cun", forged((4,), coded(), kind=1)) == "loaded"


def test_a_long_list_is_refused_before_it_is_made(folder: Path) -> None:
    path = folder / "list.cun"
    path.write_bytes(ATTACKS["a list of 2^28 multiples for 4 places"][0])
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="a number that is above 4"):
            load(path, max_bytes=2**20)
        assert tracemalloc.get_traced_memory()[1] < 2**21  # a header is read in one piece
    finally:
        tracemalloc.stop()


def test_a_list_of_multiples_takes_little_more_than_itself(folder: Path) -> None:
    path, count = folder / "list.cun", 2**21
    values = np.arange(1, count + 1).astype("f4")
    save(path, {"w": Coded(values, np.zeros(0, int), np.ones(count, bool), "in order")})
    assert path.stat().st_size < 100
    tracemalloc.start()
    try:
        array = load(path)["w"]
        assert isinstance(array, Coded)
        assert tracemalloc.get_traced_memory()[1] < values.nbytes + count + 2**23
    finally:
        tracemalloc.stop()
    assert np.array_equal(array.codebook, values)


def test_the_limit_is_on_what_is_decoded(folder: Path) -> None:
    path = folder / "zeros.cun"
    size = save(path, {"w": Coded(np.ones(1, "f4"), np.zeros(0, int), np.zeros((1000, 1000), bool))})
    assert size < 100
    assert load(path, max_bytes=4_000_000)["w"].mask.shape == (1000, 1000)
    with pytest.raises(FormatError, match=r"take 4,000,000 bytes, 3,999,999 are allowed; give a larger max_bytes"):
        load(path, max_bytes=3_999_999)


@pytest.mark.parametrize("entropy", [None, "huffman", "ans", "in order", "mixed"])
def test_the_limit_is_on_all_that_is_read(folder: Path, entropy: str | None) -> None:
    """With each of the arrays that a reader makes: to a byte."""
    path, places = folder / "read.cun", 300
    mask = (np.arange(places) % 3 != 0) | (entropy in ("huffman", "ans"))  # of a full one there are no positions
    count = int(mask.sum())
    book = np.arange(1, (count if entropy == "in order" else 4) + 1).astype("u1")
    indices = np.zeros(0, int) if entropy == "in order" else np.arange(count) % 4
    save(path, {"dense": np.zeros(50, "i1"), "w": Coded(book, indices, mask, entropy, 2)})
    section = read_header(path).entries[1].length
    if entropy == "mixed":  # a mask, indices of two bytes and ranks of eight for each place, and the stream once more
        most = 50 + section + book.nbytes + 11 * places + section
    else:  # a mask, and the symbols of its positions or then the indices, which are as many
        most = 50 + section + book.nbytes + places + count
    assert len(load(path, max_bytes=most)) == 2
    with pytest.raises(FormatError, match="give a larger max_bytes"):
        load(path, max_bytes=most - 1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Coded(np.ones(1, "f4"), np.zeros(0, int), np.zeros((1, 2**17), bool), "mixed"), 'small networks: .*use "ans"'),
        (np.zeros(2, complex), "a type among"),
        (Coded(np.zeros((2, 2), "f4"), np.zeros(1, int), np.ones(1, bool)), "at most 65,536 values"),
        (Coded(np.zeros(2, "f4"), np.zeros(2, int), np.ones(1, bool)), "for each of 1 nonzeros"),
        (Coded(np.zeros(2, "f4"), np.array([2]), np.ones(1, bool)), "an index below 2"),
        (Coded(np.zeros(2, "f4"), np.zeros(1, int), np.ones(1, bool), "zip"), "an entropy among"),
    ],
)
def test_what_cannot_be_saved_leaves_no_file(folder: Path, value: Any, message: str) -> None:
    path = folder / "never.cun"
    with pytest.raises(ValueError, match=message):
        save(path, {"w": value})
    assert not path.exists()


def test_a_file_has_ten_thousand_arrays_at_most(folder: Path) -> None:
    with pytest.raises(ValueError, match="at most 10,000 arrays"):
        layout({str(i): np.zeros(0, "i1") for i in range(10_001)})


def test_the_description_names_every_type_and_bound() -> None:
    text = (Path(__file__).parents[2] / "FORMAT.md").read_text()
    assert ", ".join(f"{i} {name}" for i, name in enumerate(TYPES)) in text
    assert MAGIC.hex(" ").upper() in text
    assert json.dumps({"b": 1, "a": 2}, sort_keys=True, separators=(",", ":")) == '{"a":2,"b":1}'


@pytest.mark.parametrize("read", [load, read_header])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, read: Any) -> None:
    with pytest.raises(FormatError, match="is no file, but a folder, a device or a pipe"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")
    content = forged()
    for wrong in (content[:1], content[:-1], gzip.compress(content), b"\0" * 100):
        (tmp_path / "a").write_bytes(wrong)
        with pytest.raises(FormatError, match="byte 0|damaged or cut off"):
            read(tmp_path / "a")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FormatError, match="is no file"):
            read(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"a": float("nan")}, "must be what JSON can hold"),
        ({"a": "\ud800"}, "must be what JSON can hold"),
        ({"a": {1, 2}}, "must be what JSON can hold"),
        ({"a": 10**5000}, "must be what JSON can hold"),
        ({1: 1, "1": 2}, "JSON can hold|each key once"),
        ([1], "must be a JSON object"),
    ],
)
def test_metadata_that_could_not_be_loaded_are_not_saved(tmp_path: Path, metadata: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        save(tmp_path / "a.cun", {}, metadata=metadata)


def test_names_come_back_as_they_are_or_are_refused(tmp_path: Path) -> None:
    names = ["\u00e9", "e\u0301", "\ufeffw", "0", "1", "a\nb", "\U0001f600" * 250]
    save(tmp_path / "a.cun", {name: np.zeros(i) for i, name in enumerate(names)})
    assert list(load(tmp_path / "a.cun")) == names
    for name in ("", "\ud800", "x" * 1001):
        with pytest.raises(ValueError, match="a name must be text of 1 to 1000 bytes"):
            save(tmp_path / "b.cun", {name: np.zeros(1)})
    with pytest.raises(ValueError, match="must have a product below 2\\^59"):
        save(tmp_path / "b.cun", {"w": np.empty((2**60, 0), "i1")})


def test_a_file_object_works_wherever_a_path_does(tmp_path: Path) -> None:
    arrays = {"w": np.eye(3, dtype="f4"), "b": np.arange(4)}
    with_something_before = io.BytesIO(b"before")
    with_something_before.seek(6)
    size = save(with_something_before, arrays)
    assert save(tmp_path / "a.cun", arrays) == size
    assert with_something_before.getvalue()[6:] == (tmp_path / "a.cun").read_bytes()
    with_something_before.seek(6)
    assert read_header(with_something_before) == read_header(tmp_path / "a.cun")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.cun", "a.cun")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("a.cun") as member:
        for file in (with_something_before, member, (tmp_path / "a.cun").open("rb")):
            loaded = load(file)
            assert loaded.keys() == arrays.keys()
            assert all(np.array_equal(loaded[name], array) for name, array in arrays.items())
            assert not file.closed
            file.close()
    with pytest.raises(FormatError, match="and the file at byte"):
        load(io.BytesIO((tmp_path / "a.cun").read_bytes()[:-9]))
    with pytest.raises(FormatError, match="binary file object that can be positioned, got int"):
        load(3)  # type: ignore[arg-type]
