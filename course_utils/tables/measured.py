"""The lecture's tables as this course has measured them: `measured` shows them beside the published numbers.

The numbers are those of `measured.json`, which `course table --publish` writes: nothing is typed in, and each row knows
the command, the commit, the seed and the data that it came from.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from course_utils._support.check import one_of
from course_utils._support.paths import MEASURED, NOTEBOOKS

__all__ = ["Claim", "Part", "Table", "listed", "measured", "measured_tables", "table_from"]

REPORT = "tables/README.md"  # beside the notebooks
# Beside the notebook that runs, or in the clone that this package was installed from.
PICTURES = (Path("tables/pictures"), NOTEBOOKS / "tables" / "pictures")


@dataclass(frozen=True)
class Claim:
    """A published number, and what was measured here in its place, one number for each seed.

    published: as printed, since its digits say how exact it is. quantity: what is counted, with its unit. best: what no
    method could beat, 0 for errors and 100 for an accuracy in percent; None where only the same number is right, as for
    parameters. note: why the two cannot be compared; empty where they can. records: where the measured numbers come
    from.
    """

    what: str
    quantity: str
    published: str
    measured: Sequence[float]
    best: float | None
    records: Sequence[Any] = ()
    note: str = ""

    @property
    def target(self) -> float:
        """The published number."""
        return float(self.published.replace(",", ""))

    @property
    def value(self) -> float:
        """The mean over the seeds."""
        return mean(self.measured)

    @property
    def digits(self) -> int:
        """Digits after the point of the published number."""
        return len(self.published.partition(".")[2])

    @property
    def reached(self) -> bool:
        """Whether the measured number, rounded as the published one is, is at least as good, or the same."""
        if self.best is None:
            return self.value == self.target
        return abs(self.best - round(self.value, self.digits)) <= abs(self.best - self.target) + 1e-9

    @property
    def in_spread(self) -> bool:
        """Whether the two differ by less than the standard deviation over the seeds."""
        return len(self.measured) > 1 and abs(self.value - self.target) < stdev(self.measured)

    @property
    def text(self) -> str:
        """The measured number with a digit more than the published one, and its spread over the seeds."""
        several = len(self.measured) > 1
        digits = self.digits + 1 if self.digits or several else 0  # a single count has no more digits
        mean_text = f"{self.value:,.{digits}f}"
        return f"{mean_text} ± {stdev(self.measured):.{digits}f}" if several else mean_text

    def times(self, value: float) -> float:
        """How far `value` is from the best, as a multiple of how far the published number is: 2 for twice the errors.

        Without a best it is the multiple of the published number.

        >>> claim = Claim("stochastic", "accuracy (%)", "98.0", [99.0], best=100)
        >>> claim.times(99.0), claim.times(96.0)
        (0.5, 2.0)
        """
        best = self.best or 0.0
        return abs(best - value) / abs(best - self.target)


@dataclass(frozen=True)
class Part:
    """A part of a table.

    head: the columns. rows: cells of text. records: for each row where its numbers come from; empty for a published
    row. `text` says what was done, `remark` what was reached; `picture` is the name of a file beside the report.
    `claims` are the published numbers beside the measured ones.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    records: Sequence[Sequence[Mapping[str, Any]]]
    text: str
    remark: str
    picture: str
    claims: Sequence[Claim] = ()

    def table(self) -> Iterator[str]:
        """Its rows as a Markdown table; no line breaks before or after ±."""
        yield f"| {' | '.join(self.head)} |"
        yield f"|---|{'---:|' * (len(self.head) - 1)}"
        for cells in self.rows:
            yield f"| {' | '.join(cells)} |".replace(" ± ", "\u00a0±\u00a0")

    def lines(self) -> Iterator[str]:
        """The part as lines of Markdown."""
        yield from (f"**{self.title}**", *(["", *self.table()] if self.rows else []))
        if self.remark:
            yield from ("", self.remark)
        if self.text:
            yield from ("", f"<details><summary>How this was measured</summary>\n\n{self.text}\n\n</details>")


