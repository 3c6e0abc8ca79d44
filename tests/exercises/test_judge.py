"""What the judge of the exercises takes for an answer."""

import numpy as np
import pytest
import torch

from course_utils.exercises.check import is_call, shown_call
from course_utils.exercises.judge import call_here, difference, judge
from course_utils.exercises.task import Case, Task

RIGHT = torch.tensor([1.0, 8.0, 3.0])


@pytest.mark.parametrize("got", [[1, 8, 3], (1.0, 8.0, 3.0), list(RIGHT), RIGHT.numpy(), RIGHT.double()], ids=type)
def test_a_tensor_may_come_as_a_list_or_an_array(got: object) -> None:
    assert difference(got, RIGHT, 1e-4) == ""


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ([1, 7, 3], "At [1] it returns 7, and 8 is right."),
        ([1, 8], "It returns a tensor of shape (2,), and (3,) is right."),
        ([1, [8, 3]], "It returns a list, and a tensor is asked for."),
        (["1", "8", "3"], "It returns a list, and a tensor is asked for."),
        ([None, 8, 3], "It returns a list, and a tensor is asked for."),
    ],
    ids=str,
)
def test_a_wrong_list_is_told_from_a_right_one(got: object, message: str) -> None:
    assert difference(got, RIGHT, 1e-4) == message


def test_a_number_may_not_come_as_a_list() -> None:
    assert difference([3.0], 3.0, 1e-4) == "It returns a list, and a number is asked for."


def test_no_numbers_at_all_may_come_as_an_empty_list() -> None:
    assert difference([], torch.zeros(0), 1e-4) == ""


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (torch.tensor(True), ""),
        (np.array([True]), ""),
        (1, "It returns 1, and True is right."),
        (torch.tensor([True, True]), "It returns a tensor of shape (2,), and True is right."),
        (torch.zeros(0), "It returns a tensor of shape (0,), and True is right."),
        ("yes", "It returns 'yes', and True is right."),
    ],
    ids=repr,
)
def test_yes_or_no_may_come_as_one_entry_and_as_nothing_else(got: object, message: str) -> None:
    assert difference(got, True, 1e-4) == message


def test_a_tensor_where_a_word_is_asked_for_is_wrong() -> None:
    assert difference(torch.zeros(2), "rows", 1e-4) == "It returns a tensor of shape (2,), and 'rows' is right."


@pytest.mark.parametrize(
    ("wrong_cases", "points"), [([], 4), (["edge"], 3), (["ordinary"], 0), (["edge", "ordinary"], 0)], ids=str
)
def test_edge_cases_cost_a_quarter_and_ordinary_ones_all(wrong_cases: list[str], points: float) -> None:
    """The rule that every notebook of exercises states."""

    def double(kind: str) -> int:
        return 1 if kind in wrong_cases else 2

    cases = [Case(("ordinary",)), Case(("ordinary",)), Case(("edge",), edge="at the edge")]
    task = Task("double", "Twice", 4, lambda kind: 2, lambda seed: cases)
    assert judge(task, call_here(double), cases).points == points


def test_a_function_is_not_called_not_begun_for_another_one_s_sake() -> None:
    """The last task calls the first, which is empty; and PyTorch has errors of the stub's type."""

    def first(w: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError()

    def second(w: torch.Tensor) -> torch.Tensor:
        return first(w)

    def third(w: torch.Tensor) -> torch.Tensor:
        return w.long().softmax(0)

    task = Task("second", "Twice", 2, lambda w: 2 * w, lambda seed: [Case((RIGHT,))], ())
    assert judge(task, call_here(first), task.cases(0)).mistake == "not begun"
    verdict = judge(task, call_here(second), task.cases(0))
    assert (verdict.mistake, verdict.problem) == (
        "",
        "No result came back: it calls first, which has not been begun.",
    )
    verdict = judge(task, call_here(third), task.cases(0))
    assert verdict.mistake == ""
    assert verdict.problem.startswith("It raises NotImplementedError: ")


def test_a_counterexample_is_code_whose_columns_stand_below_each_other() -> None:
    call = shown_call("block", Case((torch.tensor([[1.5, -2.0], [0.25, 10.0]]),), {"mask": torch.eye(2), "dim": 0}))
    first, second, third = call.split("\n")
    assert first.index("1.5") == second.index("0.25")
    assert second.index("[1., 0.]") == third.index("[0., 1.]")
    assert third.endswith("dim=0)")
    assert is_call("block", call)
    assert not is_call("block", "block: 1 of 3 cases is right.")
