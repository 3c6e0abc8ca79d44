"""The files that a learning platform gives, from a folder or a zip file, with zip files in it to any reasonable depth.

Nothing is unpacked to disk, no link is followed, and no more is unpacked than a class can have sent.
"""

import io
import os
import re
import stat
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["MOST_DEPTH", "Entry", "entries"]

MOST_BYTES = 20_000_000  # of one file
MOST_PACKED = 1_000_000_000  # of a zip file in the folder: it is read as a whole
MOST_FOLDERS = 20  # within each other
MOST_IN_ALL = 4_000_000_000  # unpacked from zip files, over all students
MOST_FILES = 20_000  # in one zip file
# What one zip file may unpack to, with all that lie in it: so much, and in proportion to its own size. Notebooks shrink
# to a fifth or so, a bomb to a thousandth.
FREE_BYTES, BYTES_PER_BYTE = 100_000_000, 10
FREE_FILES, BYTES_PER_FILE = 2_000, 500
MOST_DEPTH = 4  # of zip files in zip files
JUNK = re.compile(r"(^|/)((__MACOSX|\.ipynb_checkpoints)(/|$)|(\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)$)")
LONGEST_PATH = 1_000  # characters, in a zip file
DRIVE = re.compile(r"^[A-Za-z]:(?=/)")
OTHER_ARCHIVES = (".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")
HEADER = b"PK\x01\x02"  # before each file in the list at the end of a zip file
END, LONGEST_END = b"PK\x05\x06", 22 + 65_535  # the last record of a zip file, and its length with a comment
ENCRYPTED = 0x1  # a flag of a file in a zip file
ZIP_UTF8 = 0x800  # a flag of a file in a zip file: its name is in UTF-8


@dataclass(frozen=True)
class Entry:
    """A file, or the reason why it cannot be read; `parts`: its path, names of zip files included."""

    parts: tuple[str, ...]
    content: bytes = b""
    problem: str = ""
    time: float = 0.0

    @property
    def path(self) -> str:
        """For people; characters that no file could be written with become question marks."""
        return "/".join(self.parts).encode("utf-8", "replace").decode()

    @property
    def is_notebook(self) -> bool:
        """Whether its name is that of a notebook."""
        return _ends_with(self.parts, ".ipynb")


