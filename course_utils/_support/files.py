"""Files that are whole or not there: whoever is killed while writing leaves the old file, or none."""

import os
import platform
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["written_atomically"]

MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"  # a folder may be shared by several, whose process ids differ
DAY = 24 * 3600  # seconds; no draft is written for so long


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block has ended without an error.

    The bytes go into a draft in the same folder, are forced to the disk, and replace `path` in one step. On an error
    the draft is removed and an older file under `path` stays as it was. A process that is killed leaves its draft, and
    the next one that writes `path` removes it.

    Raises: FileNotFoundError if the folder does not exist; whatever the block raises.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_atomically(Path(folder) / "a.bin") as file:
    ...         written = file.write(b"abc")
    ...     (Path(folder) / "a.bin").read_bytes()
    b'abc'
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} of {path.name} does not exist; make it first")
    draft = path.with_name(f".{path.name}-{MACHINE}-{os.getpid()}")
    _remove_abandoned(path)
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove the drafts of `path` whose processes were killed; what cannot be looked at or removed stays."""
    name = re.compile(re.escape(f".{path.name}-") + r"([0-9a-f]{8})-(\d+)")
    with suppress(OSError):
        for other in path.parent.iterdir():
            with suppress(OSError):  # somebody else was faster, or, on Windows, the draft is still being written
                if (parts := name.fullmatch(other.name)) and _abandoned(other, parts[1], int(parts[2])):
                    other.unlink()


def _abandoned(draft: Path, machine: str, process: int) -> bool:
    """Whether the process that began a draft is no longer there, as far as one can know."""
    if time.time() - draft.stat().st_mtime > DAY:
        return True
    if machine != MACHINE:
        return False
    if os.name == "nt":
        return True  # where a file that somebody has open cannot be removed
    try:
        os.kill(process, 0)  # sends nothing, but fails where there is no such process
    except ProcessLookupError:
        return True
    return False  # a PermissionError is left to the caller: the process is there, and somebody else's
