"""Whether a function does what a task asks for; if not, what is wrong, a counterexample, and the hint that fits.

The judge never runs the function itself: it asks `call` for the outcome of each case. In the notebook that is a call;
when a submission is graded the function runs in a process of its own, and only what it returned arrives here.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils._support.unwritten import unwritten
from course_utils.exercises.task import Case, Task

__all__ = ["Outcome", "Verdict", "call_here", "difference", "judge"]

EDGE_SHARE = 0.25  # of a task's points, where only edge cases are wrong
NOT_BEGUN = "The task has not been begun."
# A bare error, with no more than its place behind it: PyTorch's errors of this type have a message.
BARE = re.compile(r"NotImplementedError:?\s*(\(line \d+ of [^)]*\))?")


@dataclass(frozen=True)
class Outcome:
    """What a function returned for a case, the error that it raised, as ``"ValueError: ..."``, or why neither came."""

    value: Any = None
    error: str = ""
    lost: str = ""  # such as "the process ended"
    changed: bool = False  # whether the function changed the arguments that it was given


@dataclass(frozen=True)
class Verdict:
    """How a function did: how many cases are right, and of a wrong one the problem, the hint, and what came back."""

    passed: int
    total: int
    points: float
    problem: str = ""
    mistake: str = ""
    hint: str = ""
    case: Case | None = None
    outcome: Outcome | None = None

    @property
    def right(self) -> bool:
        """Whether every case is right."""
        return self.passed == self.total


def judge(task: Task, call: Callable[[Case], Outcome], cases: Sequence[Case]) -> Verdict:
    """Try a task's function on all cases.

    Full points if all are right; if only edge cases are wrong, a quarter of the points less; otherwise none.
    """
    outcomes = []
    for case in cases:
        outcomes.append(call(case))
        if BARE.fullmatch(outcomes[-1].error):
            return Verdict(0, len(cases), 0, NOT_BEGUN, "not begun", "", case, outcomes[-1])
    expected = [task.expected(case) for case in cases]
    problems = [wrong(outcome, right, task.tolerance) for outcome, right in zip(outcomes, expected, strict=True)]
    failing = [i for i, problem in enumerate(problems) if problem]
    if not failing:
        return Verdict(len(cases), len(cases), task.points)
    only_edges = len(failing) < len(cases) and all(cases[i].edge for i in failing)
    points = task.points * (1 - EDGE_SHARE) if only_edges else 0
    # An ordinary case tells more than an edge case, and the smallest is the easiest to think through.
    worst = min(failing, key=lambda i: (bool(cases[i].edge), _size(cases[i]), i))
    name, hint = _hint(task, list(zip(cases, outcomes, expected, strict=True)))
    return Verdict(
        len(cases) - len(failing), len(cases), points, problems[worst], name, hint, cases[worst], outcomes[worst]
    )


def call_here(function: Callable[..., Any]) -> Callable[[Case], Outcome]:
    """A caller for `judge` that runs `function` in this process.

    >>> call_here(lambda x: x / 0)(Case((1,))).error
    'ZeroDivisionError: division by zero'
    """

    def call(case: Case) -> Outcome:
        copy = case.copy()
        try:
            value = function(*copy.args, **copy.kwargs)
        except Exception as problem:
            name = unwritten(problem)
            if name and name != function.__name__:
                return Outcome(lost=f"it calls {name}, which has not been begun")
            return Outcome(error=f"{type(problem).__name__}: {problem}")
        return Outcome(value, changed=changed(case, copy))

    return call


def changed(before: Case, after: Case) -> bool:
    """Whether a call left other arguments behind than it was given."""
    pairs = zip((*before.args, *before.kwargs.values()), (*after.args, *after.kwargs.values()), strict=True)
    return any(isinstance(a, Tensor) and not torch.equal(a, b) for a, b in pairs)


def wrong(outcome: Outcome, expected: Any, tolerance: float) -> str:
    """What is wrong with an outcome, in a sentence; empty if nothing is."""
    if outcome.lost:
        return f"No result came back: {outcome.lost}."
    if outcome.error:
        return f"It raises {outcome.error}"
    if outcome.value is None and expected is not None:
        return "It returns nothing (None): is a `return` missing?"
    problem = difference(outcome.value, expected, tolerance)
    if not problem and outcome.changed:
        return "It changes the tensor that it was given; work on a copy, with w.clone()."
    return problem


def difference(got: Any, expected: Any, tolerance: float) -> str:
    """How `got` differs from `expected`, in a sentence; empty if it does not, beyond the tolerance.

    A number may come as a tensor or an array of one entry, a sequence as a tuple or a list, a tensor as an array or a
    list of numbers.

    >>> difference(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]), 1e-4)
    'At [1] it returns 2, and 4 is right.'
    """
    if isinstance(got, Tensor) and (unusual := _unusual(got)):
        return f"It returns {unusual}, and ordinary real numbers are asked for."
    if isinstance(expected, (tuple, list)):
        return _sequence(got, expected, tolerance)
    if isinstance(expected, bool):
        single = got.item() if _entries(got) == 1 else got
        return "" if single is expected else f"It returns {_kind(single)}, and {expected} is right."
    if isinstance(expected, (int, float)):
        return _tensor(got, torch.tensor(float(expected), dtype=torch.float64), tolerance)
    if isinstance(expected, np.ndarray):
        expected = torch.from_numpy(expected)
    if isinstance(expected, Tensor):
        return _tensor(got, expected, tolerance)
    same = isinstance(got, type(expected)) and got == expected
    return "" if same else f"It returns {_kind(got)}, and {expected!r} is right."


def _sequence(got: Any, expected: Sequence[Any], tolerance: float) -> str:
    if not isinstance(got, (tuple, list)):
        return f"It returns {_kind(got)}, and {len(expected)} things are asked for, as in `return a, b`."
    if len(got) != len(expected):
        return f"It returns {len(got)} things, and {len(expected)} are asked for."
    for place, (value, right) in enumerate(zip(got, expected, strict=True), 1):
        if problem := difference(value, right, tolerance):
            return f"Of what it returns, thing {place}: {problem}"
    return ""


def _tensor(got: Any, expected: Tensor, tolerance: float) -> str:
    if isinstance(got, (bool, int, float)):
        got = torch.tensor(_as_float(got), dtype=torch.float64)
    elif isinstance(got, (np.ndarray, np.generic)):
        got = _from_numpy(got)
    if isinstance(got, (list, tuple)) and expected.ndim:
        got = _listed(got)
    if not isinstance(got, Tensor):
        what = "a number" if expected.ndim == 0 else "a tensor"
        return f"It returns {_kind(got)}, and {what} is asked for."
    got, shape = got.detach(), tuple(expected.shape)
    if tuple(got.shape) != shape and not (expected.ndim == 0 and got.numel() == 1):
        return f"It returns a tensor of shape {tuple(got.shape)}, and {shape if shape else 'a single number'} is right."
    got, expected = got.reshape(shape).double(), expected.double()
    size = float(expected[expected.isfinite()].abs().max()) if expected.isfinite().any() else 1.0
    off = ~torch.isclose(got, expected, rtol=tolerance, atol=tolerance * max(size, 1e-12), equal_nan=True)
    if not off.any():
        return ""
    place = [int(i) for i in off.nonzero()[0]]
    where = f"At {place} it" if place else "It"
    return f"{where} returns {float(got[tuple(place)]):.6g}, and {float(expected[tuple(place)]):.6g} is right."


def _unusual(x: Tensor) -> str:
    """What kind of tensor it is whose numbers cannot be compared; empty for all others."""
    if x.is_meta:
        return 'a tensor on the device "meta", which has no numbers'
    if x.is_complex():
        return "complex numbers"
    if x.is_quantized:
        return "a quantized tensor"
    return "a sparse or nested tensor" if x.is_nested or x.layout != torch.strided else ""


def _as_float(number: float) -> float:
    """A number as it is compared; one that is too large for that is infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _from_numpy(x: "np.generic | np.ndarray[Any, Any]") -> Any:
    """Real numbers as a tensor, in whichever order they have their bytes; anything else as it is."""
    if x.dtype.kind not in "biuf":
        return x
    array = np.array(x, order="C")
    return torch.from_numpy(array.astype(np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")))


def _listed(got: Any) -> Any:
    """A list of numbers, or of equally long lists of them, as a tensor; anything else as it is."""
    try:
        return torch.as_tensor(got, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return got


def _entries(value: Any) -> int:
    """Of how many entries a tensor or an array is made; 0 for anything else."""
    if isinstance(value, Tensor):
        return value.numel()
    return value.size if isinstance(value, (np.ndarray, np.generic)) else 0


def _kind(value: Any) -> str:
    """What a value is, in plain words."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)[:200]
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _hint(task: Task, tried: list[tuple[Case, Outcome, Any]]) -> tuple[str, str]:
    """The known mistake that gives just these results, if there is one."""
    values = [(case, outcome, right) for case, outcome, right in tried if not (outcome.error or outcome.lost)]
    if not any(difference(outcome.value, right, task.tolerance) for _, outcome, right in values):
        return ("changes its argument", "") if any(outcome.changed for _, outcome, _ in values) else ("", "")
    for mistake in task.mistakes:
        if all(_reproduces(mistake.result, case, outcome.value, task.tolerance) for case, outcome, _ in values):
            return mistake.name, mistake.hint
    return "", ""


def _reproduces(result: Callable[..., Any], case: Case, got: Any, tolerance: float) -> bool:
    """Whether a mistake gives `got` for this case."""
    copy = case.copy()
    try:
        return not difference(got, result(*copy.args, **copy.kwargs), tolerance)
    except Exception:
        return False  # the mistake is not to be made with these arguments


def _size(case: Case) -> float:
    values = (*case.args, *case.kwargs.values())
    return math.fsum(value.numel() if isinstance(value, Tensor) else 1 for value in values)
