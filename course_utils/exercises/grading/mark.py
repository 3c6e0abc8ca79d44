"""One submission is graded: its functions run in a process of their own, and are judged here."""

import hashlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from course_utils._support.paths import PACKAGE
from course_utils.exercises.catalogue import load_exercise
from course_utils.exercises.check import Checked
from course_utils.exercises.grading.attempt import Attempt, Limits
from course_utils.exercises.grading.library import without
from course_utils.exercises.grading.reading import LONGEST_ANSWER, Reading, read
from course_utils.exercises.grading.sandbox import Sandbox, bubblewrap
from course_utils.exercises.grading.scratch import new_folder
from course_utils.exercises.judge import Outcome, Verdict, judge, wrong
from course_utils.exercises.notebook.cell import Cell, name_of, source_of
from course_utils.exercises.notebook.reader import Notebook, read_notebook
from course_utils.exercises.task import Case, Task
from course_utils.exercises.teacher import teacher_from

__all__ = ["AnswerKey", "Job", "answer_key", "mark"]

PREPARING = threading.Lock()


@dataclass(frozen=True)
class AnswerKey:
    """What an exercise is graded by: the lecturer's module, the first cell of the notebook, and the rubric.

    `handed_out`: the texts of the cells that students do not write in, by their names.
    `version` changes with them and with the code that grades, so that marks of an older version are not taken for new.
    """

    exercise: str
    teacher: str
    setup: str
    rubric: str
    version: str
    handed_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What is needed to grade one submission, here or on another machine."""

    key: AnswerKey
    notebook: Notebook
    limits: Limits = field(default_factory=Limits)


def answer_key(folder: Path, exercise: str) -> AnswerKey:
    """The key of an exercise from the folder `notebooks/exercises` of the lecturer.

    FileNotFoundError says which of its two files is missing.
    """
    teacher = folder / "teacher" / f"{exercise}.py"
    source = folder / "source" / exercise / f"{exercise}.ipynb"
    for path in (teacher, source):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; grading needs the lecturer's copy of the course")
    notebook = read_notebook(source.read_bytes(), outputs=False)
    setup = next((code for _, code in notebook.code if "import exercise" in code), "")
    parts = [teacher.read_bytes(), setup.encode()]
    parts += [path.read_bytes() for path in sorted((PACKAGE / "exercises").rglob("*.py"))]
    version = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    handed_out = {name_of(cell): source_of(cell) for cell in notebook.cells if not _is_answered(cell)}
    rubric = notebook.text(f"{exercise}-written")
    return AnswerKey(exercise, teacher.read_text(encoding="utf-8"), setup, rubric, version, handed_out)


def _is_answered(cell: Cell) -> bool:
    """Whether students write in this cell."""
    return cell["metadata"].get("nbgrader", {}).get("solution") is True


def mark(job: Job) -> dict[str, Any]:
    """The record of a graded submission, as plain data: points and words for each task, and what was noticed."""
    exercise = load_exercise(job.key.exercise)
    teacher = teacher_from(job.key.teacher, job.key.exercise)
    reading = read(exercise, job.notebook.cells, job.key.handed_out)
    cells = [("the first cell", job.key.setup), *reading.code]
    with Attempt(_sandbox(exercise.hides), cells, job.limits) as attempt:
        needed = attempt.needed([task.name for task in exercise.tasks])
        # The open cases of all tasks come first: words about them reach the student, and a process that had seen the
        # hidden ones could put them into its results and its errors.
        shown = [_verdict(attempt, task, task.cases(0)) for task in exercise.tasks]
        hidden = [_verdict(attempt, task, teacher.hidden(task)) for task in exercise.tasks]
    tasks = [_task(*verdicts) for verdicts in zip(exercise.tasks, shown, hidden, strict=True)]
    return {
        "tasks": tasks,
        "written": {"of": exercise.written.points, "text": reading.written[:LONGEST_ANSWER]},
        "notes": [trouble.note(needed) for _, trouble in sorted(attempt.troubles.items())],
        "attention": [*_lost(reading, tasks), *_attention(attempt, tasks, needed)],
        "code": _fingerprint(reading.code),
        "seconds": round(attempt.spent, 2),  # by the clock of its processes
        "memory": attempt.peak,  # bytes
        "processor": round(attempt.seconds, 2),
    }


def _verdict(attempt: Attempt, task: Task, cases: Sequence[Case]) -> Verdict:
    """What the judge says; a result that cannot be judged is none, and does not stop the grading of a class."""
    try:
        return judge(task, lambda case: attempt.call(task.name, case), cases)
    except Exception as problem:
        lost = Outcome(lost=f"what it returns could not be judged ({type(problem).__name__})")
        return Verdict(0, len(cases), 0, wrong(lost, None, 0), case=cases[0], outcome=lost)


def _task(task: Task, shown: Verdict, hidden: Verdict) -> dict[str, Any]:
    """How a task went. Points come from the hidden cases, words only from the open ones, which are shown."""
    words = Checked(task, shown).lines
    if shown.right and not hidden.right:
        words = [*words, _hidden_only(hidden)]
    return {
        "name": task.name,
        "title": task.title,
        "of": task.points,
        "lost": hidden.outcome.lost if hidden.outcome else "",
        "words": words,
        # Of the hidden cases no more than this leaves: not the case, and not what came back.
        "passed": hidden.passed,
        "total": hidden.total,
        "points": hidden.points,
        "mistake": hidden.mistake,
    }


def _hidden_only(hidden: Verdict) -> str:
    """What is said where only cases that the student has not seen go wrong."""
    hint = f" Hint: {hidden.hint}" if hidden.hint else ""
    return f"Of the cases that are used for grading {hidden.passed} of {hidden.total} are right.{hint}"


def _lost(reading: Reading, tasks: Sequence[dict[str, Any]]) -> list[str]:
    """What a person should look at in the notebook: the written answer, and the code of tasks that lost points."""
    doubts = [reading.doubts[t["name"]] for t in tasks if t["name"] in reading.doubts and t["points"] < t["of"]]
    return [*reading.remarks, *doubts]


def _attention(attempt: Attempt, tasks: Sequence[dict[str, Any]], needed: frozenset[str] | None) -> list[str]:
    """What a person should look at: of the cells those from which a function that is graded may miss something."""
    troubles = sorted(attempt.troubles.items())
    reasons = [trouble.sentence for _, trouble in troubles if trouble.concerns(needed)]
    if attempt.given_up:
        reasons.append(f"grading was given up: {attempt.given_up}")
    reasons += [f"{task['name']}: no result came back: {task['lost']}" for task in tasks if task["lost"]]
    if all(task["mistake"] == "not begun" or "NameError: the notebook" in str(task["words"]) for task in tasks):
        reasons.append("no task was begun")
    return reasons


def _fingerprint(cells: Sequence[tuple[str, str]]) -> str:
    """The same for the same code, however it is spaced and commented."""
    code = re.sub(r"#.*|\s+", "", "\n".join(source for _, source in cells))
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def _sandbox(hides: tuple[str, ...]) -> Sandbox:
    """The sandbox of an exercise: the library is prepared once in each process that grades."""
    with PREPARING:
        return _prepared(hides)


@cache
def _prepared(hides: tuple[str, ...]) -> Sandbox:
    library = new_folder("library")
    without(hides, library)
    return Sandbox(library, bwrap=bubblewrap())
