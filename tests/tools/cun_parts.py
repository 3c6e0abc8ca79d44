"""A `.cun` file taken apart into metadata, entries and sections, and put together with right lengths and checksums."""

import zlib
from dataclasses import dataclass, replace

from course_utils.coding.reader import Reader, varint

MAGIC = b"\x89CUN\x01"


@dataclass(frozen=True)
class Entry:
    """An array: its name, its kind and type, its sizes or that they are the rows of the array before, its section."""

    name: bytes
    kind: int
    shape: tuple[int, ...]
    like_the_rows: bool
    section: bytes


@dataclass(frozen=True)
class Parts:
    """A file, taken apart."""

    metadata: bytes
    entries: tuple[Entry, ...]
    joint: bytes

    @classmethod
    def of(cls, content: bytes) -> "Parts":
        """The parts of a right file."""
        start = Reader(content, 5, len(content), "file")
        length = start.varint(2**20)
        header = Reader(content, start.at, start.at + length, "header")
        metadata = bytes(header.take(header.varint(2**20)))
        entries, lengths = [], []
        for _ in range(header.varint(10_000)):
            name, kind, dimensions = bytes(header.take(header.varint(1000))), header.byte(), header.varint(9)
            shape = tuple(header.varint(2**62) for _ in range(dimensions % 9))
            entries.append(Entry(name, kind, shape, dimensions == 9, b""))
            lengths.append(0 if kind >> 4 == 2 else header.varint(2**62))
        joint = header.varint(2**62) if any(entry.kind >> 4 == 2 for entry in entries) else 0
        body = Reader(content, header.end + 4, len(content), "sections")
        for i, entry in enumerate(entries):
            if entry.kind >> 4 != 2:
                entries[i] = replace(entry, section=bytes(body.take(lengths[i])))
                body.take(4)
        return cls(metadata, tuple(entries), bytes(body.take(joint)))

    def joined(self) -> bytes:
        """The file of these parts, with right lengths and checksums."""
        header, sections = varint(len(self.metadata)) + self.metadata + varint(len(self.entries)), b""
        for entry in self.entries:
            shape = b"\x09" if entry.like_the_rows else varint(len(entry.shape)) + b"".join(map(varint, entry.shape))
            header += varint(len(entry.name)) + entry.name + bytes([entry.kind]) + shape
            if entry.kind >> 4 != 2:
                header += varint(len(entry.section))
                sections += with_checksum(entry.section)
        if any(entry.kind >> 4 == 2 for entry in self.entries):
            header += varint(len(self.joint))
            sections += with_checksum(self.joint)
        return with_checksum(MAGIC + varint(len(header)) + header) + sections


def with_checksum(data: bytes) -> bytes:
    return data + zlib.crc32(data).to_bytes(4, "little")
