"""The file of the notebook that a reader works in: a kernel does not see the notebook itself, only what was saved."""

import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Saved", "cells_run", "saved_notebook"]


class Saved(NamedTuple):
    """A notebook's file; `current`: whether it holds the mark that the last run of a cell has shown."""

    path: Path
    content: bytes
    current: bool


def saved_notebook(mark: str, name: str, folder: Path | None = None) -> Saved | None:
    """The file of the notebook in which a cell has shown `mark`; None if there is nothing that could be it.

    The file that holds the mark is the one, whatever its name. If none does, it has not been saved since: then it is
    the file that the kernel was started for, or the one called `name`. `folder`: by default the working folder.
    """
    folder = folder or Path.cwd()
    started = _started_for()
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
    history = getattr(_shell(), "history_manager", None)
    return [str(text) for text in getattr(history, "input_hist_raw", [])]


def _started_for() -> Path | None:
    """The notebook that this kernel was started for, by the name that it had then."""
    named = getattr(_shell(), "user_ns", {}).get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    path = Path(str(named)).resolve()
    return path if path.suffix == ".ipynb" else None


def _shell() -> Any:
    """IPython's shell where this runs in one; IPython is not loaded for it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
