"""The header of a file: its metadata, and of each array the name, the kind, the type, the shape and the section."""

import math
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from course_utils.coding.metadata import parse_metadata
from course_utils.coding.reader import FormatError, Reader, varint

__all__ = [
    "KINDS",
    "MAGIC",
    "MAX_ARRAYS",
    "MAX_DIMENSIONS",
    "MAX_HEADER",
    "MAX_NAME",
    "TYPES",
    "VERSION",
    "Entry",
    "Header",
    "entry_bytes",
    "is_name",
    "is_too_large",
    "parse_header",
]

MAGIC, VERSION = b"\x89CUN", 1
KINDS = ("dense", "coded", "joint")
TYPES = ("float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "bool")
MAX_HEADER, MAX_ARRAYS, MAX_NAME, MAX_DIMENSIONS = 2**20, 10_000, 1000, 8
LIKE_THE_ROWS = MAX_DIMENSIONS + 1  # in place of the number of dimensions: (n,), for the n rows of the array before


@dataclass(frozen=True)
class Entry:
    """What the header says of an array, and where its section lies in the file; joint arrays share one."""

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    length: int

    @property
    def decoded_bytes(self) -> int:
        """The bytes of the array in memory, decoded."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Header:
    """The start of a file: `metadata`, the `entries`, and `length`, how many bytes it takes."""

    metadata: dict[str, Any]
    entries: tuple[Entry, ...]
    length: int


def entry_bytes(
    number: int, name: str, kind: str, dtype: str, shape: tuple[int, ...], rows_before: int | None
) -> bytes:
    """The entry of array `number`, but for the length of its section; `rows_before`: of the array before, if any.

    >>> entry_bytes(1, "w", "dense", "float32", (3, 3), None)
    b'\\x01w\\x00\\x02\\x03\\x03'
    """
    kind_and_type = bytes([KINDS.index(kind) << 4 | TYPES.index(dtype)])
    return _name_bytes(name, number) + kind_and_type + _shape_bytes(shape, rows_before)


def _name_bytes(name: str, number: int) -> bytes:
    """The length of the name and the name; a name that is the number of its entry takes no more than the length 0."""
    if name == str(number):
        return varint(0)
    return varint(len(name.encode())) + name.encode()


def _shape_bytes(shape: tuple[int, ...], rows_before: int | None) -> bytes:
    """The number of dimensions, and each of them; one byte for a vector as long as the array before has rows."""
    if shape == (rows_before,):
        return bytes([LIKE_THE_ROWS])
    return bytes([len(shape)]) + b"".join(map(varint, shape))


def parse_header(data: bytes, size: int) -> Header:
    """The header at the start of a file of `size` bytes.

    Raises: FormatError for one that is damaged or of another format, or that a file of that size cannot have.

    >>> parse_header(b"PK", 2)
    Traceback (most recent call last):
        ...
    course_utils.coding.reader.FormatError: byte 0: the header ends 2 bytes too early
    """
    reader = Reader(data, 0, len(data), "the header")
    if (magic := bytes(reader.take(4))) != MAGIC:
        raise FormatError(
            f"byte 0: this is not the file of a compressed network, which starts with {MAGIC.hex()}; it starts with "
            f"{magic.hex()}"
        )
    if (version := reader.byte()) != VERSION:
        raise FormatError(
            f"byte 4: the file has version {version}, and this library reads version {VERSION}; update it"
        )
    length = reader.varint(MAX_HEADER)
    begin = reader.at
    body = Reader(data, begin, begin + len(reader.take(length)), "the header")
    end = reader.at
    if reader.take(4) != zlib.crc32(data[:end]).to_bytes(4, "little"):
        raise FormatError(f"byte {end}: the checksum of the header is wrong; the file is damaged")
    metadata = _metadata(body)
    entries: list[Entry] = []
    at = reader.at
    for number in range(body.varint(MAX_ARRAYS)):
        entry = _entry(body, at, number, entries[-1] if entries else None)
        at += entry.length + 4 if entry.kind != "joint" else 0
        entries.append(entry)
    if any(entry.kind == "joint" for entry in entries):
        shared = body.varint(2**62)
        entries = [replace(e, start=at, length=shared) if e.kind == "joint" else e for e in entries]
        at += shared + 4
    body.finish()
    if len({entry.name for entry in entries}) < len(entries):
        raise FormatError("the header: two arrays have one name")
    if at != size:
        raise FormatError(f"the sections end at byte {at}, and the file at byte {size}; it is damaged or cut off")
    return Header(metadata, tuple(entries), reader.at)


def _metadata(body: Reader) -> dict[str, Any]:
    at = body.at
    raw = bytes(body.take(body.varint(MAX_HEADER)))
    try:
        return parse_metadata(raw)
    except ValueError as error:
        raise FormatError(f"byte {at}: {error}") from error


def _entry(body: Reader, start: int, number: int, before: Entry | None) -> Entry:
    at = body.at
    try:
        name = bytes(body.take(body.varint(MAX_NAME))).decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"byte {at}: a name is not UTF-8") from error
    if name == str(number):
        raise FormatError(f"byte {at}: the name of array {number} is its number, which takes no bytes")
    name = name or str(number)
    kind, dtype = divmod(body.byte(), 16)
    if kind >= len(KINDS) or dtype >= len(TYPES):
        raise FormatError(f"{body.place}: no kind {kind}, or no type {dtype}")
    dimensions = body.varint(LIKE_THE_ROWS)
    if dimensions < LIKE_THE_ROWS:
        shape = tuple(body.varint(2**62) for _ in range(dimensions))
    elif before is not None and before.shape:
        shape = before.shape[:1]
    else:
        raise FormatError(f"byte {at}: {name!r} is as long as the array before has rows, and there is none with rows")
    if dimensions == 1 and before is not None and shape == before.shape[:1]:
        raise FormatError(f"byte {at}: {name!r} is as long as the array before has rows, which takes one byte")
    if is_too_large(shape):
        raise FormatError(f"byte {at}: {name!r} has the shape {shape}, which no array can have")
    return Entry(name, KINDS[kind], TYPES[dtype], shape, start, 0 if KINDS[kind] == "joint" else body.varint(2**62))


def is_too_large(shape: tuple[int, ...]) -> bool:
    """Whether no array can have this shape, also where a size is 0: NumPy counts in 63 bits."""
    return math.prod(max(1, n) for n in shape) >= 2**59


def is_name(name: str) -> bool:
    """Whether an array can be called so: characters, and none half of one, which UTF-8 cannot hold; not too many."""
    whole = not any("\ud800" <= character <= "\udfff" for character in name)
    return whole and 0 < len(name.encode()) <= MAX_NAME
