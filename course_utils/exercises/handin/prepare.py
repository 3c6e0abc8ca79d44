"""Handing in: a notebook is looked through, put right where it can be, and written as the one file that is collected.

The reader's own notebook stays as it is. What is written is a plain notebook: the cells, their marks, what they have
shown; no state of widgets, no traces of an editor or a machine. The same work always gives the same bytes.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from course_utils._support.files import written_atomically
from course_utils.exercises import exercises, load_exercise
from course_utils.exercises.handin.places import Places, exercise_of, name_of
from course_utils.exercises.handin.plain import NoNotebook, outputs_cleared, plain_notebook, source_of
from course_utils.exercises.handin.state import differing, notes

__all__ = ["FOLDER", "HandIn", "Written", "last_student", "prepare", "receipt_of", "student_name", "write"]

FOLDER = "handed_in"  # beside the notebook
MOST_BYTES = 5_000_000  # of the file; outputs are cut out if it has more
MOST_CELLS, MOST_LETTERS = 500, 200_000  # in all, and in one cell: no more is read when work is collected
LONGEST_NAME = 50


@dataclass(frozen=True)
class HandIn:
    """A file to hand in, and what was found on the way.

    `repaired`: what was put right in the file. `warnings`: what the reader may want to mend first, each with how.
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


def receipt_of(content: bytes) -> str:
    """The first 16 digits of the SHA-256 of a file.

    >>> receipt_of(b"abc")
    'ba7816bf8f01cfea'
    """
    return sha256(content).hexdigest()[:16]


def student_name(typed: str) -> str:
    """The name as it stands in a file's name: letters, digits, `.`, `-` and `_`.

    Raises: ValueError with a proposal for a name that has other signs, or none.

    >>> student_name("  Zoë van Dijk ")
    'Zoë_van_Dijk'
    """
    name = "_".join(unicodedata.normalize("NFC", typed).split())
    if not name:
        raise ValueError("Write your name or student number first, as your lecturer knows you.")
    proposal = re.sub(r"-+", "-", "".join(sign if _allowed(sign) else "-" for sign in name)).strip("-._")
    proposal = proposal[:LONGEST_NAME].strip("-._")
    if proposal == name:
        # A browser calls a second download name-1: a number at the end must not look like that.
        return re.sub(r"-(\d{1,2})$", r"_\1", name)
    if not any(sign.isalnum() for sign in proposal):
        raise ValueError(f"{typed!r} is no name: it needs letters or digits.")
    raise ValueError(
        f"A name has letters, digits, and . - _ between them, at most {LONGEST_NAME} in all. "
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

    Raises: ValueError that says what has to be mended first, and how.
    """
    name = student_name(student)
    notebook, repaired = plain_notebook(content)
    cells = notebook["cells"]
    task = load_exercise(_which(cells, exercise))
    places = Places(task, cells)
    warnings = [*places.warnings, *notes(places)]
    unsaved = differing(places, run)
    repaired += places.repaired
    for cell in cells:
        if name_of(cell) in (f"{task.name}-keep", f"{task.name}-handin"):
            outputs_cleared(cell)
            cell["execution_count"] = None  # it tells nothing of the work
    if file and file != f"{task.name}.ipynb":
        repaired.append(f"Your notebook is called {file}; what you hand in gets the name that is expected.")
    notebook["metadata"]["course"] = {"exercise": task.name, "student": name}
    data = _encoded(notebook)
    if len(data) > MOST_BYTES:
        for cell in cells:
            outputs_cleared(cell)
        repaired.append(
            f"The file had {len(data) / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} MB are allowed: what the cells had "
            "shown was cut out. It is shown again when the cells are run."
        )
        data = _encoded(notebook)
    _refuse_large(places, data)
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


def _which(cells: list[dict[str, object]], exercise: str | None) -> str:
    found = exercise_of(cells, exercises())
    if not found and exercise and _answers(cells, exercise):
        found = exercise  # all marks gone, and the first and the last cell as well
    if not found:
        raise NoNotebook(
            "The notebook is no exercise of this course: no cell of it belongs to one. Open the right file."
        )
    if exercise and found != exercise:
        raise NoNotebook(f"The file is a notebook of {found}, and {exercise} is to be handed in. Open the right one.")
    return found


def _answers(cells: list[dict[str, object]], exercise: str) -> bool:
    names = [task.name for task in load_exercise(exercise).tasks]
    return any(re.search(rf"(?m)^def {name}\b", source_of(cell)) for cell in cells for name in names)


def _encoded(notebook: dict[str, object]) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True) + "\n").encode()


def _refuse_large(places: Places, data: bytes) -> None:
    """What stays too large has to be made smaller by hand."""
    cells = places.cells
    if len(data) > MOST_BYTES:
        large = max(cells, key=lambda cell: len(json.dumps(cell)))
        raise ValueError(
            f"What you wrote yourself has {len(data) / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} MB are allowed. Most of "
            f"it is in cell {cells.index(large) + 1}: take out pictures or data that were pasted into it."
        )
    if len(cells) > MOST_CELLS:
        raise ValueError(f"The notebook has {len(cells)} cells, and at most {MOST_CELLS} are read. Delete your own.")
    for number, cell in enumerate(cells, 1):
        if len(source_of(cell)) > MOST_LETTERS:
            raise ValueError(
                f"Cell {number} has more than {MOST_LETTERS:,} letters. Take out data that were pasted into it."
            )
