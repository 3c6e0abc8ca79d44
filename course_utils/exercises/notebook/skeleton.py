"""The notebook of an exercise, in the lecturer's version: its cells in their order, marked as nbgrader marks them.

`skeleton` is what `course new-exercise` begins with. The sentences of a task are written into the notebook afterwards;
what belongs to the machinery (names, points, which cells are locked) comes from the exercise's module and is compared
with it by the tests.
"""

from typing import Any

from course_utils._support.kernel import METADATA
from course_utils.exercises.notebook.cell import Cell
from course_utils.exercises.task import Exercise, Task, signature

__all__ = ["code", "markdown", "marked", "skeleton"]

SETUP = """import torch

from course_utils.exercises import exercise

check = exercise("{name}")"""

# It stands alone: students who come back another day to hand in run no other cell before it.
HAND_IN_CALL = """from course_utils.exercises import hand_in

hand_in("{name}")"""

SOLUTION = """def {signature}:
    \"\"\"One line that says what it gives.\"\"\"
    ### BEGIN SOLUTION
    return ...
    ### END SOLUTION"""

RULES = """Write each function where its cell says so, run the cell, then run the check below it. A check tries your
function on several inputs, shows one that goes wrong, and gives a hint if it knows the mistake. You can run it as
often as you like. When your work is graded, each function is called with **other inputs of the same kind**, alone and
in a process of its own, where the library's own version of what you write raises an error; to read the library is
allowed. A task gives all its points if every result is right, three quarters if only edge cases (named in
the check) go wrong, and otherwise none. Cells of your own may be added anywhere."""


def markdown(source: str, **marks: Any) -> Cell:
    """A cell of text."""
    return {"cell_type": "markdown", "metadata": _metadata(marks), "source": source.splitlines(keepends=True)}


def code(source: str, *, tags: tuple[str, ...] = (), **marks: Any) -> Cell:
    """A cell of code that has not been run."""
    metadata = ({"tags": list(tags)} if tags else {}) | _metadata(marks)
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": lines}


def marked(name: str, *, solution: bool = False, points: int | None = None) -> dict[str, Any]:
    """nbgrader's marks for a cell: what the student writes, what gives points; all other cells are locked."""
    marks = {"grade": points is not None, "grade_id": name, "locked": not solution, "schema_version": 3}
    return marks | {"solution": solution, "task": False} | ({} if points is None else {"points": points})


def _metadata(marks: dict[str, Any]) -> dict[str, Any]:
    return {"nbgrader": marks} if marks else {}


def skeleton(exercise: Exercise) -> dict[str, Any]:
    """The lecturer's notebook of an exercise before its sentences are written."""
    cells = [markdown(_opening(exercise), **marked(f"{exercise.name}-opening"))]
    cells.append(code(SETUP.format(name=exercise.name), tags=("setup",), **marked(f"{exercise.name}-setup")))
    for number, task in enumerate(exercise.tasks, 1):
        cells += _task(exercise, number, task)
    cells += _written(exercise, len(exercise.tasks) + 1)
    cells.append(markdown(f"## Hand in\n\n{HAND_IN}", **marked(f"{exercise.name}-end")))
    call = HAND_IN_CALL.format(name=exercise.name)
    cells.append(code(call, tags=("handin",), **marked(f"{exercise.name}-handin")))
    for number, cell in enumerate(cells):
        cell["id"] = f"{exercise.name}-{number:02}"
    return {"cells": cells, "metadata": dict(METADATA), "nbformat": 4, "nbformat_minor": 5}


HAND_IN = """Run the cell, write your name, save the notebook (Ctrl + S), and press the button. It looks through the
saved notebook, says what to fix, and gives you one file to send to your lecturer, with a receipt to keep."""


def _opening(exercise: Exercise) -> str:
    number = exercise.name.removeprefix("ex")
    return (
        f"# Exercise {number}: {exercise.title}\n\n"
        f"*{len(exercise.tasks)} tasks and a written answer; {exercise.points} points; time needed: about "
        f"{exercise.minutes} minutes. It belongs to notebook {number}.*\n\n{RULES}"
    )


def _task(exercise: Exercise, number: int, task: Task) -> list[Cell]:
    name = f"{exercise.name}-{task.name}"
    text = f"## Task {number}. {task.title} ({task.points} points)\n\nWhat is asked for, with its formula."
    return [
        markdown(text, **marked(f"{name}-text")),
        code(SOLUTION.format(signature=signature(task)), **marked(name, solution=True)),
        code(f"check({task.name})", tags=("check",), **marked(f"{name}-check", points=task.points)),
    ]


def _written(exercise: Exercise, number: int) -> list[Cell]:
    written = exercise.written
    name = f"{exercise.name}-{written.name}"
    text = f"## Task {number}. {written.title} ({written.points} points)\n\nThe question, to be answered in sentences."
    answer = "A model answer.\n\n**Rubric.** One point for each of:\n\n- what is looked for first;"
    return [
        markdown(text, **marked(f"{name}-text")),
        markdown(answer, **marked(name, solution=True, points=written.points)),
    ]
