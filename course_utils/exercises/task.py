"""What a task is: a function to write, the cases that it is tried on, and the mistakes that are known."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["Case", "Exercise", "Mistake", "Task", "Written"]


@dataclass(frozen=True)
class Case:
    """The arguments of one call; `edge` says what is special about them, where something is."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    edge: str = ""

    def copy(self) -> "Case":
        """The same arguments in memory of their own, for a function that may change what it is given.

        >>> case = Case((torch.zeros(2),))
        >>> _ = case.copy().args[0].add_(1)
        >>> case.args[0]
        tensor([0., 0.])
        """
        return Case(
            tuple(map(_copy, self.args)), {name: _copy(value) for name, value in self.kwargs.items()}, self.edge
        )


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give: what it returns, and the hint for those who return the same.

    `result` takes the arguments of the task and is written with the library alone, so it gives no solution away.
    """

    name: str
    hint: str
    result: Callable[..., Any]


@dataclass(frozen=True)
class Task:
    """A function of three to eight lines that students write.

    `name`: of the function. `answer`: the library's own. `cases`: makes the cases of a seed; the notebook tries seed 0,
    the lecturer grades with a seed that stays with them. `hides`: the parts of `course_utils` that raise in the process
    in which a submission is graded, as ``"methods.lowrank.low_rank"``. `tolerance`: of a result, relative to its
    largest entry.
    """

    name: str
    title: str
    points: int
    answer: Callable[..., Any]
    cases: Callable[[int], Sequence[Case]]
    mistakes: tuple[Mistake, ...] = ()
    hides: tuple[str, ...] = ()
    tolerance: float = 1e-4

    def expected(self, case: Case) -> Any:
        """What is right for these arguments."""
        copy = case.copy()
        return self.answer(*copy.args, **copy.kwargs)


@dataclass(frozen=True)
class Written:
    """A question that is answered in a few sentences; a person marks it, by the rubric in the lecturer's notebook."""

    title: str
    points: int
    name: str = "written"


@dataclass(frozen=True)
class Exercise:
    """One notebook of tasks; `name` is that of its file, such as ex04 for section 04."""

    name: str
    title: str
    minutes: int
    tasks: tuple[Task, ...]
    written: Written

    @property
    def points(self) -> int:
        """The most points that can be reached."""
        return sum(task.points for task in self.tasks) + self.written.points

    def task(self, name: str) -> Task:
        """The task that asks for a function of this name."""
        for task in self.tasks:
            if task.name == name:
                return task
        names = ", ".join(task.name for task in self.tasks)
        raise ValueError(f"no task of {self.name} asks for a function called {name!r}; its tasks ask for {names}")

    @property
    def hides(self) -> tuple[str, ...]:
        """All parts of the library that raise while this exercise is graded."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.hides))


def signature(task: Task) -> str:
    """How the task's function is called, from its first case.

    >>> signature(Task("half", "", 1, lambda x, *, bits: x, lambda seed: []))
    'half(x, *, bits)'
    """
    parameters = inspect.signature(task.answer).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    return f"{task.name}{inspect.Signature(plain)}"


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def seeded(seed: int) -> torch.Generator:
    """A generator of random numbers for the cases of a seed."""
    return torch.Generator().manual_seed(seed)
