"""A file of finished work, one JSON line for each record: after a stop or a kill it is not done again."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

__all__ = ["Journal", "alone"]

Record = dict[str, Any]


class Journal:
    """Records by their keys; of two with the same key the later counts.

    A line is forced to the disk before `add` returns. An incomplete last line, left by a kill, is ignored, and the next
    `add` writes over it.

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
        complete = 0  # bytes of the lines that end
        content = path.read_bytes() if path.is_file() else b""
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            complete += len(line)
            entry = _entry(line)
            if entry is not None:
                self.records[entry["key"]] = entry["record"]
        # Cut off by `add` alone: another process may be writing the line at this moment.
        self._incomplete_at = complete if complete < len(content) else None

    def add(self, key: str, record: Record) -> None:
        """Write a record."""
        line = json.dumps({"key": key, "record": record}, ensure_ascii=False) + "\n"
        with self.path.open("ab") as file:
            if self._incomplete_at is not None:
                file.truncate(self._incomplete_at)
                self._incomplete_at = None
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self.records[key] = record


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Lock a journal: no other process can be in this block for the same path.

    Read the journal inside the block, or records that another process has just added are missed.

    Raises: ValueError where another process holds the lock.
    """
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=0):
            yield
    except Timeout as error:
        raise ValueError(
            f"another process is at work on {path}; wait until it has ended, or take another folder"
        ) from error


def _entry(line: bytes) -> Record | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    valid = isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("record"), dict)
    return entry if valid else None
