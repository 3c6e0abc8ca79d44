"""The file of a compressed network: named arrays, each as it is or as positions, codebook and coded indices.

    file     = magic  version  length of the header  header  checksum of the header  sections
    header   = metadata (JSON)  number of arrays  entries
    entry    = name  kind  type  dimensions  length of its section
    section  = its bytes  their checksum

FORMAT.md in the repository has every byte. Sections follow each other without a gap, and nothing follows the last.
Files may come from strangers: every length is compared with what is there, in whole numbers of any size, before
anything is allocated; nothing in a file is executed; what is wrong, and where, is said by `FormatError`.
"""

import json
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_utils.ans import AnsCode
from course_utils.files import written_atomically
from course_utils.huffman import HuffmanCode
from course_utils.positions import decode_positions, encode_positions

__all__ = ["Coded", "FormatError", "Header", "load", "read_header", "save"]

MAGIC, VERSION = b"\x89CUN", 1
KINDS = ("dense", "coded")
TYPES = ("float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "bool")
ENTROPY = (None, "huffman", "ans")
MOST_HEADER, MOST_ARRAYS, MOST_NAME, MOST_DIMENSIONS = 2**20, 10_000, 1000, 8


class FormatError(ValueError):
    """A file that is not what it should be: what is wrong with it, and at which byte."""


@dataclass(frozen=True, eq=False)
class Coded:
    """An array of few different values: `codebook[indices]` where `mask` is true, row by row, and 0 elsewhere.

    codebook: (k,); indices: (nonzeros,), whole numbers below k; mask: booleans in the shape of the array. `entropy`:
    how the indices are written, "huffman", "ans", or None for ceil(log2 k) bits each.

    >>> coded = Coded(np.array([0.5, -1.0], "f4"), np.array([1, 0]), np.array([[True, False], [False, True]]))
    >>> coded.decode()
    array([[-1. ,  0. ],
           [ 0. ,  0.5]], dtype=float32)
    """

    codebook: NDArray[Any]
    indices: NDArray[Any]
    mask: NDArray[np.bool_]
    entropy: str | None = "huffman"

    def decode(self) -> NDArray[Any]:
        """The array."""
        array = np.zeros(self.mask.shape, self.codebook.dtype)
        array[self.mask] = self.codebook[self.indices]
        return array


@dataclass(frozen=True)
class Entry:
    """What the header says of an array, and where its section lies in the file."""

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    length: int

    @property
    def dense_bytes(self) -> int:
        """The bytes of the array in memory."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Header:
    """What stands in front of a file: `metadata`, the `entries`, and its own length in bytes."""

    metadata: dict[str, Any]
    entries: tuple[Entry, ...]
    length: int


def save(
    path: str | os.PathLike[str],
    tensors: Mapping[str, NDArray[Any] | Coded],
    *,
    metadata: dict[str, Any] | None = None,
) -> int:
    """Write arrays and coded arrays under their names, atomically; returns the size of the file in bytes.

    The same input gives the same bytes on every machine. `metadata`: anything that JSON can hold.

    Raises: ValueError for an array of another type than `TYPES`, or coded indices that do not fit their codebook.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = save(f"{folder}/a.cun", {"w": np.eye(3, dtype="f4")}, metadata={"note": "small"})
    ...     load(f"{folder}/a.cun")["w"].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if metadata else ""
    header = _varint(len(text.encode())) + text.encode() + _varint(len(tensors))
    sections = []
    for name, value in tensors.items():
        coded = isinstance(value, Coded)
        array = value.codebook if isinstance(value, Coded) else np.asarray(value)
        shape = value.mask.shape if isinstance(value, Coded) else array.shape
        if array.dtype.name not in TYPES:
            raise ValueError(f"{name} must be of a type among {', '.join(TYPES)}, got {array.dtype}; convert it first")
        section = _section(name, value) if isinstance(value, Coded) else _little(array)
        sections.append(section + zlib.crc32(section).to_bytes(4, "little"))
        header += _varint(len(name.encode())) + name.encode() + bytes([int(coded), TYPES.index(array.dtype.name)])
        header += _varint(len(shape)) + b"".join(map(_varint, shape)) + _varint(len(section))
    start = MAGIC + bytes([VERSION]) + _varint(len(header))
    content = start + header + zlib.crc32(start + header).to_bytes(4, "little") + b"".join(sections)
    with written_atomically(path) as file:
        file.write(content)
    return len(content)


def read_header(path: str | os.PathLike[str]) -> Header:
    """The header of a file, without its arrays.

    Raises: FormatError for a file that is none of ours; OSError where it cannot be read.
    """
    with Path(path).open("rb") as file:
        data = file.read(MOST_HEADER + 32)
        size = os.fstat(file.fileno()).st_size
    return _header(data, size)


def load(path: str | os.PathLike[str], *, max_bytes: int = 2**30) -> dict[str, NDArray[Any] | Coded]:
    """The arrays of a file by their names, as they were given to `save`.

    `max_bytes`: how many bytes all arrays together may take in memory once they are decoded; a file may come from a
    stranger, and a few bytes can stand for very many zeros.

    Raises: FormatError for a file that is damaged, or not ours, or larger than that; OSError where it cannot be read.
    """
    if (size := os.stat(path).st_size) > max_bytes + 2**26:
        raise FormatError(f"the file has {size:,} bytes, more than max_bytes={max_bytes:,} could need")
    header = read_header(path)
    total = sum(entry.dense_bytes for entry in header.entries)
    if total > max_bytes:
        raise FormatError(f"the arrays take {total:,} bytes, {max_bytes:,} are allowed; give a larger max_bytes")
    data = Path(path).read_bytes()
    return {entry.name: _array(data, entry) for entry in header.entries}


def _header(data: bytes, size: int) -> Header:
    reader = Reader(data, 0, len(data), "the header")
    if reader.take(4) != MAGIC:
        raise FormatError("byte 0: this is no file of a compressed network")
    if (version := reader.byte()) != VERSION:
        raise FormatError(
            f"byte 4: the file has version {version}, and this library reads version {VERSION}; update it"
        )
    length = reader.varint(MOST_HEADER)
    begin = reader.at
    body = Reader(data, begin, begin + len(reader.take(length)), "the header")
    end = reader.at
    if reader.take(4) != zlib.crc32(data[:end]).to_bytes(4, "little"):
        raise FormatError(f"byte {end}: the checksum of the header is wrong; the file is damaged")
    metadata = _metadata(body)
    entries: list[Entry] = []
    at = reader.at
    for _ in range(body.varint(MOST_ARRAYS)):
        entry = _entry(body, at)
        at += entry.length + 4
        entries.append(entry)
    body.finish()
    if len({entry.name for entry in entries}) < len(entries):
        raise FormatError("the header: two arrays have one name")
    if at != size:
        raise FormatError(f"the sections end at byte {at}, and the file at byte {size}; it is damaged or cut off")
    return Header(metadata, tuple(entries), reader.at)


def _metadata(body: "Reader") -> dict[str, Any]:
    at = body.at
    raw = body.take(body.varint(MOST_HEADER))
    try:
        found = json.loads(raw) if raw else {}
    except (ValueError, RecursionError) as error:
        raise FormatError(f"byte {at}: the metadata are no JSON") from error
    if not isinstance(found, dict):
        raise FormatError(f"byte {at}: the metadata must be a JSON object")
    return found


def _entry(body: "Reader", start: int) -> Entry:
    at = body.at
    try:
        name = body.take(body.varint(MOST_NAME)).decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"byte {at}: a name is no UTF-8") from error
    kind, dtype = body.byte(), body.byte()
    if kind >= len(KINDS) or dtype >= len(TYPES):
        raise FormatError(f"byte {body.at - 2}: no kind {kind}, or no type {dtype}")
    shape = tuple(body.varint(2**62) for _ in range(body.varint(MOST_DIMENSIONS)))
    if math.prod(max(1, n) for n in shape) >= 2**59:  # also where another dimension is 0: NumPy counts in 63 bits
        raise FormatError(f"byte {at}: {name!r} has the shape {shape}, which no array can have")
    return Entry(name, KINDS[kind], TYPES[dtype], shape, start, body.varint(2**62))


