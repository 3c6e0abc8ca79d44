"""Before a student, the same machine marks the lecturer's own work: the model solution must get all points, an empty
submission none.

A library that computes otherwise, a limit that is too small, an exercise that lacks its solution: whatever makes marks
wrong for all is noticed here, in words, and nobody is graded by it.
"""

import hashlib
import json
import platform
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils.exercises.check import is_call
from course_utils.exercises.grading.mark import Job, mark
from course_utils.exercises.grading.sandbox import UnfitMachine
from course_utils.exercises.notebook.reader import Notebook, read_notebook
from course_utils.exercises.notebook.release import student_version

__all__ = ["Trial", "UnfitMachine", "mark_after_trial", "trial_of"]

MOST_LETTERS = 500  # of what is said about a task
TRYING = threading.Lock()
passed: set[tuple[object, ...]] = set()  # the trials of this process that went well


@dataclass(frozen=True)
class Trial:
    """The lecturer's notebook of an exercise, and the one that students begin with; `version` changes with them."""

    model: Notebook
    empty: Notebook
    version: str


def trial_of(folder: Path, exercise: str) -> Trial:
    """The trial of an exercise from the folder `notebooks/exercises` of the lecturer.

    Raises: ValueError for a notebook of which no student's version can be made.
    """
    content = (folder / "source" / exercise / f"{exercise}.ipynb").read_bytes()
    try:
        empty = json.dumps(student_version(json.loads(content))).encode()
    except ValueError as problem:
        raise ValueError(f"{exercise}: {problem}") from problem
    model = read_notebook(content, outputs=False)
    return Trial(model, read_notebook(empty, outputs=False), hashlib.sha256(content).hexdigest())


def mark_after_trial(work: tuple[Job, Trial]) -> dict[str, Any]:
    """The record of a submission, as `mark` gives it.

    Raises: UnfitMachine if this machine does not give the lecturer's own work its marks; it is tried once in a process.
    """
    job, trial = work
    name = (job.key.version, trial.version, job.limits)
    with TRYING:
        if name not in passed:
            _try(job, trial)
            passed.add(name)
    return mark(job)


def _try(job: Job, trial: Trial) -> None:
    model = mark(Job(job.key, trial.model, job.limits))
    for task in model["tasks"]:
        if task["points"] != task["of"]:
            raise _unfit(job, "the model solution", _result(task), _reason(task, model))
    empty = mark(Job(job.key, trial.empty, job.limits))
    for task in empty["tasks"]:
        if task["points"]:
            raise _unfit(job, "an empty submission", _result(task), _reason(task, empty))


def _result(task: dict[str, Any]) -> str:
    return f"gets {task['points']:g} of {task['of']} points for {task['name']}"


def _reason(task: dict[str, Any], record: dict[str, Any]) -> str:
    """What came back of a task, in one line, without the call."""
    words = [line for line in task["words"] if not is_call(task["name"], line)]
    return " ".join((task["lost"] or " ".join([*record["notes"][:1], *words])).split())[:MOST_LETTERS]


def _unfit(job: Job, work: str, result: str, reason: str) -> UnfitMachine:
    exercise, machine = job.key.exercise, platform.node()
    return UnfitMachine(
        f"{work} of {exercise} {result} on the machine {machine!r} ({reason.rstrip('.')}), so nobody is graded there; "
        f"if `python -m pytest tests/exercises/test_exercises.py -k {exercise}` fails there too, put the exercise or "
        "the installation right, and if it passes, time or memory is short: use fewer --jobs, or another machine"
    )
