"""The check below each task: what is wrong, a counterexample, a hint; never the solution."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from torch import Tensor

from course_utils.exercises.judge import Verdict, call_here, judge
from course_utils.exercises.task import Case, Exercise, Task

__all__ = ["Check", "Checked", "is_call"]

WORDS = "white-space: pre-wrap; overflow-wrap: anywhere"
CALL = f"{WORDS}; font-family: var(--jp-code-font-family, monospace); font-size: 93%; margin: .2em 0"


class Check:
    """Tries a student's functions on an exercise's open cases: ``check(function)``."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise

    def __call__(self, function: Callable[..., Any]) -> "Checked":
        """What is wrong with `function`, which is known by its name; below a cell it is shown as a box."""
        name = getattr(function, "__name__", None)
        if not callable(function) or name is None:
            raise TypeError(f"check takes the function itself, as in check(my_function), got {type(function).__name__}")
        task = self.exercise.task(name)
        return Checked(task, judge(task, call_here(function), task.cases(0)))


@dataclass(frozen=True)
class Checked:
    """A verdict as students see it: words, and in a notebook a box."""

    task: Task
    verdict: Verdict

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        first, *rest = self.lines
        mark, colour = ("✓", "#1B7F3B") if self.verdict.right else ("✗", "#B3261E")
        styles = [CALL if is_call(self.task.name, line) else WORDS for line in rest]
        body = "".join(f"<div style='{style}'>{escape(line)}</div>" for style, line in zip(styles, rest, strict=True))
        return (
            f"<div role='status' style='border-left: 6px solid {colour}; padding: .4em .9em; margin: .3em 0'>"
            f"<strong>{mark} {escape(first)}</strong>{body}</div>"
        )

    @property
    def lines(self) -> list[str]:
        """The verdict in words, the outcome first."""
        task, verdict = self.task, self.verdict
        if verdict.right:
            return [f"{task.name}: all {verdict.total} cases are right."]
        if verdict.mistake == "not begun":
            return [f"{task.name}: not begun yet."]
        lines = [
            f"{task.name}: {verdict.passed} of {verdict.total} cases {'is' if verdict.passed == 1 else 'are'} right."
        ]
        if verdict.case is not None:
            lines += counterexample(task, verdict.case, verdict.problem)
        if verdict.hint:
            lines.append(f"Hint: {verdict.hint}")
        return lines


def is_call(task: str, line: str) -> bool:
    """Whether a line of a verdict is the call that went wrong, which is set in a monospaced font."""
    return line.startswith(f"{task}(")


def counterexample(task: Task, case: Case, problem: str) -> list[str]:
    """A case that is wrong, in words: what is special about it, the call, and what came back."""
    edge = f" ({case.edge})" if case.edge else ""
    return [f"For example{edge}:", shown_call(task.name, case), problem]


def shown_call(name: str, case: Case) -> str:
    """A call as one would type it, long tensors cut.

    >>> shown_call("half", Case((Tensor([1.0, 2.0]),), {"bits": 3}))
    'half(tensor([1., 2.]), bits=3)'
    """
    text, separator = f"{name}(", ""
    for key, value in [*(("", value) for value in case.args), *((f"{key}=", v) for key, v in case.kwargs.items())]:
        text += separator + key
        text += _shown(value, column=len(text.rpartition("\n")[2]))
        separator = ", "
    return f"{text})"


def _shown(value: Any, column: int) -> str:
    """A value as it is typed from this column on; the rows of a matrix stand below each other."""
    if not isinstance(value, Tensor):
        return getattr(value, "__name__", None) or repr(value)
    prefix = " " * column + "tensor("
    numbers = np.array2string(
        value.numpy(), separator=", ", threshold=40, edgeitems=2, precision=4, prefix=prefix, max_line_width=100
    )
    return f"tensor({numbers})"