class Allowance:
    """What may still be unpacked of a zip file, and of the one in which it lies."""

    def __init__(self, size: int, files: int, outer: "Allowance | None" = None) -> None:
        self.size, self.files, self.outer = size, files, outer

    def within(self, packed: int) -> "Allowance":
        """That of a zip file of `packed` bytes, taken from this one too."""
        return Allowance(FREE_BYTES + BYTES_PER_BYTE * packed, FREE_FILES + packed // BYTES_PER_FILE, self)

    @property
    def bytes_left(self) -> int:
        """The most that a file may have."""
        return self.size if self.outer is None else min(self.size, self.outer.bytes_left)

    def take(self, size: int, files: int) -> str:
        """Count what is unpacked; says what is too much."""
        self.size -= size
        self.files -= files
        if self.files < 0:
            return "was not opened: the zip file and those in it hold too many files for their size"
        if self.size < 0:
            return "was not unpacked: the zip file and those in it hold too many bytes for their size"
        return self.outer.take(size, files) if self.outer else ""


def entries(source: Path) -> Iterator[Entry]:
    """The files in a folder or a zip file, except those that an operating system or Jupyter has added."""
    left = Allowance(MOST_IN_ALL, MOST_IN_ALL // BYTES_PER_FILE)
    if source.is_file():
        inside = () if _is_zip((source.name,)) else (source.name,)
        yield from _unpacked(Entry(inside, source.read_bytes(), time=source.stat().st_mtime), 0, left)
        return
    unreadable: list[OSError] = []
    for folder, folders, names in os.walk(source, onerror=unreadable.append):
        folders.sort()
        here = Path(folder)
        if len(here.relative_to(source).parts) == MOST_FOLDERS:
            yield Entry(_below(source, here), problem=f"is {MOST_FOLDERS} folders deep, and was not opened")
            folders.clear()
            continue
        for name in sorted(names + [f for f in folders if Path(folder, f).is_symlink()]):
            path = here / name
            parts = _below(source, path)
            if not JUNK.search("/".join(parts)):
                yield from _on_disk(path, parts, left)
    for problem in unreadable:
        parts = Path(problem.filename).relative_to(source).parts
        yield Entry(parts, problem=f"is a folder that cannot be read: {problem.strerror}")


def _on_disk(path: Path, parts: tuple[str, ...], left: Allowance) -> Iterator[Entry]:
    try:
        about = path.lstat()
    except OSError as problem:
        yield Entry(parts, problem=f"cannot be read: {problem.strerror}")
        return
    if not stat.S_ISREG(about.st_mode):
        yield Entry(parts, problem="is a link or no ordinary file, and was not followed")
    elif about.st_size > (most := MOST_PACKED if _is_zip(parts) else MOST_BYTES):
        yield Entry(parts, problem=_too_large(about.st_size, most))
    elif not _is_read(parts):
        yield Entry(parts, problem=_of_another_kind(parts), time=about.st_mtime)
    else:
        try:
            content = path.read_bytes()
        except OSError as problem:
            yield Entry(parts, problem=f"cannot be read: {problem.strerror}")
            return
        yield from _unpacked(Entry(parts, content, time=about.st_mtime), 0, left)


def _below(source: Path, path: Path) -> tuple[str, ...]:
    return _parts(os.fsencode(path.relative_to(source).as_posix()).decode("utf-8", "surrogateescape"))


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path: the same from a folder and from a zip file, on each system and in each language of it.

    What leads elsewhere, a root or a step upwards, is left out. macOS has other forms of the same letters.
    """
    parts = PurePosixPath(unicodedata.normalize("NFC", path)).parts
    return tuple(part for part in parts if part not in ("/", "//", "..", "."))


def _ends_with(parts: tuple[str, ...], ending: str) -> bool:
    return bool(parts) and parts[-1].lower().rstrip(" .").endswith(ending)  # Windows leaves out what comes after it


def _is_zip(parts: tuple[str, ...]) -> bool:
    return _ends_with(parts, ".zip")


def _is_read(parts: tuple[str, ...]) -> bool:
    """Whether what a file holds matters: of others the names are enough."""
    return _is_zip(parts) or _ends_with(parts, ".ipynb")


def _of_another_kind(parts: tuple[str, ...]) -> str:
    """Why a file may hold what is missed: it is an archive, and no zip file."""
    return (
        "is an archive that is not opened; ask for the .ipynb, or a .zip"
        if parts[-1].lower().endswith(OTHER_ARCHIVES)
        else ""
    )


def _too_large(size: int, most: int = MOST_BYTES) -> str:
    return f"has {size / 1e6:,.0f} MB, and {most / 1e6:,.0f} MB are read; ask for it with all outputs cleared"


def _unpacked(entry: Entry, depth: int, left: Allowance) -> Iterator[Entry]:
    """A file itself, or the files in it if it is a zip file."""
    if not (_is_zip(entry.parts) or (not entry.parts and entry.content[:2] == b"PK")):
        yield entry
        return
    if depth == MOST_DEPTH:
        yield Entry(entry.parts, problem=f"is a zip file {MOST_DEPTH} zip files deep, and was not opened")
        return
    if (files := _listed(entry.content)) > MOST_FILES:  # for each of them zipfile would make an object
        yield Entry(entry.parts, problem=f"holds {files:,} files, and was not opened")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(entry.content)) as archive:
            infos = [info for info in archive.infolist() if not (_name(info).endswith("/") or JUNK.search(_name(info)))]
            allowance = left.within(len(entry.content))
            if too_much := allowance.take(0, len(infos)):
                yield Entry(entry.parts, problem=too_much)
                return
            for info in infos:
                yield from _member(archive, info, entry, depth, allowance)
            if not infos:
                yield Entry(entry.parts, problem="is an empty zip file")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as problem:
        yield Entry(entry.parts, problem=f"is a damaged zip file: {problem}")


def _listed(content: bytes) -> int:
    """How many files the list at the end of a zip file names; what lies in its files, other lists too, does not count.

    >>> _listed(b"PK\\x01\\x02" * 3)
    0
    """
    end = content.rfind(END, max(0, len(content) - LONGEST_END))
    if end < 0 or len(content) < end + 16:
        return 0  # no zip file: zipfile will say so
    size = int.from_bytes(content[end + 12 : end + 16], "little")  # all ones where it has more than four gigabytes
    return content.count(HEADER, max(0, end - size), end)


def _name(info: zipfile.ZipInfo) -> str:
    """The path of a file in a zip file, which ends in a slash for a folder.

    macOS writes UTF-8 without the flag for it, and zipfile reads code page 437; Windows may write drives and
    backslashes.
    """
    name = info.filename
    if not info.flag_bits & ZIP_UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return DRIVE.sub("", name.replace("\\", "/"))


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry, depth: int, left: Allowance
) -> Iterator[Entry]:
    name = _name(info)
    parts = (*entry.parts, *_parts(name[:LONGEST_PATH]))
    if len(name) > LONGEST_PATH:
        yield Entry(parts, problem=f"has a name of {len(name):,} letters, and was not opened; ask for a shorter one")
        return
    limit = min(MOST_IN_ALL if _is_zip(parts) else MOST_BYTES, left.bytes_left)
    if stat.S_ISLNK(info.external_attr >> 16):
        yield Entry(parts, problem="is a link or no ordinary file, and was not followed")
        return
    if not _is_read(parts):
        yield Entry(parts, problem=_of_another_kind(parts))
        return
    if info.flag_bits & ENCRYPTED:
        yield Entry(parts, problem="is encrypted, and was not opened; ask for it without a password")
        return
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Of bzip2 and LZMA `read(limit)` unpacks more than the limit; their errors are not those of zip files either.
        yield Entry(parts, problem="is packed by another method than deflate, and was not opened; ask for it as .ipynb")
        return
    try:
        with archive.open(info) as file:
            content = file.read(limit + 1)  # what the header says of the size may be wrong
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as problem:
        yield Entry(parts, problem=f"cannot be unpacked: {problem}")
        return
    if too_much := left.take(len(content), 0):
        yield Entry(parts, problem=too_much)
    elif len(content) > limit:
        yield Entry(parts, problem=_too_large(max(info.file_size, len(content))))
    else:
        stamp = time.mktime((*info.date_time, 0, 0, -1))
        yield from _unpacked(Entry(parts, content, time=stamp), depth + 1, left)
