"""The sections of the course, as plain data, and what each notebook says about itself.

One source for the course map, the README's map, the lines that lead from notebook to notebook, and the record of what
has been run. Minutes and goals are read from the notebooks, where the reader sees them.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["EXERCISES", "EXERCISE_SOURCES", "SECTIONS", "Page", "Section", "pages"]

# Beside the notebooks; a section has an exercise as soon as the file is there: in what students get the first of these,
# and where exercises are written the second.
EXERCISES = "exercises/ex{number}.ipynb"
EXERCISE_SOURCES = "exercises/source/ex{number}/ex{number}.ipynb"


@dataclass(frozen=True)
class Section:
    """A section of the lecture; `ability` ends the sentence "after it you can ..."."""

    number: str
    title: str
    ability: str
    equations: tuple[int, ...] = ()
    figures: tuple[int, ...] = ()

    @property
    def lecture(self) -> str:
        """The numbers that lead from a slide to a cell.

        >>> Section("04", "Penalties", "", (5, 6, 7, 8, 9), (9,)).lecture
        'equations (5) to (9), figure 9'
        """
        parts = []
        if self.equations:
            parts.append(_span("equation", [f"({n})" for n in self.equations]))
        if self.figures:
            parts.append(_span("figure", [str(n) for n in self.figures]))
        return ", ".join(parts) or f"section {self.number}"


def _span(word: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{word} {names[0]}"
    return f"{word}s {names[0]} {'and' if len(names) == 2 else 'to'} {names[-1]}"


SECTIONS = (
    Section(
        "01",
        "Building and optimizing a neural network",
        "build a network, train it, and say what its learning rate, batch size, width and depth do",
        (1, 2, 3, 4),
        (2,),
    ),
    Section(
        "02",
        "Some applications of neural networks",
        "say what networks are used for, and what each use costs in parameters and bytes",
    ),
    Section(
        "03",
        "Do we need all these parameters?",
        "show in several ways that a network has more parameters than its task needs",
        (),
        (7,),
    ),
    Section(
        "04",
        "Sparse and group-sparse penalties",
        "make weights, inputs and whole neurons exactly zero while a network trains",
        (5, 6, 7, 8, 9),
        (9, 10, 11),
    ),
    Section(
        "05",
        "Limited-precision arithmetic",
        "store a network with few bits for each number, and train it so",
        (),
        (12, 13),
    ),
    Section(
        "06",
        "Binary neural networks",
        "train a network whose weights are only −1 and +1",
        (10, 11, 12),
    ),
    Section(
        "07",
        "Multi-stage compression: Deep Compression",
        "turn a trained network into a small file: prune, share values, code",
        (),
        (5, 6),
    ),
    Section(
        "08",
        "Distilling the knowledge",
        "train a small network with the help of a large one",
    ),
    Section(
        "09",
        "Flexible activation functions",
        "give each neuron an activation that learns its shape",
        (13, 14, 15, 16, 17, 18, 19, 20),
        (15, 16, 17),
    ),
    Section(
        "10",
        "Conclusions",
        "combine the methods, and measure what they really save",
    ),
)


@dataclass(frozen=True)
class Page:
    """A section together with its notebook, where there is one."""

    section: Section
    path: Path | None  # of the notebook
    exercise: Path | None = None

    @cached_property
    def cells(self) -> list[dict[str, Any]]:
        """The notebook's cells; none where there is no notebook."""
        if self.path is None:
            return []
        return list(json.loads(self.path.read_text(encoding="utf-8"))["cells"])

    @property
    def minutes(self) -> int | None:
        """The time that the notebook says it needs."""
        match = re.search(r"time needed: about (\d+) minutes", self._first)
        return int(match[1]) if match else None

    @property
    def goals(self) -> list[str]:
        """What the notebook promises under "Goals"."""
        match = re.search(r"\*\*Goals\.\*\*.*?\n\n((?:- .*(?:\n|$))+)", self._first)
        return [line.removeprefix("- ").rstrip(",.; ") for line in match[1].splitlines()] if match else []

    @property
    def _first(self) -> str:
        return "".join(self.cells[0]["source"]) if self.cells else ""


def pages(folder: Path) -> list[Page]:
    """All sections of the course in their order, with what `folder` holds of them."""
    course = []
    for section in SECTIONS:
        notebooks = sorted(folder.glob(f"{section.number}_*.ipynb"))
        exercises = [folder / pattern.format(number=section.number) for pattern in (EXERCISES, EXERCISE_SOURCES)]
        course.append(Page(section, next(iter(notebooks), None), next(filter(Path.is_file, exercises), None)))
    return course
