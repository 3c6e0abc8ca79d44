"""A part of a measured table: rows whose every number knows the results that it came from."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from course_utils._support.markdown import table
from course_utils.tables.measured.claim import Claim
from course_utils.tables.measured.table import columns_of_numbers

__all__ = ["Result", "Row", "Section", "mean_of"]


class Result(dict[str, Any]):
    """What one piece of work returned, with the `seconds` of one core that it took: other programs do not count.

    `record` is all that the journal holds of it, `title` what it was.
    """

    def __init__(self, title: str, record: dict[str, Any]) -> None:
        super().__init__(record["values"]["result"], seconds=record["values"]["CPU seconds"])
        self.title, self.record = title, record
        self.settings: dict[str, Any] = record["settings"]

    def __missing__(self, key: str) -> Any:
        raise ValueError(
            f"the record of {self.title!r} has no {key!r}: another version of the course measured it; delete the "
            "table's folder and run it again"
        )


def mean_of(results: Sequence[Result], key: str) -> float:
    """The mean of a value over the results, one for each seed."""
    return sum(result[key] for result in results) / len(results)


@dataclass(frozen=True)
class Row:
    """Cells of text, and the results that their numbers come from; without results the numbers are published ones."""

    cells: Sequence[str]
    results: Sequence[Result] = ()


@dataclass(frozen=True)
class Section:
    """A part of a table. `text` says what was done, `remark` what was reached; both are Markdown.

    `draw` draws the part's picture into an empty matplotlib figure; `name`, unique in the table, is how a notebook asks
    for the part, and the stem of the picture's file; by default it is made of the title. `claims` are the published
    numbers beside the measured ones; their records are results. `missing`: why it is not measured, or not all of it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Row]
    text: str = ""
    remark: str = ""
    draw: Callable[[Any], object] | None = field(default=None, compare=False)
    name: str = ""
    claims: Sequence[Claim] = ()
    missing: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", "-".join(re.findall("[a-z0-9]+", self.title.lower())))

    def __str__(self) -> str:
        """The part as Markdown, to be printed."""
        rows = table(self.head, [row.cells for row in self.rows], align=columns_of_numbers(self.head))
        blocks = [f"## {self.title}", self.text, rows if self.rows else "", self.remark]
        return "\n\n".join(filter(None, blocks)) + "\n"
