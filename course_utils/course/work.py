"""A reader's own notebooks as one file: to download before a borrowed machine goes away, and to take up again.

Binder ends a session after ten idle minutes, with all that lies on its disk; what is packed here leaves in time. What
is unpacked may come from anywhere, so nothing in it can write outside of the course's folder or over other work.
"""

import io
import json
import subprocess
import time
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from course_utils._support.files import written_atomically
from course_utils._support.paths import PACKAGE

__all__ = ["Taken", "beside", "changed_notebooks", "pack", "texts", "unpack"]

ARRIVAL = 60  # seconds within which all files of a fresh copy have come
MOST_FILES, MOST_BYTES = 200, 50_000_000  # of a file that is taken up; a notebook of the course has 0.6 MB at most


class Taken(NamedTuple):
    """A notebook that was taken up: its name in the file, and the path that it was written to."""

    name: str
    path: Path


def changed_notebooks(folder: Path) -> list[Path]:
    """The notebooks in `folder` and its folders that were written after the copy of the course had come."""
    found = [
        p for p in folder.rglob("*.ipynb") if not any(part.startswith(".") for part in p.relative_to(folder).parts)
    ]
    if not found:
        return []
    # The package comes with the notebooks, and no reader writes to it.
    came = min([(PACKAGE / "__init__.py").stat().st_mtime, *(path.stat().st_mtime for path in found)])
    return sorted(path for path in found if path.stat().st_mtime > came + ARRIVAL)


def pack(paths: Iterable[Path], folder: Path) -> bytes:
    """A zip file of these notebooks under their paths in `folder`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            stamp = time.localtime(path.stat().st_mtime)[:6]
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), max(stamp, (1980, 1, 1, 0, 0, 0)))
            archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path, *, name: str = "work.zip") -> list[Taken]:
    """Write the notebooks of a file that `pack` has made, or of a single notebook, into `folder`.

    A notebook that is there and that the reader has worked on, more than to run it, is not overwritten: what is taken
    up goes beside it.
    `name`: of the file; of a single notebook it is the name that it gets.

    Raises: ValueError for what is neither, or leads out of the folder, or is too large; then nothing is written.
    """
    found = _read(data, name)
    if not found:
        raise ValueError(f"{name} holds no notebook; choose the file that Download has given")
    for notebook, content in found.items():
        _check(notebook, content, folder)
    working = set(changed_notebooks(folder))
    taken = []
    for notebook, content in found.items():
        path = folder / notebook
        if path.exists() and path.read_bytes() != content and path in working and not _only_run(path):
            path = beside(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(path) as file:
            file.write(content)
        taken.append(Taken(notebook, path))
    return taken


def _read(data: bytes, name: str) -> dict[str, bytes]:
    """The notebooks in a file by their names, with no more bytes than are allowed."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"{name} has {len(data):,} bytes, and at most {MOST_BYTES:,} are taken up")
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return {PurePosixPath(name.replace("\\", "/")).name: data}
    found, left = {}, MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MOST_FILES:
                raise ValueError(f"{name} holds {len(entries)} files, and at most {MOST_FILES} are taken up")
            for entry in entries:
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError(f"{name} is packed in a way that is not taken up; pack it as an ordinary zip file")
                with archive.open(entry) as file:
                    content = file.read(left + 1)  # what the header says of the size may be wrong
                left -= len(content)
                if left < 0:
                    raise ValueError(f"{name} unpacks to more than {MOST_BYTES:,} bytes")
                found[entry.filename] = content
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as problem:
        raise ValueError(f"{name} is a damaged zip file: {problem}") from problem
    return found


def _check(name: str, content: bytes, folder: Path) -> None:
    """Refuse what is no notebook, or would be written to another place than below `folder`."""
    parts = PurePosixPath(name).parts
    bad = name.startswith("/") or any(part in ("..", "/") or part.startswith(".") for part in parts)
    if bad or any(letter in name for letter in '\\:*?"<>|\0') or not name.endswith(".ipynb") or len(name) > 200:
        raise ValueError(f"{name!r} is no name of a notebook of the course; nothing was taken up")
    here = folder.resolve()
    if not (here / name).resolve().is_relative_to(here):
        raise ValueError(f"{name!r} leads out of the folder of the course; nothing was taken up")
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, KeyError, TypeError, RecursionError):
        cells = None
    if not isinstance(cells, list):
        raise ValueError(f"{name!r} is no Jupyter notebook; nothing was taken up")


def texts(content: bytes) -> list[str] | None:
    """What stands in the cells of a notebook, without what they have shown; None if it is no notebook."""
    try:
        return ["".join(cell["source"]) for cell in json.loads(content)["cells"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _only_run(path: Path) -> bool:
    """Whether a notebook that was written to is still what git has of it, but for what its cells have shown."""
    try:
        command = ["git", "-C", str(path.parent), "show", f"HEAD:./{path.name}"]
        came = subprocess.run(command, capture_output=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False  # there is no git here, or it does not know the notebook
    return texts(came) is not None and texts(came) == texts(path.read_bytes())


def beside(path: Path) -> Path:
    """A free name beside a notebook that must stay."""
    number = 1
    while (other := path.with_name(f"{path.stem} (taken up {number}).ipynb")).exists():
        number += 1
    return other
