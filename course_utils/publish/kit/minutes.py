"""Minutes of each section: those that the notebooks state, the running times of their cells, and plans for lectures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from course_utils._support.words import plural
from course_utils.course.syllabus import Page
from course_utils.publish.kit.lecture import HEADING, above
from course_utils.publish.kit.lesson import Skip

__all__ = ["Chapter", "Plan", "chapters", "plan"]

OPENING = 5  # minutes of a lecture that no section has: to arrive, and to recall the last lecture
BREAK = 5  # between the halves of a double lecture
QUESTION, MISCONCEPTION = 4, 3  # minutes planned for each in class


@dataclass(frozen=True)
class Chapter:
    """A section of a notebook: its number, title and minutes as they stand there, and the ids of its code cells."""

    number: int
    title: str
    minutes: int
    cells: tuple[str, ...] = ()

    def seconds(self, times: Mapping[str, float]) -> float:
        """The running time of those of its cells that have been measured."""
        return sum(times.get(cell, 0.0) for cell in self.cells)


@dataclass(frozen=True)
class Plan:
    """A lecture of some `minutes`: the sections that are shown, those that are left out, and the minutes to spare."""

    minutes: int
    shown: tuple[Chapter, ...]
    left_out: tuple[Skip, ...] = ()
    spare: int = 0
    extras: tuple[str, ...] = field(default=())  # what fills the time beside the sections


def chapters(page: Page) -> list[Chapter]:
    """The sections of a notebook that state their minutes, with their code cells."""
    cells: dict[str, list[str]] = {}
    heads = {}
    for at, cell in enumerate(page.cells):
        if cell["cell_type"] == "markdown":
            for head in HEADING.finditer("".join(cell["source"])):
                heads[head[0]] = head
        elif (section := above(page, at, 0)) is not None:
            cells.setdefault(section[0], []).append(cell["id"])
    return [
        Chapter(int(head[1]), head[2], int(head[3]), tuple(cells.get(text, ())))
        for text, head in heads.items()
        if head[1] and head[3]
    ]


def plan(sections: Sequence[Chapter], skip: Sequence[Skip], minutes: int, *, opening: int = OPENING) -> Plan:
    """A single lecture: sections are left out in the order of `skip` until the others fit.

    Raises: ValueError if even what may be left out does not make room.

    >>> sections = [Chapter(1, "A", 25), Chapter(2, "B", 20), Chapter(3, "C", 15)]
    >>> lecture = plan(sections, [Skip(3, "at home"), Skip(2, "known")], 60)
    >>> [chapter.number for chapter in lecture.shown], lecture.spare
    ([1, 2], 10)
    """
    for count in range(len(skip) + 1):
        left_out = tuple(skip[:count])
        numbers = {skipped.section for skipped in left_out}
        shown = tuple(chapter for chapter in sections if chapter.number not in numbers)
        needed = opening + sum(chapter.minutes for chapter in shown)
        if needed <= minutes:
            return Plan(minutes, shown, left_out, minutes - needed)
    raise ValueError(
        f"the lecture of {minutes} minutes needs {needed} even without {plural(len(skip), 'section')}; "
        "name more sections that can be left out"
    )


def double(sections: Sequence[Chapter], misconceptions: int, questions: int, minutes: int = 90) -> Plan:
    """A double lecture: all sections, a break, and then as many questions and misconceptions as there is time for.

    >>> double([Chapter(1, "A", 45)], misconceptions=5, questions=4).extras
    ('4 questions for class', '5 misconceptions')
    """
    left = minutes - OPENING - BREAK - sum(chapter.minutes for chapter in sections)
    asked = min(questions, left // QUESTION)
    left -= asked * QUESTION
    shown = min(misconceptions, left // MISCONCEPTION)
    extras = [f"{asked} questions for class"] if asked else []
    extras += [f"{shown} misconceptions"] if shown else []
    return Plan(minutes, tuple(sections), (), left - shown * MISCONCEPTION, tuple(extras))
