"""The file of a compressed network: named arrays, each dense or as positions, codebook and coded indices.

    file     = magic  version  length of the header  header  checksum of the header  sections
    header   = metadata (JSON)  number of arrays  entries
    entry    = name  kind and type  dimensions  length of its section
    section  = its bytes  their checksum

Numbers are little-endian; FORMAT.md in the repository has every byte. Sections follow each other without a gap, and
nothing follows the last.
Files may come from anyone: every length is compared with the bytes that are there, in whole numbers of any size, and
every array with the memory that it may take, before anything is allocated; nothing in a file is executed; `FormatError`
says what is wrong, and where. The same arrays have one file, so what is loaded can be saved to the same bytes.
"""

import math
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from course_utils._support.files import written_atomically
from course_utils.coding.arrays import Coded, Part, coded_section, joint_section, read_coded, read_joint
from course_utils.coding.budget import Budget
from course_utils.coding.codebooks import dense_bytes
from course_utils.coding.metadata import metadata_bytes, parse_metadata
from course_utils.coding.reader import FormatError, Reader, varint

__all__ = ["Coded", "FormatError", "Header", "Part", "layout", "load", "read_header", "save"]

MAGIC, VERSION = b"\x89CUN", 1
KINDS = ("dense", "coded", "joint")
TYPES = ("float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "bool")
MAX_HEADER, MAX_ARRAYS, MAX_NAME, MAX_DIMENSIONS = 2**20, 10_000, 1000, 8
MAX_JOINT = 2**20  # places in joint arrays: each takes some microseconds to read
MAX_LINES = 2**16  # rows and columns of a joint array: each is a context that takes memory
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


def save(
    path: str | os.PathLike[str],
    tensors: Mapping[str, NDArray[Any] | Coded],
    *,
    metadata: dict[str, Any] | None = None,
) -> int:
    """Write arrays and coded arrays under their names, atomically; returns the size of the file in bytes.

    The same input gives the same bytes on every machine. `metadata`: a dictionary that JSON can hold.

    Raises: ValueError for an array of another type than `TYPES`, coded indices that do not fit their codebook, or
    metadata that are no JSON; OSError where the file cannot be written, such as FileNotFoundError without the folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = save(f"{folder}/a.cun", {"w": np.eye(3, dtype="f4")}, metadata={"note": "small"})
    ...     load(f"{folder}/a.cun")["w"].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    content = b"".join(part.data for part in layout(tensors, metadata=metadata))
    with written_atomically(path) as file:
        file.write(content)
    return len(content)


def layout(tensors: Mapping[str, NDArray[Any] | Coded], *, metadata: dict[str, Any] | None = None) -> list[Part]:
    """The bytes that `save` writes, piece by piece, each with its array and what it is.

    Raises: ValueError, as `save`.

    >>> [(part.what, len(part.data)) for part in layout({"w": np.eye(3, dtype="f4")})]
    [('header', 15), ('checksum', 4), ('dense', 36), ('checksum', 4)]
    """
    for name in tensors:
        if not 0 < len(name.encode(errors="replace")) <= MAX_NAME or not _is_text(name):
            raise ValueError(f"a name must be text of 1 to {MAX_NAME} bytes in UTF-8, got {name!r}")
    joint = {name: value for name, value in tensors.items() if isinstance(value, Coded) and value.entropy == "mixed"}
    text = metadata_bytes(metadata)
    header = varint(len(text)) + text + varint(len(tensors))
    sections: list[Part] = []
    rows_before: int | None = None
    for number, (name, value) in enumerate(tensors.items()):
        array = value.codebook if isinstance(value, Coded) else np.asarray(value)
        shape = value.mask.shape if isinstance(value, Coded) else array.shape
        if array.dtype.name not in TYPES or len(shape) > MAX_DIMENSIONS:
            raise ValueError(
                f"{name} must have at most {MAX_DIMENSIONS} dimensions and a type among {', '.join(TYPES)}, "
                f"got {len(shape)} and {array.dtype}; convert it first"
            )
        if _is_too_large(shape):
            raise ValueError(f"{name} has the shape {shape}, and the sizes other than 0 must have a product below 2^59")
        kind = _kind(value)
        header += _name_bytes(name, number)
        header += bytes([KINDS.index(kind) << 4 | TYPES.index(array.dtype.name)])
        header += _shape_bytes(shape, rows_before)
        rows_before = shape[0] if shape else None
        if kind != "joint":
            parts = _section_parts(name, value)
            header += _length(parts)
            sections += [*parts, _checksum(parts)]
    if joint:
        if excess := _excess(value.mask.shape for value in joint.values()):
            raise ValueError(f'entropy="mixed" is for small networks: {excess}; use "ans"')
        parts = joint_section(joint)
        header += _length(parts)
        sections += [*parts, _checksum(parts)]
    if len(tensors) > MAX_ARRAYS or len(header) > MAX_HEADER:
        raise ValueError(f"a file has at most {MAX_ARRAYS:,} arrays and 2^20 bytes of names and metadata")
    start = [Part("", "header", MAGIC + bytes([VERSION]) + varint(len(header)) + header)]
    return [*start, _checksum(start), *sections]


def _kind(value: NDArray[Any] | Coded) -> str:
    """One of KINDS."""
    if not isinstance(value, Coded):
        return "dense"
    return "joint" if value.entropy == "mixed" else "coded"


def _section_parts(name: str, value: NDArray[Any] | Coded) -> list[Part]:
    """The section of an array that has one of its own."""
    if isinstance(value, Coded):
        return coded_section(name, value)
    return [Part(name, "dense", dense_bytes(np.asarray(value)))]


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


def _length(parts: list[Part]) -> bytes:
    return varint(sum(len(part.data) for part in parts))


def _checksum(parts: list[Part]) -> Part:
    return Part(parts[0].array, "checksum", zlib.crc32(b"".join(part.data for part in parts)).to_bytes(4, "little"))


def read_header(path: str | os.PathLike[str]) -> Header:
    """The header of a file, without its arrays.

    Raises: FormatError for a file that is damaged or of another format, or what is no file; OSError where it cannot be
    read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = save(f"{folder}/a.cun", {"w": np.eye(3, dtype="f4")})
    ...     read_header(f"{folder}/a.cun").entries
    (Entry(name='w', kind='dense', dtype='float32', shape=(3, 3), start=19, length=36),)
    """
    with _opened(path) as file:
        return _header(file.read(MAX_HEADER + 32), os.fstat(file.fileno()).st_size)


def load(path: str | os.PathLike[str], *, max_bytes: int = 2**30) -> dict[str, NDArray[Any] | Coded]:
    """The arrays of a file by their names, as they were given to `save`.

    `max_bytes`: how many bytes all arrays together may take in memory: decoded, and as they are read, with masks,
    indices, codebooks and the section that is being read. A file may come from anyone, and a few bytes can stand for
    very many zeros. Reading takes at most 64 MiB more.

    Raises: FormatError for a file that is damaged, of another format, or larger than that, or for what is no file;
    OSError where it cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = save(f"{folder}/a.cun", {"w": np.zeros(1000)})
    ...     load(f"{folder}/a.cun", max_bytes=2**10)
    Traceback (most recent call last):
        ...
    course_utils.coding.reader.FormatError: the arrays take 8,000 bytes, 1,024 are allowed; give a larger max_bytes
    """
    with _opened(path) as file:
        header = _header(file.read(MAX_HEADER + 32), os.fstat(file.fileno()).st_size)
        decoded = sum(entry.decoded_bytes for entry in header.entries)
        if decoded > max_bytes:
            raise FormatError(f"the arrays take {decoded:,} bytes, {max_bytes:,} are allowed; give a larger max_bytes")
        budget = Budget(max_bytes)
        arrays = {entry.name: _array(file, entry, budget) for entry in header.entries if entry.kind != "joint"}
        arrays |= _joint(file, [entry for entry in header.entries if entry.kind == "joint"], budget)
    return {entry.name: arrays[entry.name] for entry in header.entries}


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    path = Path(path)
    if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
        raise FormatError(f"{path} is no file, but a folder, a device or a pipe; give the name of a file")
    return path.open("rb")


def _header(data: bytes, size: int) -> Header:
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
    if _is_too_large(shape):
        raise FormatError(f"byte {at}: {name!r} has the shape {shape}, which no array can have")
    return Entry(name, KINDS[kind], TYPES[dtype], shape, start, 0 if KINDS[kind] == "joint" else body.varint(2**62))


def _is_too_large(shape: tuple[int, ...]) -> bool:
    """Whether no array can have this shape, also where a size is 0: NumPy counts in 63 bits."""
    return math.prod(max(1, n) for n in shape) >= 2**59


def _is_text(name: str) -> bool:
    """Whether all of a name is characters, and none half of one, which UTF-8 cannot hold."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _array(file: BinaryIO, entry: Entry, budget: Budget) -> NDArray[Any] | Coded:
    where = f"array {entry.name!r}"
    if entry.kind == "coded":
        with budget.lend(entry.length, where), _located_errors(section := _section(file, entry, where)):
            return read_coded(section, entry.shape, entry.dtype, budget)
    if entry.length != entry.decoded_bytes:
        raise FormatError(
            f"byte {entry.start}: {where} takes {entry.decoded_bytes} bytes, its section has {entry.length}"
        )
    budget.take(entry.decoded_bytes, where)
    array = np.empty(entry.shape, np.dtype(entry.dtype).newbyteorder("<"))
    raw = array.reshape(-1).view(np.uint8)
    file.seek(entry.start)
    file.readinto(raw)  # type: ignore[attr-defined]
    _check(file, zlib.crc32(raw.data), entry.start + entry.length, where)
    if entry.dtype == "bool" and len(raw) and int(raw.max()) > 1:
        raise FormatError(f"byte {entry.start}: {where} has a truth value that is neither 0 nor 1")
    return array.astype(entry.dtype, copy=False)


def _joint(file: BinaryIO, entries: list[Entry], budget: Budget) -> dict[str, Coded]:
    if not entries:
        return {}
    if excess := _excess(entry.shape for entry in entries):
        raise FormatError(f"the header: joint arrays have {excess}")
    where = "the joint arrays"
    with budget.lend(entries[0].length, where), _located_errors(section := _section(file, entries[0], where)):
        return read_joint(section, {entry.name: (entry.shape, entry.dtype) for entry in entries}, budget)


def _excess(shapes: Iterable[tuple[int, ...]]) -> str:
    """What joint arrays of these shapes have too many of; empty if nothing."""
    places = lines = 0
    for shape in shapes:
        size, rows = math.prod(shape), shape[0] if shape else 1
        places += size
        lines = max(lines, rows + size // max(1, rows))  # the rows and columns of the largest array
    if places > MAX_JOINT:
        return f"{places:,} places, {MAX_JOINT:,} are allowed"
    return f"{lines:,} rows and columns, {MAX_LINES:,} are allowed" if lines > MAX_LINES else ""


def _section(file: BinaryIO, entry: Entry, where: str) -> Reader:
    file.seek(entry.start)
    data = file.read(entry.length)
    _check(file, zlib.crc32(data), entry.start + entry.length, where)
    return Reader(data, 0, entry.length, where, offset=entry.start)


def _check(file: BinaryIO, checksum: int, at: int, where: str) -> None:
    if file.read(4) != checksum.to_bytes(4, "little"):
        raise FormatError(f"byte {at}: the checksum of {where} is wrong; the file is damaged")


@contextmanager
def _located_errors(section: Reader) -> Iterator[None]:
    """Raise the errors of a coder as errors of the format, with the position in the file."""
    try:
        yield
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"{section.place}: {section.where}: {error}") from error
