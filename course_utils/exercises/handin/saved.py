"""The file of the notebook that a student works in: a kernel does not see the notebook itself, only what was saved."""

from pathlib import Path
from typing import NamedTuple

from course_utils._support.kernel import notebook_path, shell

__all__ = ["Saved", "cells_run", "saved_notebook"]


class Saved(NamedTuple):
    """A notebook's file; `current`: whether it holds the mark that the last run of a cell has shown."""

    path: Path
    content: bytes
    current: bool


def saved_notebook(mark: str, name: str, folder: Path | None = None) -> Saved | None:
    """The file of the notebook in which a cell has shown `mark`; None if there is nothing that could be it.

    The file that holds the mark is the right one, whatever its name. If none does, it has not been saved since: then it
    is the file that the kernel was started for, or the one called `name`. `folder`: by default the working folder.
    """
    folder = folder or Path.cwd()
    started = notebook_path()
    files = [started] if started is not None else []
    newest = sorted(folder.glob("*.ipynb"), key=lambda path: path.stat().st_mtime, reverse=True)
    files += [path for path in newest if path != started]
    contents = {path: path.read_bytes() for path in files if path.is_file()}
    for path, content in contents.items():
        if mark.encode() in content:
            return Saved(path, content, True)
    likely = next((path for path in (started, folder / name) if path in contents), None)
    return Saved(likely, contents[likely], False) if likely is not None else None


def cells_run() -> list[str]:
    """What was run in this kernel, in order; empty outside of one."""
    history = getattr(shell(), "history_manager", None)
    return [str(text) for text in getattr(history, "input_hist_raw", [])]
