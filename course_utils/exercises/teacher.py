"""What only the lecturer has of an exercise: the seed of the hidden cases, right answers in several styles, wrong ones.

It is stored in a folder that is not handed out. The right and the wrong answers test the exercise, not the students.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from course_utils.exercises.task import Case, Task

__all__ = ["Answer", "Teacher", "load_teacher", "teacher_from"]

Function = Callable[..., Any]


@dataclass(frozen=True)
class Answer:
    """An answer to a task: a function, and the mistake in it that the check is to recognise, if it has one."""

    task: str
    function: Function
    mistake: str = ""


@dataclass
class Teacher:
    """`seed`: of the hidden cases. `more`: hidden cases beside those of the seed, by the task's name."""

    seed: int
    more: dict[str, Sequence[Case]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)

    def right(self, task: str) -> Callable[[Function], Function]:
        """Mark a function as a right answer to a task."""
        return self._recorded(task, "")

    def wrong(self, task: str, mistake: str) -> Callable[[Function], Function]:
        """Mark a function as a wrong answer that gets the hint of `mistake`."""
        return self._recorded(task, mistake)

    def hidden(self, task: Task) -> list[Case]:
        """The cases that a submission is graded on."""
        return [*task.cases(self.seed), *self.more.get(task.name, ())]

    def _recorded(self, task: str, mistake: str) -> Callable[[Function], Function]:
        def record(function: Function) -> Function:
            self.answers.append(Answer(task, function, mistake))
            return function

        return record


def load_teacher(path: Path) -> Teacher:
    """The lecturer's part of an exercise from its file; FileNotFoundError says where it is expected."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it holds the seed of the hidden cases and is not handed out")
    return teacher_from(path.read_text(encoding="utf-8"), path.stem)


def teacher_from(source: str, name: str) -> Teacher:
    """The lecturer's part of an exercise from the text of its module, which may have come from another machine."""
    module = ModuleType(f"teacher_{name}")
    exec(compile(source, f"{name}, the lecturer's part", "exec"), module.__dict__)
    teacher: Teacher = module.TEACHER
    return teacher
