"""What is trained once in a process is never handed out itself: a change by one reader is none for the next."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from course_utils.experiments.applications.captions import spellers
from course_utils.experiments.applications.classifier import classifiers
from course_utils.experiments.applications.translator import translators
from course_utils.experiments.binary.regularizers import noises
from course_utils.experiments.distilling.teacher import teacher
from course_utils.experiments.lesson import trained_network
from course_utils.experiments.sparsity.lambda_path import lambda_path, plan_for
from course_utils.experiments.storage.pruning_path import pruning_path

KEPT: dict[str, Callable[[], Any]] = {
    "trained_network": lambda: trained_network("digits"),
    "noises": lambda: noises("digits", epochs=1, hidden=8),
    "pruning_path": lambda: pruning_path("digits", epochs=1),
    "classifiers": lambda: classifiers("digits", epochs=1),
    "spellers": lambda: spellers("digits", epochs=1),
}
LONGER: dict[str, Callable[[], Any]] = {
    "translators": lambda: translators("digits", epochs=1),
    "teacher": lambda: teacher("digits"),
    "lambda_path": lambda: lambda_path("digits", plan=plan_for("digits")),
}


def arrays(thing: Any, seen: set[int]) -> Iterator[Tensor | np.ndarray]:
    """All tensors and arrays that a reader can reach."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, (Tensor, np.ndarray)):
        yield thing
    elif isinstance(thing, nn.Module):
        yield from thing.state_dict().values()
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from arrays(value, seen)
    elif isinstance(thing, (list, tuple)):
        for value in thing:
            yield from arrays(value, seen)
    elif type(thing).__module__.startswith("course_utils"):
        yield from arrays(vars(thing), seen)


def values(array: Tensor | np.ndarray) -> np.ndarray:
    return array.detach().numpy().copy() if isinstance(array, Tensor) else array.copy()


@pytest.mark.parametrize("name", [*KEPT, *(pytest.param(name, marks=pytest.mark.slow) for name in LONGER)])
def test_what_a_reader_changes_stays_with_them(name: str) -> None:
    make = (KEPT | LONGER)[name]
    before = [values(array) for array in arrays(make(), set())]
    assert before
    for array in arrays(make(), set()):
        array[...] = 0
    for now, then in zip(arrays(make(), set()), before, strict=True):
        np.testing.assert_array_equal(values(now), then)
