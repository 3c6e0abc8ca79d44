"""Handing in: a notebook is looked through, put right where it can be, and written as the one file that is collected.

The student's notebook stays as it is. What is written is a plain notebook: the cells, their marks, what they have
shown; no state of widgets, no traces of an editor or a machine. The same work always gives the same bytes.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from course_utils._support.files import written_atomically
from course_utils.exercises.catalogue import exercises, load_exercise
from course_utils.exercises.handin.state import differing, notes
from course_utils.exercises.notebook.cell import Cell, clear_outputs, exercise_of, name_of, source_of
from course_utils.exercises.notebook.places import Places
from course_utils.exercises.notebook.reader import Notebook, NotebookError, read_notebook, receipt_of

__all__ = ["FOLDER", "HandIn", "Written", "last_student", "prepare", "student_name", "write"]

FOLDER = "handed_in"  # beside the notebook
MOST_BYTES = 5_000_000  # of the file; outputs are cut out if it has more
LONGEST_NAME = 50


@dataclass(frozen=True)
class HandIn:
    """A file to hand in, and what was noticed on the way.

    `repaired`: what was put right in the file. `warnings`: what the student may want to correct first, each with how.
    `unsaved`: the tasks whose function in the notebook's file is not the one that was run last.
    """

    exercise: str
    student: str
    content: bytes
    repaired: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unsaved: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.exercise}_{self.student}.ipynb"

    @property
    def receipt(self) -> str:
        """What the lecturer's list of marks shows for just these bytes."""
        return receipt_of(self.content)


class Written(NamedTuple):
    """Where a file was written, and what became of an earlier one of this name, in a sentence; empty if none was."""

    path: Path
    earlier: str


def student_name(typed: str) -> str:
    """The name as it stands in a file's name: letters, digits, `.`, `-` and `_`.

    Raises: ValueError with a proposal for a name that has other characters, or none.

    >>> student_name("  Zoë van Dijk ")
    'Zoë_van_Dijk'
    """
    name = "_".join(unicodedata.normalize("NFC", typed).split())
    if not name:
        raise ValueError("Write your name or student number first, as your lecturer knows you.")
    proposal = re.sub(r"-+", "-", "".join(sign if _allowed(sign) else "-" for sign in name)).strip("-._")
    proposal = proposal[:LONGEST_NAME].strip("-._")
    if proposal == name:
        # A browser calls a second download name-1, a system name-copy: the end of a name must not look like that.
        return re.sub(r"(?i)-(\d{1,2}|(?:copy|kopie)\d*)$", r"_\1", name)
    if not any(sign.isalnum() for sign in proposal):
        raise ValueError(f"{typed!r} is no name: it needs letters or digits.")
    raise ValueError(
        f"A name has letters, digits, and . - _ between them, at most {LONGEST_NAME} characters in all. "
        f"Instead of {typed!r} you could write {proposal!r}."
    )


def _allowed(sign: str) -> bool:
    return sign in ".-_" or unicodedata.category(sign)[0] in "LMN"


def prepare(
    content: bytes, *, student: str, exercise: str | None = None, file: str = "", run: Sequence[str] = ()
) -> HandIn:
    """The file to hand in, from the bytes of a notebook.

    `student`: as typed. `exercise`: which one it is to be; by default it is read from the notebook. `file`: the name of
    the notebook. `run`: the cells that were run, where that is known.

    Raises: ValueError that says what has to be corrected first, and how.
    """
    name = student_name(student)
    notebook = read_notebook(content)
    task = load_exercise(_exercise_answered(notebook.cells, exercise))
    places = Places(task, notebook.cells)
    warnings = [*places.warnings, *notes(places)]
    unsaved = differing(places, run)
    repaired = [*notebook.repaired, *places.repaired]
    for cell in notebook.cells:
        if name_of(cell) in (f"{task.name}-keep", f"{task.name}-handin"):
            clear_outputs(cell)
            cell["execution_count"] = None  # it tells nothing of the work
    if file and file != f"{task.name}.ipynb":
        repaired.append(f"Your notebook is called {file}; what you hand in gets the name that is expected.")
    about = {"exercise": task.name, "student": name}
    data = _encoded(notebook, about)
    if len(data) > MOST_BYTES:
        for cell in notebook.cells:
            clear_outputs(cell)
        repaired.append(
            f"The file had {len(data) / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} MB are allowed: what the cells had "
            "shown was cut out. It is shown again when the cells are run."
        )
        data = _encoded(notebook, about)
    _refuse_large(notebook.cells, data)
    read_notebook(data, outputs=False)  # the grader must take it, with the cells that were put back
    return HandIn(task.name, name, data, tuple(repaired), tuple(warnings), tuple(unsaved))


def write(hand_in: HandIn, folder: Path, *, notebook: Path | None = None) -> Written:
    """Write the file into `folder`, which is made if it is not there; an earlier file of this name is replaced.

    Raises: ValueError if that would replace the `notebook` itself.
    """
    path = folder / hand_in.file
    if notebook is not None and path.exists() and path.samefile(notebook):
        raise ValueError(f"The file to hand in would replace your notebook {path}. Choose another folder with --out.")
    folder.mkdir(parents=True, exist_ok=True)
    earlier = ""
    if path.exists():
        receipt = receipt_of(path.read_bytes())
        earlier = f"It replaces the file of the same name that you had written earlier, with the receipt {receipt}."
        if receipt == hand_in.receipt:
            earlier = "You had written the same file before; nothing has changed."
    with written_atomically(path) as file:
        file.write(hand_in.content)
    return Written(path, earlier)


def last_student(folder: Path) -> str:
    """The name under which something was handed in last; empty if nothing was."""
    files = [path for path in folder.glob("ex[0-9][0-9]_*.ipynb") if path.is_file()]
    newest = max(files, key=lambda path: path.stat().st_mtime, default=None)
    return newest.stem.split("_", 1)[1] if newest else ""


def _exercise_answered(cells: Sequence[Cell], exercise: str | None) -> str:
    """The exercise that a notebook answers, which must be `exercise` if one is given."""
    answered = exercise_of(cells, exercises())
    if not answered and exercise and _answers(cells, exercise):
        answered = exercise  # all marks gone, and the first and the last cell as well
    if not answered:
        raise NotebookError("is no exercise of this course: no cell of it belongs to one", "Open the right file")
    if exercise and answered != exercise:
        reason = f"is a notebook of {answered}, and {exercise} is to be handed in"
        raise NotebookError(reason, "Open the right one")
    return answered


def _answers(cells: Sequence[Cell], exercise: str) -> bool:
    """Whether a cell defines a function that this exercise asks for."""
    names = [task.name for task in load_exercise(exercise).tasks]
    return any(re.search(rf"(?m)^def {name}\b", source_of(cell)) for cell in cells for name in names)


def _encoded(notebook: Notebook, about: dict[str, str]) -> bytes:
    document = notebook.document()
    document["metadata"]["course"] = about
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True) + "\n").encode()


def _refuse_large(cells: Sequence[Cell], data: bytes) -> None:
    """What stays too large without outputs has to be made smaller by hand."""
    if len(data) > MOST_BYTES:
        sizes = [len(json.dumps(cell)) for cell in cells]
        raise ValueError(
            f"What you wrote yourself has {len(data) / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} MB are allowed. Most of "
            f"it is in cell {sizes.index(max(sizes)) + 1}: take out pictures or data that were pasted into it."
        )
