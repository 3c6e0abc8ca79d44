"""Networks that spell the names of digits, one for each size of the state, and one while it learns."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.applications.miniature import (
    digit_pictures,
    most_doubtful_first,
    on_one_thread,
    one_thread,
    size_in_words,
)
from course_utils.experiments.applications.speller import NAMES, Speller, spell, spelled, train_speller
from course_utils.experiments.lesson import last
from course_utils.models import count_parameters

__all__ = ["EPOCHS", "STATES", "Course", "Spellers", "learn_to_spell", "rows_by_doubt", "spellers", "spelling_scores"]

STATES = (2, 4, 8, 16, 32)
EPOCHS = 15  # of a training that is watched


class Spellers:
    """A trained network for each of STATES."""

    @one_thread()
    def __init__(self, data: Dataset, *, epochs: int) -> None:
        self.data = data
        self.models: dict[int, Speller] = {}
        for state in STATES:
            self.models[state] = last(train_speller(data, state=state, epochs=epochs))
            self.models[state].eval()

    def __repr__(self) -> str:
        labels = self.data.y_test
        lines = [f"captioning: {len(STATES)} networks, {len(labels):,} test pictures"]
        for state, model in self.models.items():
            right, unknown = spelling_scores(spelled(spell(model, self.data.x_test)[0]), labels)
            lines.append(
                f"state {state:2}: {size_in_words(model):20} names correct {right:6.1%}, no digit's name {unknown:6.1%}"
            )
        return "\n".join(lines)


def spellers(data: str | Dataset = "digits", *, epochs: int = 20) -> Spellers:
    """Train the networks of this panel; by the name of the data, once in a process."""
    return (
        copy.deepcopy(_of_name(data, epochs))
        if isinstance(data, str)
        else Spellers(digit_pictures(data), epochs=epochs)
    )


@lru_cache(maxsize=2)
def _of_name(name: str, epochs: int) -> Spellers:
    return Spellers(digit_pictures(name), epochs=epochs)


def spelling_scores(words: list[str], labels: Tensor) -> tuple[float, float]:
    """The share of words that are the name of their label, and of those that are the name of no digit.

    >>> spelling_scores(["one", "two", "sero", "six"], torch.tensor([1, 3, 0, 6]))
    (0.5, 0.25)
    """
    right = sum(word == NAMES[i] for word, i in zip(words, labels.tolist(), strict=True))
    return right / len(words), sum(word not in NAMES for word in words) / len(words)


def rows_by_doubt(trained: Spellers, count: int) -> list[int]:
    """Rows of test pictures, from those whose first letter the largest network doubts to those that are clear to it."""
    _, p, _ = spell(trained.models[STATES[-1]], trained.data.x_test)
    rows = most_doubtful_first(p[:, 0])
    return rows[torch.linspace(0, len(rows) - 1, count).round().long()].tolist()


@dataclass
class Course:
    """The course of one training; the lists have an entry per epoch, the first before any training."""

    parameters: int
    words: list[str] = field(default_factory=list)  # of the chosen pictures, now
    accuracy: list[float] = field(default_factory=list)  # share of test pictures whose name is right
    unknown: list[float] = field(default_factory=list)  # share of test pictures whose word is no name


def learn_to_spell(data: Dataset, rows: list[int], *, state: int, lr: float, seed: int) -> Iterator[Course | None]:
    """Train a speller, and yield its course before the first epoch and after each; None in a pause between.

    `rows`: of the chosen pictures.
    """
    course: Course | None = None
    for model in on_one_thread(train_speller(data, state=state, epochs=EPOCHS, lr=lr, seed=seed)):
        if model is None:
            yield None
            continue
        course = course or Course(count_parameters(model))
        words = spelled(spell(model, data.x_test)[0])
        accuracy, unknown = spelling_scores(words, data.y_test)
        course.words = [words[row] for row in rows]
        course.accuracy.append(accuracy)
        course.unknown.append(unknown)
        yield course
