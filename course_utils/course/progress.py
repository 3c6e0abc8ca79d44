"""Which notebooks a reader has run in their own copy of the course, and where to go on.

A notebook's file cannot tell: it comes with its outputs. So the kernel notes which cells have run without an error, and
which panels a reader has moved, in one small file for each notebook: beside the notebooks, or in a folder of the
reader's where those are read-only. That begins where a notebook of the course calls `record_progress()`, in a kernel
that JupyterLab or VS Code has started for it; importing this module writes nothing.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import platformdirs

from course_utils._support.files import written_atomically
from course_utils._support.kernel import notebook_path, shell
from course_utils._support.markdown import table
from course_utils._support.words import plural
from course_utils.course.syllabus import SECTIONS, Page, pages
from course_utils.panels.engine import on_move

__all__ = ["Overview", "Record", "overview", "record_progress"]

HIDDEN = ".progress"  # the folder beside the notebooks


@dataclass
class Record:
    """What has been run of one notebook: names of cells (see `cell_names`), titles of panels, and the last day."""

    cells: set[str] = field(default_factory=set)
    panels: set[str] = field(default_factory=set)
    last: str = ""

    @classmethod
    def read(cls, notebook: Path) -> "Record":
        """The record of a notebook; an empty one where nothing, or nothing legible, is kept."""
        record = cls()
        for path in places(notebook):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                record.cells |= set(map(str, content["cells"]))
                record.panels |= set(map(str, content["panels"]))
                record.last = max(record.last, str(content["last"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return record

    def write(self, notebook: Path) -> bool:
        """Keep the record in the first place that can be written; False where there is none."""
        content = {"cells": sorted(self.cells), "panels": sorted(self.panels), "last": self.last}
        for path in places(notebook):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with written_atomically(path) as file:
                    file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
                return True
            except OSError:
                continue
        return False


def places(notebook: Path) -> list[Path]:
    """Where the record of a notebook may be: beside it, or under the reader's own files."""
    folder_hash = hashlib.sha1(str(notebook.parent).encode()).hexdigest()[:12]
    folders = notebook.parent / HIDDEN, platformdirs.user_state_path("course-utils") / folder_hash
    return [folder / f"{notebook.stem}.json" for folder in folders]


def cell_names(cell_id: str | None, source: str) -> set[str]:
    """A cell goes by its id, which outlives changes of its text, and by its text: some editors give their own ids."""
    text = hashlib.sha1(source.strip().encode()).hexdigest()[:12]
    return {text, cell_id} if cell_id else {text}


# Noting what runs


def record_progress() -> None:
    """Note from now on which cells run in this kernel and which panels are moved; only in a notebook of the course."""
    global _recorder
    running, notebook = shell(), course_notebook()
    if running is None or notebook is None or _recorder is not None:
        return
    _recorder = Recorder(notebook)
    running.events.register("post_run_cell", _recorder.cell_ran)
    on_move(_recorder.panel_moved)


class Recorder:
    """Adds to the record of one notebook what runs and what is moved in this kernel."""

    def __init__(self, notebook: Path) -> None:
        self.notebook = notebook
        self.record = Record.read(notebook)

    def cell_ran(self, result: Any) -> None:
        """IPython has run a cell; what failed, and what the front end ran for itself, does not count."""
        if not result.success or not result.info.store_history:
            return
        names = cell_names(getattr(result.info, "cell_id", None), result.info.raw_cell)
        if not names <= self.record.cells:
            self.record.cells |= names
            self._save()

    def panel_moved(self, title: str) -> None:
        """A reader has moved a control of the panel with this title."""
        if title not in self.record.panels:
            self.record.panels.add(title)
            self._save()

    def _save(self) -> None:
        self.record.last = date.today().isoformat()
        self.record.write(self.notebook)


_recorder: Recorder | None = None  # of this kernel


def course_notebook() -> Path | None:
    """The notebook that this kernel was started for, if it is named as those of the course are."""
    path = notebook_path()
    numbers = {"00", *(section.number for section in SECTIONS)}
    return path if path is not None and path.name[:2] in numbers and path.name[2:3] == "_" else None


# Showing it


def overview(folder: str | os.PathLike[str] | None = None) -> "Overview":
    """What has been run of the notebooks in `folder`: by default the folder of this notebook, or the working folder."""
    if folder is None:
        notebook = course_notebook()
        folder = notebook.parent if notebook else Path.cwd()
    return Overview([State.of(page) for page in pages(Path(folder))])


@dataclass(frozen=True)
class State:
    """How far a reader has come with one section."""

    page: Page
    cells: int
    run: int
    panels: int
    last: str

    @classmethod
    def of(cls, page: Page) -> "State":
        if page.path is None:
            return cls(page, 0, 0, 0, "")
        record = Record.read(page.path.resolve())
        code = [cell for cell in page.cells if cell["cell_type"] == "code"]
        run = sum(bool(cell_names(cell.get("id"), "".join(cell["source"])) & record.cells) for cell in code)
        return cls(page, len(code), run, len(record.panels), record.last)

    @property
    def words(self) -> str:
        if not self.cells:
            return "not in this folder"
        if not self.run:
            return "not yet"
        moved = f", {plural(self.panels, 'panel')} moved" if self.panels else ""
        share = f"all {self.cells} cells" if self.run == self.cells else f"{self.run} of {self.cells} cells"
        return f"{share}{moved}, last on {self.last}"


@dataclass(frozen=True)
class Overview:
    """A table of all sections, as a notebook or a terminal shows it."""

    states: list[State]

    def _rows(self) -> Iterator[tuple[str, str]]:
        for state in self.states:
            yield f"{state.page.section.number} {state.page.section.title}", state.words

    @property
    def next(self) -> State | None:
        """The first section of which something is left to run."""
        return next((state for state in self.states if state.run < state.cells), None)

    def __repr__(self) -> str:
        return "\n".join(f"{title:45} {words}" for title, words in self._rows())

    def _repr_markdown_(self) -> str:
        shown = table(["notebook", "run so far"], list(self._rows()))
        if self.next is not None and self.next.page.path is not None:
            section = self.next.page.section
            shown += f"\n\nGo on with [{section.number} {section.title}]({self.next.page.path.name})."
        return shown
