"""Several files of one student for one exercise: the newest that can be read is graded, and the others are named."""

import copy
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import NamedTuple

from course_utils.exercises.catalogue import load_exercise
from course_utils.exercises.grading.files import Entry
from course_utils.exercises.notebook.cell import Cell, exercise_of, name_of, source_of
from course_utils.exercises.notebook.functions import functions_in
from course_utils.exercises.notebook.places import Places
from course_utils.exercises.notebook.reader import Notebook, NotebookError, read_notebook, receipt_of
from course_utils.exercises.notebook.texts import is_blank

__all__ = ["EXERCISE", "Version", "exercise_answered", "is_answered", "newest", "other_exercises", "version_of"]

EXERCISE = re.compile(r"(?i)(?<![a-z0-9])ex[-_ ]?(\d\d)(?!\d)")
MOST_COMPARED = 3  # older versions: to look through one may take seconds, and a zip file holds hundreds
COPY = re.compile(r"(?i)(?: ?\((\d+)\)|[ -]+(?:copy|Kopie) ?(\d*)|-(\d{1,2}))$")


@dataclass(frozen=True)
class Version:
    """A file that a student sent, as it was read; `problem`: why it could not be. Of its bytes the receipt stays."""

    entry: Entry
    notebook: Notebook | None = None
    problem: str = ""
    receipt: str = ""


class State(NamedTuple):
    """How far a version has come."""

    begun: int
    tasks: int
    answered: bool

    def __str__(self) -> str:
        answer = "a written answer" if self.answered else "no written answer"
        return f"{self.begun} of {self.tasks} tasks begun, {answer}"


def version_of(entry: Entry) -> Version:
    """A file, read if it is a notebook. What it holds is let go: a class may send gigabytes."""
    name = replace(entry, content=b"")
    if entry.problem or not entry.is_notebook:
        return Version(name, problem=entry.problem)
    receipt = receipt_of(entry.content) if entry.content else ""
    try:
        return Version(name, read_notebook(entry.content, outputs=False), receipt=receipt)
    except NotebookError as problem:
        return Version(name, problem=problem.reason, receipt=receipt)


def exercise_answered(version: Version, known: Sequence[str]) -> str:
    """The exercise that a notebook answers: what most of its cells say, or its functions, or else its path."""
    cells = version.notebook.cells if version.notebook else []
    if answered := exercise_of(cells, known):
        return answered
    functions = {name for cell in cells for name in functions_in(source_of(cell))}
    asked = {name: sum(task.name in functions for task in load_exercise(name).tasks) for name in known}
    if any(asked.values()):
        return max(asked, key=asked.__getitem__)
    names = [f"ex{number}" for part in reversed(version.entry.parts) for number in EXERCISE.findall(part)]
    return next((name for name in names if name in known), "")


def other_exercises(version: Version, exercise: str, others: Sequence[str]) -> list[str]:
    """A sentence for each of the `others` that is answered in this notebook of `exercise` as well."""
    if version.notebook is None:
        return []
    begun = _begun(version.notebook.cells)
    remarks = []
    for other in others:
        answered = [task.name for task in load_exercise(other).tasks if task.name in begun]
        if len(answered) > 1:  # one may be a function that the exercise builds upon
            remarks.append(
                f"{version.entry.path} also has functions of {other} ({', '.join(answered)}), which were not graded: "
                "ask for a notebook of each exercise"
            )
    return remarks


def newest(versions: Sequence[Version], exercise: str) -> tuple[Version, list[str]]:
    """The version that is graded, and a sentence for each other one that differs from it.

    It is the newest that can be read. Of files with the same time it is the one with the higher number in its name.
    """
    *older, graded = sorted(versions, key=_age)
    differing = [version for version in reversed(older) if _differ(version, graded)]
    remarks = [_compared(version, graded, exercise) for version in differing[:MOST_COMPARED]]
    if len(differing) > MOST_COMPARED:
        rest = len(differing) - MOST_COMPARED
        remarks.append(
            f"{graded.entry.path} was graded, the newer one; {rest} older versions were not compared with it"
        )
    return graded, remarks


def is_answered(version: Version, exercise: str) -> bool:
    """Whether there is anything in the cell of the written answer, or beside it."""
    return version.notebook is not None and _state(version, exercise).answered


def _differ(older: Version, graded: Version) -> bool:
    """Whether a lecturer should know of the older version."""
    if older.notebook is None or graded.notebook is None:
        return older.notebook is None
    return _sources(older.notebook) != _sources(graded.notebook)


def _compared(older: Version, graded: Version, exercise: str) -> str:
    """What a lecturer should know of two versions."""
    if older.notebook is None:
        return f"{older.entry.path} {older.problem}; {graded.entry.path} was graded"
    names = f"{graded.entry.path} was graded, the newer one"
    states = [_state(version, exercise) for version in (graded, older)]
    compared = f"{names} ({states[0]}); {older.entry.path} has {states[1]}"
    if states[0].begun < states[1].begun or states[0].answered < states[1].answered:
        compared += f". The newer one is emptier: to grade the other, take {graded.entry.path} away and grade again"
    return compared


def _state(version: Version, exercise: str) -> State:
    assert version.notebook is not None
    task, cells, answered = load_exercise(exercise), copy.deepcopy(version.notebook.cells), True
    with suppress(Exception):  # one notebook that cannot be looked through must not end the grading of a class
        answered = not is_blank(source_of(Places(task, cells).answer))
    begun = _begun(cells) & {each.name for each in task.tasks}
    return State(len(begun), len(task.tasks), answered)


def _begun(cells: Sequence[Cell]) -> set[str]:
    """The names that are given by the cells of code, without those of stubs."""
    functions: dict[str, bool] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            functions |= functions_in(source_of(cell))
    return {name for name, is_begun in functions.items() if is_begun}


def _age(version: Version) -> tuple[bool, float, int, str]:
    """What is greater is newer; a browser or a platform numbers what comes later, as in `ex04 (1)` and `ex04-2`."""
    match = COPY.search(PurePosixPath(version.entry.path).stem)
    number = max((int(digits) for digits in match.groups() if digits), default=1) if match else 0
    return version.notebook is not None, version.entry.time, number, version.entry.path


def _sources(notebook: Notebook) -> list[tuple[str, str]]:
    return [(name_of(cell), source_of(cell)) for cell in notebook.cells]
