"""A cell of a notebook, as JSON holds it: its text, its name in the exercise, and the exercise that it speaks of."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

__all__ = ["Cell", "clear_outputs", "exercise_of", "name_of", "set_source", "source_of", "strings"]

Cell = dict[str, Any]
CALLS = re.compile(r"""\b(?:exercise|hand_in)\(\s*["'](\w+)["']""")


def source_of(cell: Cell) -> str:
    """A cell's text.

    >>> source_of({"source": ["a = 1\\n", "b = 2"]})
    'a = 1\\nb = 2'
    """
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(strings(source))


def set_source(cell: Cell, text: str) -> None:
    """Give a cell another text, line by line as notebooks store it."""
    cell["source"] = text.splitlines(keepends=True)


def clear_outputs(cell: Cell) -> None:
    """Take out what a code cell has shown; cells of other types stay as they are."""
    if cell["cell_type"] == "code":
        cell["outputs"] = []


def name_of(cell: Cell) -> str:
    """The name of a cell in its exercise (nbgrader's grade_id); empty for a cell that a student has added."""
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def exercise_of(cells: Iterable[Cell], known: Iterable[str]) -> str:
    """The exercise that most cells belong to, by their names and by the calls in them; empty if none of the `known`.

    >>> setup = {"metadata": {}, "source": 'check = exercise("ex04")'}
    >>> exercise_of([setup, {"metadata": {"nbgrader": {"grade_id": "ex05-round"}}}, setup], ["ex04", "ex05"])
    'ex04'
    """
    mentions: Counter[str] = Counter()
    for cell in cells:
        mentions.update([name_of(cell).split("-")[0], *CALLS.findall(source_of(cell))])
    counts = {name: mentions[name] for name in known if mentions[name]}
    return max(counts, key=counts.__getitem__) if counts else ""


def strings(values: Any) -> list[str]:
    """The texts in a list; empty for anything else."""
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