def _array(data: bytes, entry: Entry) -> NDArray[Any] | Coded:
    where = f"array {entry.name!r}"
    end = entry.start + entry.length
    section = Reader(data, entry.start, end, where)
    if data[end : end + 4] != zlib.crc32(data[entry.start : end]).to_bytes(4, "little"):
        raise FormatError(f"byte {end}: the checksum of {where} is wrong; the file is damaged")
    kind = np.dtype(entry.dtype).newbyteorder("<")
    if entry.kind == "coded":
        try:
            return _coded(section, entry, kind)
        except FormatError:
            raise
        except ValueError as error:  # from a coder
            raise FormatError(f"byte {section.at}: {where}: {error}") from error
    if entry.length != entry.dense_bytes:
        raise FormatError(
            f"byte {entry.start}: {where} takes {entry.dense_bytes} bytes, its section has {entry.length}"
        )
    raw = np.frombuffer(section.take(entry.length), kind)
    if entry.dtype == "bool" and len(raw) and int(raw.view(np.uint8).max()) > 1:
        raise FormatError(f"byte {entry.start}: {where} has a truth value that is neither 0 nor 1")
    return raw.astype(entry.dtype).reshape(entry.shape)


def _section(name: str, value: Coded) -> bytes:
    size, indices = len(value.codebook), np.asarray(value.indices).reshape(-1)
    mask = np.asarray(value.mask, bool)
    if value.codebook.ndim != 1 or size > 2**16 or value.entropy not in ENTROPY:
        raise ValueError(f"{name} must have a codebook of at most 65,536 values, and an entropy among {ENTROPY}")
    if len(indices) != int(mask.sum()) or (len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < size):
        raise ValueError(f"{name} must have an index below {size} for each of {int(mask.sum())} nonzeros")
    positions = b"" if mask.all() else encode_positions(mask)
    out = _varint(size) + _little(value.codebook) + bytes([int(mask.all()), ENTROPY.index(value.entropy)])
    out += _varint(len(positions)) + positions
    counts = np.bincount(indices, minlength=size)
    if value.entropy == "huffman":
        huffman = HuffmanCode.from_counts(counts)
        lengths = np.append(huffman.lengths, np.zeros(size % 2, np.uint8))
        return out + (lengths[0::2] << 4 | lengths[1::2]).tobytes() + huffman.encode(indices)
    if value.entropy == "ans":
        ans = AnsCode.from_counts(counts)
        return out + b"".join(map(_varint, ans.frequencies.tolist())) + ans.encode(indices)
    return out + _pack(indices, size)