@dataclass(frozen=True)
class Table:
    """A measured table of the lecture; a notebook shows it as tables with their sources, and with pictures."""

    name: str
    title: str
    section: str
    level: str
    records: Sequence[Mapping[str, Any]]
    parts: Sequence[Part]

    @property
    def sources(self) -> str:
        """The command, the commits, the seeds, the data and the time behind the parts, in two sentences."""
        used = {id(record): record for part in self.parts for row in part.records for record in row}.values()
        if not used:
            return "Nothing of this is measured."
        origins = [record["origin"] for record in used]
        seeds = sorted({record["settings"]["seed"] for record in used if "seed" in record["settings"]})
        data = sorted({f"{name} ({digest[:8]})" for record in used for name, digest in record["data"].items()})
        facts = [
            f"Measured by {listed('`' + origin['command'] + '`' for origin in origins)}",
            f"commit {listed(origin['commit'] for origin in origins)}",
            *([f"seed{'s' * (len(seeds) > 1)} {listed(map(str, seeds))}"] if seeds else []),
            *([f"data {listed(data)}"] if data else []),
            f"{sum(record['CPU seconds'] for record in used) / 60:.1f} minutes of one core",
        ]
        return f"{', '.join(facts)}. [Where each number comes from]({REPORT}#{self.name})."

    def __repr__(self) -> str:
        return "\n\n".join([*("\n".join(part.lines()) for part in self.parts), f"*{self.sources}*"])

    def _ipython_display_(self) -> None:
        """In a notebook: each part with the report's picture of it, where that is at hand, and then the sources."""
        from IPython.display import display

        def show(text: str) -> None:
            display({"text/markdown": text, "text/plain": text}, raw=True)

        for part in self.parts:
            show("\n".join(part.lines()))
            pictures = [folder / part.picture for folder in PICTURES if part.picture]
            for picture in [path for path in pictures if path.is_file()][:1]:
                alt = f"{part.title}: a picture of what its table above was made of."
                shown = {"image/png": b64encode(picture.read_bytes()).decode(), "text/plain": alt}
                display(shown, raw=True, metadata={"image/png": {"alt": alt}})
        show(f"*{self.sources}*")


def measured(table: str, *parts: str) -> Table:
    """A table by its name, or those of its parts that are named.

    Raises: ValueError for a table or a part that is not there.

    >>> measured("shallow")
    Traceback (most recent call last):
        ...
    ValueError: table must be one of ...
    """
    tables = measured_tables()
    one_of("table", table, list(tables))
    whole = tables[table]
    for part in parts:
        one_of("part", part, [one.name for one in whole.parts])
    if not parts:
        return whole
    return Table(
        whole.name,
        whole.title,
        whole.section,
        whole.level,
        whole.records,
        [one for one in whole.parts if one.name in parts],
    )


def measured_tables() -> dict[str, Table]:
    """All tables that were measured, in the lecture's order."""
    return {name: table_from(name, content) for name, content in _read(MEASURED)["tables"].items()}


def table_from(name: str, content: Mapping[str, Any]) -> Table:
    """A table from what `measured.json` holds of it: there a row names its records by their numbers, from 1."""
    records = content["records"]

    def claim(plain: Mapping[str, Any]) -> Claim:
        values = {key: value for key, value in plain.items() if key != "from"}
        return Claim(**values, records=[records[number - 1] for number in plain["from"]])

    parts = [
        Part(
            part["name"],
            part["title"],
            part["head"],
            [row["cells"] for row in part["rows"]],
            [[records[number - 1] for number in row["from"]] for row in part["rows"]],
            part["text"],
            part["remark"],
            part["picture"],
            [claim(plain) for plain in part["claims"]],
        )
        for part in content["parts"]
    ]
    return Table(name, content["title"], content["section"], content["level"], records, parts)


@cache
def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def listed(words: Iterable[str]) -> str:
    """Words with commas, each once."""
    return ", ".join(dict.fromkeys(words))
