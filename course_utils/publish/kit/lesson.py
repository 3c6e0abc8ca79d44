"""What a lecturer wants to know of a section: misconceptions, questions for class, and the panels that answer them."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Lesson", "Misconception", "Question", "Skip", "Step", "lesson_of"]


@dataclass(frozen=True)
class Step:
    """One move in front of the class.

    `settings`: controls by their labels and values by their texts, both as they stand on the screen; a switch is "on"
    or "off", a button is "press". `observation`: the end of the sentence "You see ...". `holds`: whether the panel
    really shows that; `compared`: whether its result and that of the step before relate as `observation` says.
    """

    settings: Mapping[str, str]
    observation: str
    holds: Callable[[Any], bool]
    compared: Callable[[Any, Any], bool] = lambda now, before: True


@dataclass(frozen=True)
class Misconception:
    """What students tend to believe (`claim`), what is true instead, and the moves of a panel that show it.

    `panel` is the function that makes the panel, as the notebook calls it. The steps begin where its cell opens it, and
    each goes on from the one before.
    """

    claim: str
    truth: str
    panel: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Question:
    """A question that the class answers before anyone moves a control, with the answer and the moves that show it."""

    ask: str
    answer: str
    panel: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Skip:
    """A section of the notebook that can be left out, and what the students then miss."""

    section: int
    why: str


@dataclass(frozen=True)
class Lesson:
    """Misconceptions, questions and sections to leave out, for one notebook.

    `titles`: the titles of the panels that are named; `skip`: the sections to leave out, in this order.
    """

    number: str
    titles: Mapping[str, str]
    misconceptions: tuple[Misconception, ...]
    questions: tuple[Question, ...]
    skip: tuple[Skip, ...]

    @property
    def entries(self) -> tuple[Misconception | Question, ...]:
        """Misconceptions and questions, in their order."""
        return self.misconceptions + self.questions


def lesson_of(number: str) -> Lesson:
    """The lesson of a section by its number.

    Raises: ModuleNotFoundError where a section has none.

    >>> lesson_of("04").number
    '04'
    """
    lesson: Lesson = importlib.import_module(f"course_utils.publish.kit.section_{number}").LESSON
    return lesson
