"""Files that are complete or not there, and private folders; what killed processes leave of both is cleared away."""

import os
import platform
import re
import shutil
import stat
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["staging", "written_atomically"]

MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"  # machines may share a folder, and their process ids differ
OWNER = r"-(?P<machine>[0-9a-f]{8})-(?P<process>\d{1,9})"  # in the name of a draft or of a staging folder
LONGEST = 180  # bytes of a name that its draft repeats: file systems allow 255 in all
WINDOWS = os.name == "nt"
RESERVED = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)\s*(\..*)?|.*[<>:\"|?*\x00-\x1f].*|.*[. ]", re.IGNORECASE | re.DOTALL
)
DAY = 24 * 3600  # seconds; nothing is written for so long, so what is older has no owner


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block has ended without an error.

    The bytes go into a draft in the same folder, are forced to the disk, and replace `path` in one step. On an error
    the draft is removed and an older file under `path` stays as it was. A process that is killed leaves its draft, and
    the next one that writes `path` removes it. A symbolic link stays, and its target is written; a file that is
    replaced leaves its permissions and its owner to the new one; other names of it (hard links) keep the old bytes.

    Raises: FileNotFoundError if the folder does not exist; FileExistsError for a folder, a device or a pipe;
    PermissionError for a file or a folder that is read-only; ValueError for a name that Windows keeps for devices or
    does not allow, there; whatever the block raises.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_atomically(Path(folder) / "a.bin") as file:
    ...         written = file.write(b"abc")
    ...     (Path(folder) / "a.bin").read_bytes()
    b'abc'
    """
    path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))  # which ends with an error in no case, also not for links in a circle
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} of {path.name} does not exist; make it first")
    if WINDOWS and RESERVED.fullmatch(path.name):
        raise ValueError(f"{path.name} cannot be the name of a file on Windows; give another one")
    replaced = _replaceable(path)
    name = path.name if len(os.fsencode(path.name)) <= LONGEST else f"{zlib.crc32(os.fsencode(path.name)):08x}"
    _clear_stale(path.parent, re.escape(f".{name}") + OWNER + r"(?:-t\d+)?")
    draft = path.with_name(f".{name}-{_owner()}-t{threading.get_ident()}")
    with _said_of(path):
        opened = draft.open("wb")
    try:
        with opened as file:
            if replaced is not None:
                # Before the bytes, so that nobody reads in the draft what they may not in the file.
                _take_over(draft, replaced)
            yield file
            file.flush()
            os.fsync(file.fileno())
        with _said_of(path):
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def staging(folder: Path, name: str) -> Iterator[Path]:
    """A new private folder inside `folder`, which is made if it does not exist; it is removed when the block ends.

    What is finished in it takes its final name by a rename, since both are on one file system. A process that is killed
    leaves its staging folder, and the next call removes it.

    Raises: OSError where no folder can be made; whatever the block raises.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with staging(Path(folder), "digits") as private:
    ...         _ = (private / "part").write_bytes(b"abc")
    ...     list(Path(folder).iterdir())
    []
    """
    folder.mkdir(parents=True, exist_ok=True)
    _clear_stale(folder, rf"\.staging-.*?({OWNER}-[^-]+)?")
    private = Path(tempfile.mkdtemp(prefix=f".staging-{name}-{_owner()}-", dir=folder))
    try:
        yield private
    finally:
        shutil.rmtree(private, ignore_errors=True)


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """Let an error say which file was to be written, and what to do, in the place of the name of its draft."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise type(error)(
            f"{path} cannot be written: {reason}; give another place, or make its folder writable"
        ) from error


def _take_over(draft: Path, replaced: os.stat_result) -> None:
    """Give a draft the owner, as far as one may, and the permissions of the file that it replaces."""
    if not WINDOWS:
        with suppress(PermissionError):
            os.chown(draft, replaced.st_uid, replaced.st_gid)
    draft.chmod(stat.S_IMODE(replaced.st_mode))


def _replaceable(path: Path) -> os.stat_result | None:
    """What is known of the file under `path`, None if there is none; an error for what no file may replace."""
    try:
        about = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(about.st_mode):
        kind = "a folder" if stat.S_ISDIR(about.st_mode) else "no ordinary file, but a device, a pipe or a link"
        raise FileExistsError(f"{path} is {kind}, which nothing is written over; give another name")
    if not about.st_mode & 0o222:  # asked of the file, since an administrator may write to any
        raise PermissionError(f"{path} is read-only; make it writable, or give another name")
    return about


def _owner() -> str:
    return f"{MACHINE}-{os.getpid()}"


def _clear_stale(folder: Path, pattern: str) -> None:
    """Remove what is stale in `folder` among the names of a pattern with OWNER; what cannot be removed stays."""
    with suppress(OSError):
        for path in folder.iterdir():
            if name := re.fullmatch(pattern, path.name):
                with suppress(OSError):  # another process was faster, or, on Windows, a draft is still being written
                    if _is_stale(path, name["machine"], name["process"]):
                        _remove(path)


def _is_stale(path: Path, machine: str | None, process: str) -> bool:
    """Whether no process can still be writing a draft or into a staging folder, as far as can be known."""
    last_change = max(part.stat().st_mtime for part in (path, *path.rglob("*")))
    if time.time() - last_change > DAY:
        return True
    if machine != MACHINE:
        return False
    if WINDOWS:  # where signal 0 would end the process, but no file can be removed that a process has open
        return path.is_file()
    return not _is_running(int(process))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing, but fails where there is no such process
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it is another user's
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
