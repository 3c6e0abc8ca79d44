"""A file of finished work, one JSON line for each record: after a stop or a kill it is not done again."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

__all__ = ["Journal", "alone"]

Record = dict[str, Any]


class Journal:
    """Records by their keys; of two with the same key the later counts.

    A line is forced to the disk before `add` returns, and never changed: several processes may write into one journal.
    An incomplete last line, left by a kill or a full disk, is ignored, and the next `add` begins a new one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "journal.jsonl"
    ...     Journal(path).add("a", {"points": 3})
    ...     _ = path.write_bytes(path.read_bytes() + b'{"key": "b", "rec')
    ...     Journal(path).records
    {'a': {'points': 3}}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, Record] = {}
        lines = path.read_bytes().split(b"\n") if path.is_file() else [b""]
        for line in lines[:-1]:  # after the last newline is nothing, or what another process may be just writing
            if (entry := _entry(line)) is not None:
                self.records[entry["key"]] = entry["record"]

    def add(self, key: str, record: Record) -> None:
        """Write a record.

        Raises: TypeError or ValueError for one that is no JSON; OSError where it cannot be written.
        """
        # A single surrogate, which a text from elsewhere may have, is read back as it was.
        line = json.dumps({"key": key, "record": record}, ensure_ascii=False).encode(errors="surrogatepass") + b"\n"
        with _lock(self.path, "writing"), self.path.open("a+b", buffering=0) as file:
            if not _ends_complete(file):
                line = b"\n" + line
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        self.records[key] = record


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Lock a journal: no other process can be in this block for the same path.

    Read the journal inside the block, or records that another process has just added are missed.

    Raises: ValueError where another process holds the lock.
    """
    try:
        with _lock(path, "lock", timeout=0):
            yield
    except Timeout as error:
        raise ValueError(
            f"another process is at work on {path}; wait until it has ended, or take another folder"
        ) from error


def _lock(path: Path, purpose: str, *, timeout: float = -1) -> FileLock:
    """A lock that ends with its process, for all processes that ask for the same path and purpose."""
    return FileLock(path.with_name(f".{path.name}.{purpose}"), timeout=timeout)


def _ends_complete(file: RawIOBase) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _entry(line: bytes) -> Record | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    valid = isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("record"), dict)
    return entry if valid else None
