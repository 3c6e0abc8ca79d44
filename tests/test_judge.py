"""What the judge of the exercises takes for an answer."""

import numpy as np
import pytest
import torch

from course_utils.exercises.judge import difference

RIGHT = torch.tensor([1.0, 8.0, 3.0])


@pytest.mark.parametrize("got", [[1, 8, 3], (1.0, 8.0, 3.0), list(RIGHT), RIGHT.numpy(), RIGHT.double()], ids=type)
def test_a_tensor_may_come_as_a_list_or_an_array(got: object) -> None:
    assert difference(got, RIGHT, 1e-4) == ""


@pytest.mark.parametrize(
    ("got", "said"),
    [
        ([1, 7, 3], "At [1] it returns 7, and 8 is right."),
        ([1, 8], "It returns a tensor of shape (2,), and (3,) is right."),
        ([1, [8, 3]], "It returns a list, and a tensor is asked for."),
        (["1", "8", "3"], "It returns a list, and a tensor is asked for."),
        ([None, 8, 3], "It returns a list, and a tensor is asked for."),
    ],
    ids=str,
)
def test_a_wrong_list_is_told_from_a_right_one(got: object, said: str) -> None:
    assert difference(got, RIGHT, 1e-4) == said


def test_a_number_may_not_come_as_a_list() -> None:
    assert difference([3.0], 3.0, 1e-4) == "It returns a list, and a number is asked for."


def test_no_numbers_at_all_may_come_as_an_empty_list() -> None:
    assert difference([], torch.zeros(0), 1e-4) == ""


@pytest.mark.parametrize(
    ("got", "said"),
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
def test_yes_or_no_may_come_as_one_entry_and_as_nothing_else(got: object, said: str) -> None:
    assert difference(got, True, 1e-4) == said


def test_a_tensor_where_a_word_is_asked_for_is_wrong() -> None:
    assert difference(torch.zeros(2), "rows", 1e-4) == "It returns a tensor of shape (2,), and 'rows' is right."
