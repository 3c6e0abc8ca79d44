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
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from course_utils._support.files import written_atomically
from course_utils.coding.arrays import Coded, Part, coded_section, joint_section, read_coded, read_joint
from course_utils.coding.budget import Budget
from course_utils.coding.codebooks import dense_bytes
from course_utils.coding.header import (
    MAGIC,
    MAX_ARRAYS,
    MAX_DIMENSIONS,
    MAX_HEADER,
    MAX_NAME,
    TYPES,
    VERSION,
    Entry,
    Header,
    entry_bytes,
    is_name,
    is_too_large,
    parse_header,
)
from course_utils.coding.metadata import metadata_bytes
from course_utils.coding.opened import File, opened
from course_utils.coding.reader import FormatError, Reader, varint

__all__ = ["Coded", "FormatError", "Header", "Part", "joint_excess", "layout", "load", "read_header", "save"]

MAX_JOINT = 2**20  # places in joint arrays: each takes some microseconds to read
MAX_LINES = 2**16  # rows and columns of a joint array: each is a context that takes memory


def save(
    path: str | os.PathLike[str] | BinaryIO,
    tensors: Mapping[str, NDArray[Any] | Coded],
    *,
    metadata: dict[str, Any] | None = None,
) -> int:
    """Write arrays and coded arrays under their names; returns the size of the file in bytes.

    The same input gives the same bytes on every machine. `path`: where a file is written, atomically; or a binary file
    object, which gets the bytes. `metadata`: a dictionary that JSON can hold.

    Raises: ValueError for an array of another type than `TYPES`, coded indices that do not fit their codebook, or
    metadata that are no JSON; OSError where the file cannot be written, such as FileNotFoundError without the folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = save(f"{folder}/a.cun", {"w": np.eye(3, dtype="f4")}, metadata={"note": "small"})
    ...     load(f"{folder}/a.cun")["w"].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    content = b"".join(part.data for part in layout(tensors, metadata=metadata))
    if isinstance(path, (str, os.PathLike)):
        with written_atomically(path) as file:
            file.write(content)
    else:
        path.write(content)
    return len(content)


def layout(tensors: Mapping[str, NDArray[Any] | Coded], *, metadata: dict[str, Any] | None = None) -> list[Part]:
    """The bytes that `save` writes, piece by piece, each with its array and what it is.

    Raises: ValueError, as `save`.

    >>> [(part.what, len(part.data)) for part in layout({"w": np.eye(3, dtype="f4")})]
    [('header', 15), ('checksum', 4), ('dense', 36), ('checksum', 4)]
    """
    for name in tensors:
        if not is_name(name):
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
        if is_too_large(shape):
            raise ValueError(f"{name} has the shape {shape}, and the sizes other than 0 must have a product below 2^59")
        kind = _kind(value)
        header += entry_bytes(number, name, kind, array.dtype.name, shape, rows_before)
        rows_before = shape[0] if shape else None
        if kind != "joint":
            parts = _section_parts(name, value)
            header += _length(parts)
            sections += [*parts, _checksum(parts)]
    if joint:
        if excess := joint_excess(value.mask.shape for value in joint.values()):
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


def _length(parts: list[Part]) -> bytes:
    return varint(sum(len(part.data) for part in parts))


def _checksum(parts: list[Part]) -> Part:
    return Part(parts[0].array, "checksum", zlib.crc32(b"".join(part.data for part in parts)).to_bytes(4, "little"))


def read_header(path: str | os.PathLike[str] | BinaryIO) -> Header:
    """The header of a file, without its arrays; of a binary file object, which is left where it was.

    Raises: FormatError for a file that is damaged or of another format, or what is no file; OSError where it cannot be
    read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = save(f"{folder}/a.cun", {"w": np.eye(3, dtype="f4")})
    ...     read_header(f"{folder}/a.cun").entries
    (Entry(name='w', kind='dense', dtype='float32', shape=(3, 3), start=19, length=36),)
    """
    with opened(path) as file:
        header = parse_header(file.read(MAX_HEADER + 32), file.size)
        file.seek(0)
    return header


def load(path: str | os.PathLike[str] | BinaryIO, *, max_bytes: int = 2**30) -> dict[str, NDArray[Any] | Coded]:
    """The arrays of a file by their names, as they were given to `save`.

    `path`: of the file; or a binary file object that can be positioned, from where it is to its end. `max_bytes`: how
    many bytes all arrays together may take in memory: decoded, and as they are read, with masks, indices, codebooks and
    the section that is being read. A file may come from anyone, and a few bytes can stand for very many zeros. Reading
    takes at most 64 MiB more.

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
    with opened(path) as file:
        header = parse_header(file.read(MAX_HEADER + 32), file.size)
        decoded = sum(entry.decoded_bytes for entry in header.entries)
        if decoded > max_bytes:
            raise FormatError(f"the arrays take {decoded:,} bytes, {max_bytes:,} are allowed; give a larger max_bytes")
        budget = Budget(max_bytes)
        arrays = {entry.name: _array(file, entry, budget) for entry in header.entries if entry.kind != "joint"}
        arrays |= _joint(file, [entry for entry in header.entries if entry.kind == "joint"], budget)
    return {entry.name: arrays[entry.name] for entry in header.entries}


def _array(file: File, entry: Entry, budget: Budget) -> NDArray[Any] | Coded:
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
    file.fill(raw)
    _check(file, zlib.crc32(raw.data), entry.start + entry.length, where)
    if entry.dtype == "bool" and len(raw) and int(raw.max()) > 1:
        raise FormatError(f"byte {entry.start}: {where} has a truth value that is neither 0 nor 1")
    return array.astype(entry.dtype, copy=False)


def _joint(file: File, entries: list[Entry], budget: Budget) -> dict[str, Coded]:
    if not entries:
        return {}
    if excess := joint_excess(entry.shape for entry in entries):
        raise FormatError(f"the header: joint arrays have {excess}")
    where = "the joint arrays"
    with budget.lend(entries[0].length, where), _located_errors(section := _section(file, entries[0], where)):
        return read_joint(section, {entry.name: (entry.shape, entry.dtype) for entry in entries}, budget)


def joint_excess(shapes: Iterable[tuple[int, ...]]) -> str:
    """What joint arrays of these shapes have too many of; empty if nothing."""
    places = lines = 0
    for shape in shapes:
        size, rows = math.prod(shape), shape[0] if shape else 1
        places += size
        lines = max(lines, rows + size // max(1, rows))  # the rows and columns of the largest array
    if places > MAX_JOINT:
        return f"{places:,} places, {MAX_JOINT:,} are allowed"
    return f"{lines:,} rows and columns, {MAX_LINES:,} are allowed" if lines > MAX_LINES else ""


def _section(file: File, entry: Entry, where: str) -> Reader:
    file.seek(entry.start)
    data = file.read(entry.length)
    _check(file, zlib.crc32(data), entry.start + entry.length, where)
    return Reader(data, 0, entry.length, where, offset=entry.start)


def _check(file: File, checksum: int, at: int, where: str) -> None:
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
