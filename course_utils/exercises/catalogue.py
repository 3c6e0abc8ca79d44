"""The exercises of the course, by the names of their modules in `tasks`."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from course_utils.exercises import tasks
from course_utils.exercises.task import Exercise

__all__ = ["exercises", "load_exercise"]


def exercises() -> list[str]:
    """The names of all exercises.

    >>> "ex04" in exercises()
    True
    """
    return sorted(path.stem for folder in tasks.__path__ for path in Path(folder).glob("ex[0-9][0-9].py"))


def load_exercise(name: str) -> Exercise:
    """The tasks of an exercise by its name, such as "ex04"; ValueError if there is none of this name."""
    module = f"{tasks.__name__}.{name}"
    if name not in exercises() or find_spec(module) is None:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(exercises())}")
    exercise: Exercise = import_module(module).EXERCISE
    return exercise
