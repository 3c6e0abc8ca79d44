"""Exercises for sections 03 to 09: notebooks of tasks, checked while students work, handed in as one file, graded.

From bottom to top:

- `task`: what a task is
- `tasks/`: the tasks of each section, with their hints; `teacher`: what only the lecturer has (hidden cases, right and
  wrong answers); `judge`: whether a function does what its task asks for
- `catalogue` lists the exercises; `check`: the verdict that a student reads below a cell
- `notebook/`: cells, the lecturer's notebook, notebook files of strangers, cells as plain Python
- `handin/`: the student's side: a notebook becomes the one file that is collected
- `grading/`: the lecturer's side: a folder of files becomes marks and feedback
- `handout/`: the course that students get, without what is the lecturer's
"""

from typing import TYPE_CHECKING

from course_utils.exercises.catalogue import exercises, load_exercise
from course_utils.exercises.check import Check

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
    Hint: the step is subtracted from the magnitude of a weight; in yours from the weight, so negative ones grow.
    """
    return Check(load_exercise(name))


def hand_in(name: str) -> "HandInForm":
    """The form that hands in an exercise, for the last cell of its notebook: it looks through the saved file."""
    from course_utils.exercises.handin.form import HandInForm  # a grader loads no widgets

    return HandInForm(name)
