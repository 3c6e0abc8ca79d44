"""A training that is killed again and again, at any moment, ends with the same bits as one that never was."""

import math
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from surviving import EPOCHS, VARIANTS, Moment, attempt

from course_utils.train.checkpoint import load_checkpoint

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


def moments(kills: int, seed: int) -> list[Moment]:
    """Half of them by the clock, a quarter in the bytes of a checkpoint, a quarter beside the change of its name."""
    rng, kill_moments = random.Random(seed), []
    for number in range(kills):
        write = rng.randint(1, 3)
        if number % 4 == 1:
            kill_moments.append(Moment(write=write, share=rng.random()))
        elif number % 4 == 3:
            kill_moments.append(Moment(write=write, after=rng.random() < 0.5))
        else:
            kill_moments.append(Moment(clock=rng.uniform(0, 0.6)))
    return kill_moments


def survive(variant: str, kills: int, folder: Path, seed: int) -> int:
    """Kill trainings `kills` times, and hold each that came to its end against one that was not killed.

    Returns how many drafts the killed ones left.
    """
    uninterrupted = folder / "uninterrupted.pt"
    seconds = attempt(variant, uninterrupted)
    expected, size = load_checkpoint(uninterrupted).state, uninterrupted.stat().st_size
    assert len(expected["history"]) == EPOCHS
    left, run = moments(kills, seed), 0
    drafts = 0
    while left:
        run += 1
        run_folder = folder / f"run{run}"
        run_folder.mkdir()
        path = run_folder / "c.pt"
        killed = True
        while killed:
            moment = left[0] if left else None
            killed = math.isnan(attempt(variant, path, moment, (seconds, size)))
            if killed:
                left.pop(0)
                drafts += check_folder(path)
            assert run < 10 * kills, "the trainings end before they can be killed"
        assert os.listdir(run_folder) == ["c.pt"]
        same(load_checkpoint(path).state, expected)
    return drafts


def check_folder(path: Path) -> int:
    """After a kill the checkpoint is whole, or there is none yet; returns the number of drafts, at most one."""
    others = [name for name in os.listdir(path.parent) if name != path.name]
    assert all(name.startswith(f".{path.name}-") for name in others)
    assert len(others) <= 1, "drafts pile up"
    if path.exists():
        state = load_checkpoint(path).state
        assert 1 <= len(state["history"]) <= EPOCHS
        assert all(bool(torch.isfinite(w).all()) for w in state["model"].values())
    return len(others)


def same(actual: Any, expected: Any) -> None:
    """The same numbers to the bit, but for the seconds of an epoch."""
    assert type(actual) is type(expected)
    if isinstance(actual, dict):
        assert actual.keys() == expected.keys()
        for key in actual.keys() - {"seconds"}:
            same(actual[key], expected[key])
    elif isinstance(actual, list | tuple):
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            same(a, b)
    elif isinstance(actual, torch.Tensor):
        assert actual.dtype == expected.dtype
        assert torch.equal(actual, expected)
    else:
        assert actual == expected


@pytest.mark.parametrize("variant", ["adam", "prox"])
def test_a_training_that_is_killed_ends_with_the_same_bits(variant: str, tmp_path: Path) -> None:
    assert survive(variant, 4, tmp_path, seed=0) >= 1  # the kill in the middle of a checkpoint left its draft


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_fifty_kills(variant: str, tmp_path: Path) -> None:
    """Ten of each of five trainings, at other moments than above."""
    assert survive(variant, 10, tmp_path, seed=1 + list(VARIANTS).index(variant)) >= 2


def test_the_comparison_sees_a_single_bit() -> None:
    weights = torch.ones(2, 3)
    a: dict[str, Any] = {"model": {"w": weights.clone()}, "history": [{"train_loss": 0.5, "seconds": 1.0}]}
    b: dict[str, Any] = {"model": {"w": weights}, "history": [{"train_loss": 0.5, "seconds": 2.0}]}
    same(a, b)
    weights.view(torch.int32)[1, 2] ^= 1
    with pytest.raises(AssertionError):
        same(a, b)
    weights.view(torch.int32)[1, 2] ^= 1
    same(a, b)
    b["history"][0]["train_loss"] = math.nextafter(0.5, 1)
    with pytest.raises(AssertionError):
        same(a, b)
