"""Work that lets others have their turn."""

import time

import pytest

from course_utils._support.pauses import in_a_thread, without_pauses
from course_utils.data import load_dataset
from course_utils.experiments.parameters.federated import run_rounds


def test_work_in_a_thread_lets_others_have_their_turn() -> None:
    work = in_a_thread(lambda: time.sleep(0.2))
    assert sum(1 for _ in work) >= 3


def test_an_error_in_a_thread_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        without_pauses(in_a_thread(lambda: 1 / 0))


def test_clients_pause_after_each_step() -> None:
    rounds = run_rounds(
        load_dataset("digits"), clients=10, epochs=1, split="even", fraction=1.0, bits_up=4, bits_down=32
    )
    pauses = 0
    for done in rounds:
        pauses += done is None
        if done is not None and len(done.full) == 2:
            break
    assert pauses > 10
