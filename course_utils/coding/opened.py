"""The file that is read: a path, or a binary file object that can be positioned."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from course_utils.coding.reader import FormatError

__all__ = ["File", "opened"]


@contextmanager
def opened(path: str | os.PathLike[str] | BinaryIO) -> Iterator["File"]:
    """The bytes of a file; one that was opened here is closed afterwards.

    Raises: FormatError for what is no file, or cannot be positioned.
    """
    if not isinstance(path, (str, os.PathLike)):
        yield File(path)
        return
    path = Path(path)
    if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
        raise FormatError(f"{path} is no file, but a folder, a device or a pipe; give the name of a file")
    with path.open("rb") as file:
        yield File(file)


class File:
    """What is left of a binary file object: its bytes are counted from where it was given."""

    def __init__(self, file: BinaryIO) -> None:
        if not (hasattr(file, "read") and hasattr(file, "seekable") and file.seekable()):
            raise FormatError(
                f"a file must be a path, or a binary file object that can be positioned, got {type(file).__name__}; "
                "read it into io.BytesIO first"
            )
        self.file, self.start = file, file.tell()
        self.size = file.seek(0, os.SEEK_END) - self.start
        self.seek(0)

    def seek(self, at: int) -> None:
        """Go to a byte."""
        self.file.seek(self.start + at)

    def read(self, n: int) -> bytes:
        """The next n bytes, or those that are left."""
        return self.file.read(n)

    def fill(self, raw: NDArray[np.uint8]) -> None:
        """Read bytes into an array."""
        if hasattr(self.file, "readinto"):
            self.file.readinto(raw)
        else:
            data = self.file.read(len(raw))
            raw[: len(data)] = np.frombuffer(data, np.uint8)