def _coded(section: "Reader", entry: Entry, kind: np.dtype) -> Coded:
    size = section.varint(2**16)
    codebook = np.frombuffer(section.take(size * kind.itemsize), kind).astype(entry.dtype)
    full, coder = section.byte(), section.byte()
    if full > 1 or coder >= len(ENTROPY):
        raise FormatError(f"byte {section.at - 2}: no flag {full}, or no coder {coder}")
    positions = section.take(section.varint(2**62))
    if full and positions:
        raise FormatError(f"byte {section.at}: {section.where} has positions, and none of its places is zero")
    mask = np.ones(entry.shape, bool) if full else decode_positions(positions, shape=entry.shape)
    count = int(mask.sum())
    if ENTROPY[coder] == "huffman":
        table = np.frombuffer(section.take((size + 1) // 2), np.uint8)
        lengths = np.stack([table >> 4, table & 15], 1).reshape(-1)
        if lengths[size:].any():
            raise FormatError(f"byte {section.at}: {section.where} has more lengths than centroids")
        indices = HuffmanCode(lengths[:size]).decode(section.rest(), count=count)
    elif ENTROPY[coder] == "ans":
        frequencies = [section.varint(2**16) for _ in range(size)]
        indices = AnsCode(np.array(frequencies, np.int64)).decode(section.rest(), count=count)
    else:
        indices = _unpack(section.rest(), size, count)
    return Coded(codebook, indices, mask, ENTROPY[coder])


class Reader:
    """Reads the bytes from `at` to `end` and nothing else."""

    def __init__(self, data: bytes, at: int, end: int, where: str) -> None:
        self.data, self.at, self.end, self.where = data, at, min(end, len(data)), where

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        if n > self.end - self.at:
            raise FormatError(f"byte {self.at}: {self.where} ends {n - (self.end - self.at)} bytes too early")
        self.at += n
        return self.data[self.at - n : self.at]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.end - self.at)

    def byte(self) -> int:
        """The next byte as a number."""
        return self.take(1)[0]

    def varint(self, most: int) -> int:
        """A whole number in groups of 7 bits, the lowest first; the top bit says that more follow."""
        start, value = self.at, 0
        for place in range(10):
            byte = self.byte()
            value |= (byte & 127) << (7 * place)
            if byte < 128:
                if (byte == 0 and place) or value > most:
                    break
                return value
        raise FormatError(f"byte {start}: {self.where} has a number that is not written shortest, or above {most}")

    def finish(self) -> None:
        """Nothing must be left."""
        if self.at != self.end:
            raise FormatError(f"byte {self.at}: {self.where} has {self.end - self.at} bytes too many")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _little(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()


def _pack(indices: NDArray[Any], size: int) -> bytes:
    """ceil(log2 size) bits for each index, the highest first."""
    bits = max(0, size - 1).bit_length()
    if not bits:
        return b""
    shifts = np.arange(bits - 1, -1, -1)
    return np.packbits((indices.astype(np.int64)[:, None] >> shifts & 1).astype(np.uint8).reshape(-1)).tobytes()


def _unpack(data: bytes, size: int, count: int) -> NDArray[Any]:
    bits = max(0, size - 1).bit_length()
    if (count and not size) or len(data) != (count * bits + 7) // 8:
        raise ValueError(f"{count} indices of {bits} bits do not take {len(data)} bytes")
    kind = np.uint8 if size <= 2**8 else np.uint16
    if not bits:
        return np.zeros(count, kind)
    found = np.unpackbits(np.frombuffer(data, np.uint8))
    if found[count * bits :].any():
        raise ValueError("the bits behind the last index are not 0")
    indices = found[: count * bits].reshape(count, bits).astype(np.int64) @ (1 << np.arange(bits - 1, -1, -1))
    if count and int(indices.max()) >= size:
        raise ValueError(f"an index is {int(indices.max())}, and there are {size} centroids")
    return indices.astype(kind)
