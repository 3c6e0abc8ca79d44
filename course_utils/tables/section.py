"""A part of a measured table: rows whose every number knows the results that it came from."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from course_utils.tables.measured import Claim

__all__ = ["Result", "Row", "Section", "columns", "spread"]


class Result(dict[str, Any]):
    """What one piece of work returned, with the `seconds` of one core that it took: other programs do not count.

    `record` is all that is kept of it, `title` what it was.
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
    numbers beside the measured ones; their records are results.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Row]
    text: str = ""
    remark: str = ""
    draw: Callable[[Any], object] | None = field(default=None, compare=False)
    name: str = ""
    claims: Sequence[Claim] = ()

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", "-".join(re.findall("[a-z0-9]+", self.title.lower())))

    def lines(self) -> Iterator[str]:
        """The part as lines of Markdown."""
        parts = (
            [f"## {self.title}"],
            [self.text],
            list(columns([self.head, *(r.cells for r in self.rows)])) if self.rows else [],
            [self.remark],
        )
        for part in parts:
            if any(part):
                yield from part
                yield ""


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The mean, with the standard deviation where there are several.

    >>> spread([1.0, 1.2, 1.1]), spread([2.0]), spread([-0.1, -0.3], "+.1f")
    ('1.10 ± 0.10', '2.00', '−0.2 ± 0.1')
    """
    text = format(mean(values), form).replace("-", "−")
    return f"{text} ± {format(stdev(values), form.lstrip('+'))}" if len(values) > 1 else text


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of text as lines of a Markdown table; the first row is its head.

    >>> list(columns([["a", "bytes"], ["x", "12"]]))
    ['| a | bytes |', '|---|------:|', '| x |    12 |']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield "|".join(["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]), ""])
