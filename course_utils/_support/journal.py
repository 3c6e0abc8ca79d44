"""A file of finished pieces of work, one JSON line each: what stands there is not done again after a stop or a kill."""

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
    """Records by their keys; of two with one key the later counts.

    A line is forced to the disk before `add` returns. A last line that a kill has torn is ignored and written over.

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
        whole = 0
        content = path.read_bytes() if path.is_file() else b""
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            entry = _entry(line)
            if entry is not None:
                self.records[entry["key"]] = entry["record"]
        self._torn_at = whole if whole < len(content) else None  # cut off when something is added, not by a reader

    def add(self, key: str, record: Record) -> None:
        """Keep a record."""
        line = json.dumps({"key": key, "record": record}, ensure_ascii=False) + "\n"
        with self.path.open("ab") as file:
            if self._torn_at is not None:
                file.truncate(self._torn_at)
                self._torn_at = None
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self.records[key] = record


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from the same work: inside of the block none can enter one for the same journal.

    Read the journal inside of it, or what another process has just finished is missed. Raises: ValueError where another
    one is in.
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
    known = isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("record"), dict)
    return entry if known else None
