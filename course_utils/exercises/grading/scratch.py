"""A folder of the grader's own, for what students' processes read and write on the disk; none is left behind for ever.

Its owner holds a lock in it. The kernel frees the lock of a process that was killed, by which the next grader sees that
the folder is abandoned, and removes it.
"""

import atexit
import os
import shutil
import tempfile
import threading
from functools import cache
from pathlib import Path

__all__ = ["new_folder"]

PREFIX = "course-grading-"
LOCK = "in-use"
MAKING = threading.Lock()


def new_folder(purpose: str) -> Path:
    """A new folder within that of this process, with which it is removed at the latest."""
    with MAKING:
        return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=_own_folder()))


@cache
def _own_folder() -> Path:
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_abandoned(path)
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    _lock_file(path / "new", os.O_CREAT)
    os.rename(path / "new", path / LOCK)  # it has its name only when it is locked, so nobody takes it for abandoned
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _remove_if_abandoned(path: Path) -> None:
    try:
        if path.lstat().st_uid == os.geteuid():  # not somebody else's; and rmtree follows no link
            lock = _lock_file(path / LOCK)
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
    except OSError:  # it is in use, or it has gone
        return


def _lock_file(path: Path, flags: int = 0) -> int:
    """Open a file and lock it until it is closed; BlockingIOError if another process has locked it."""
    import fcntl  # which Windows has not

    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
