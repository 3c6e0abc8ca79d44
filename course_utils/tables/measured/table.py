"""A measured table as a notebook shows it: its parts, their pictures, and a sentence that says where they come from."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils._support import markdown
from course_utils._support.paths import NOTEBOOKS
from course_utils.tables.measured.claim import Claim

__all__ = ["Part", "Record", "Table", "listed"]

Record = Mapping[str, Any]  # a piece of work: what, settings, result, data, origin, times

REPORT = "tables/README.md"  # beside the notebooks
# Beside the notebook that runs, or in the clone that this package was installed from.
PICTURES = (Path("tables/pictures"), NOTEBOOKS / "tables" / "pictures")


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
    records: Sequence[Sequence[Record]]
    text: str
    remark: str
    picture: str
    claims: Sequence[Claim] = ()

    def table(self, sources: Sequence[str] = ()) -> str:
        """Its rows as a Markdown table, with a last column "from" where each row has its source."""
        rows = [[cell.replace(" ± ", "\u00a0±\u00a0") for cell in cells] for cells in self.rows]  # no line break there
        head, align = list(self.head), columns_of_numbers(self.head)
        if sources:
            head, align = [*head, "from"], [*align, "left"]
            rows = [[*cells, source] for cells, source in zip(rows, sources, strict=True)]
        return markdown.table(head, rows, align=align)

    def __str__(self) -> str:
        """The part as Markdown."""
        blocks = [f"**{self.title}**", self.table() if self.rows else "", self.remark]
        if self.text:
            blocks.append(f"<details><summary>How this was measured</summary>\n\n{self.text}\n\n</details>")
        return "\n\n".join(filter(None, blocks))


def columns_of_numbers(head: Sequence[str]) -> list[markdown.Align]:
    """How the columns of a table are aligned: a title at the left, and then numbers.

    >>> columns_of_numbers(["", "error", "bytes"])
    ['left', 'right', 'right']
    """
    alignment: list[markdown.Align] = ["right" for _ in head]
    return ["left", *alignment[1:]]


@dataclass(frozen=True)
class Table:
    """A measured table of the lecture; a notebook shows it as tables with their sources, and with pictures."""

    name: str
    title: str
    section: str
    level: str
    records: Sequence[Record]
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
            *([f"{'seeds' if len(seeds) > 1 else 'seed'} {listed(map(str, seeds))}"] if seeds else []),
            *([f"data {listed(data)}"] if data else []),
            f"{sum(record['CPU seconds'] for record in used) / 60:.1f} minutes of one core",
        ]
        return f"{', '.join(facts)}. [Where each number comes from]({REPORT}#{self.name})."

    def __repr__(self) -> str:
        return "\n\n".join([*map(str, self.parts), f"*{self.sources}*"])

    def _ipython_display_(self) -> None:
        """In a notebook: each part with the report's picture of it, where that is installed, and then the sources."""
        from IPython.display import display

        for bundle, metadata in self._outputs():
            display(bundle, raw=True, metadata=metadata)

    def _outputs(self) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
        """What a notebook shows, as bundles of MIME types with their metadata."""
        for part in self.parts:
            yield {"text/markdown": str(part), "text/plain": str(part)}, {}
            if picture := _picture(part):
                alt = f"{part.title}: a plot of the numbers in the table above."
                yield {"image/png": picture, "text/plain": alt}, {"image/png": {"alt": alt}}
        text = f"*{self.sources}*"
        yield {"text/markdown": text, "text/plain": text}, {}


def _picture(part: Part) -> str:
    """The picture of a part in base64; empty where there is none."""
    paths = (folder / part.picture for folder in PICTURES if part.picture)
    return next((b64encode(path.read_bytes()).decode() for path in paths if path.is_file()), "")


def listed(words: Iterable[str]) -> str:
    """Words with commas, each once."""
    return ", ".join(dict.fromkeys(words))
