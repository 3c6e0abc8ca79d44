"""Exercises: a notebook of tasks for each section, checked while one works and handed in as one file."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.exercises.check import Check
from course_utils.exercises.task import Exercise

if TYPE_CHECKING:
    from course_utils.exercises.handin.form import HandInForm

__all__ = ["exercise", "exercises", "hand_in", "load_exercise"]


def exercise(name: str) -> Check:
    """The check of an exercise, for the first cell of its notebook.

    >>> check = exercise("ex04")
    >>> def soft_threshold(w, *, step):
    ...     return w - step
    >>> check(soft_threshold)
    soft_threshold: 1 of 7 cases is right.
    For example:
    soft_threshold(tensor([[-2.2858,  0.07  ,  0.6674, -1.0403, -0.482 ]]), step=0.3)
    At [0, 0] it returns -2.58577, and -1.98577 is right.
    Hint: the step is taken off the size of a weight; yours is taken off the weight itself, so negative ones grow.
    """
    return Check(load_exercise(name))


def hand_in(name: str) -> "HandInForm":
    """The form that hands in an exercise, for the last cell of its notebook: it looks through the saved file."""
    from course_utils.exercises.handin.form import HandInForm  # a grader loads no widgets

    return HandInForm(name)


def exercises() -> list[str]:
    """The names of all exercises.

    >>> "ex04" in exercises()
    True
    """
    return sorted(path.stem for path in (Path(__file__).parent / "tasks").glob("ex[0-9][0-9].py"))


def load_exercise(name: str) -> Exercise:
    """The tasks of an exercise by its name, such as "ex04"; ValueError if there is none of this name."""
    module = f"{__name__}.tasks.{name}"
    if name not in exercises() or find_spec(module) is None:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(exercises())}")
    found: Exercise = import_module(module).EXERCISE
    return found
