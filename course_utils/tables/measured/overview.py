"""The overview of all tables, notebooks/tables/README.md: a row for each number, with a link to its record."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from course_utils._support.files import written_atomically
from course_utils._support.markdown import table as markdown_table
from course_utils._support.words import plural
from course_utils.tables.measured.claim import Claim
from course_utils.tables.measured.records import Content, record_lines, table_from
from course_utils.tables.measured.table import Record, Table, listed

__all__ = ["INTRODUCTION", "Cite", "chapters", "cited", "overview", "published_numbers", "runs", "write_overview"]

# Links to some records of a table. In the overview they lead into the table's file, in the report to its list of
# records.
Cite = Callable[[Table, Sequence[Record]], str]

INTRODUCTION = """# The lecture's tables, measured again

Each table of the lecture, and each claim that comes with numbers, beside what the code of this course measures on real
data. The column *from* leads to the records of a row: command, commit, settings, data and time. A row without them is
printed as it was published. Every run here can be repeated: the same command gives the same numbers, up to what another
processor rounds differently. Times are those of the process that finished a piece of work, without what an earlier
start of it, or another piece with the same network, had done before; the peak of the memory is that of this process
until then."""
MORE = """How a table was measured stands below it in its notebook; `course table --report DIR` writes all of it, and
the records, as one page."""


def write_overview(contents: Mapping[str, Content], folder: Path, records: Path) -> Path:
    """Write README.md into a folder with a subfolder `pictures`; `records` is the folder with the tables' files."""
    path = folder / "README.md"
    with written_atomically(path) as file:
        file.write(overview(contents, Path(os.path.relpath(records, folder)).as_posix()).encode())
    return path


def overview(contents: Mapping[str, Content], place: str) -> str:
    """The overview as Markdown; `place` is the folder with the tables' files, as its links name it."""
    tables = [table_from(name, content) for name, content in contents.items()]
    lines = {name: record_lines(content) for name, content in contents.items()}

    def cite(table: Table, records: Sequence[Record]) -> str:
        file = f"{place}/{table.name}.json"
        return cited(table, records, lambda number: f"{file}#L{lines[table.name][number - 1]}")

    blocks = [INTRODUCTION, MORE, *runs(tables), *published_numbers(tables, cite), *chapters(tables, cite)]
    return narrow("\n\n".join(filter(None, blocks)) + "\n")


def narrow(text: str) -> str:
    """Markdown tables without the spaces that make their columns equally wide, which would double the file.

    >>> print(narrow("| a     |     b |\\n|:------|------:|"))
    | a | b |
    |:--|--:|
    """
    lines = (
        re.sub("-{3,}", "--", re.sub(" {2,}", " ", line)) if line[:1] == "|" else line for line in text.split("\n")
    )
    return "\n".join(lines)


def runs(tables: Sequence[Table]) -> Iterator[str]:
    """What was measured, at which level, and how long it took."""
    rows = []
    for table in tables:
        minutes = sum(record["CPU seconds"] for record in table.records) / 60
        peak = max((record["peak MB"] or 0 for record in table.records), default=0)
        commits, days = (listed(sorted(record["origin"][key] for record in table.records)) for key in ("commit", "day"))
        level = table.level if table.records else "not measured"
        cells = [f"{len(table.records)}", f"{minutes:.1f}", f"{peak:,}", days, commits]
        rows.append([f"[{table.title}](#{table.name})", table.section, level, *cells])
    head = ["table", "notebook", "level", "pieces of work", "core-minutes", "peak MB", "day", "commit"]
    yield markdown_table(head, rows, align=["left", "left", "left", "right", "right", "right", "left", "left"])
    if machines := listed(record["origin"]["machine"] for table in tables for record in table.records):
        yield f"Machine: {machines}."


def published_numbers(tables: Sequence[Table], cite: Cite) -> Iterator[str]:
    """Each published number beside the measured one, and how many of them are reached."""
    claims = [(table, part, claim) for table in tables for part in table.parts for claim in part.claims]
    if not claims:
        return
    comparable = [claim for *_, claim in claims if not claim.note]
    yield "## Which published numbers are reached"
    text = (
        f"{plural(len(claims), 'published number')} have a measured one beside them here; further ones, such as those "
        f"of single layers, stand in the tables below. {len(comparable)} of them can be compared, and "
        f"{sum(claim.reached for claim in comparable)} of these are reached: the measured number, rounded as the "
        "published one is, is at least as good. *Times* says how far it is from the best that there could be, no "
        "errors or 100 %, as a multiple of how far the published one is: 2.00 means twice the errors. *Within the "
        "spread*: not reached, but the two differ by less than one standard deviation over the seeds."
    )
    if any(table.level == "quick" for table in tables):
        text += " Trainings of the quick level are too short to reach much."
    yield text
    rows, part_above = [], None
    for table, part, claim in claims:
        title = "" if part is part_above else f"[{table.section} {part.title}](#{table.name})"
        cells = [claim.published, claim.text, f"{claim.times(claim.value):.2f}", verdict(claim)]
        rows.append([title, claim.title, *cells, cite(table, claim.records)])
        part_above = part
    head = ["table", "", "published", "measured", "times", "reached", "from"]
    yield markdown_table(head, rows, align=["left", "left", "right", "right", "right", "left", "left"])


def verdict(claim: Claim) -> str:
    """Whether a published number is reached."""
    if claim.note:
        return f"not to be compared: {claim.note}"
    if claim.reached:
        return "yes"
    return "within the spread" if claim.in_spread else "no"


def chapters(tables: Sequence[Table], cite: Cite) -> Iterator[str]:
    """The rows and the pictures of each table; of a part that was not measured the sentence that says so."""
    for table in tables:
        yield f'<a id="{table.name}"></a>\n\n## {table.title}'
        for part in table.parts:
            yield f"### {part.title}"
            if any(part.records):
                yield part.table([cite(table, records) for records in part.records])
            else:
                yield "\n\n".join(filter(None, [part.text, part.remark]))
            if part.picture:
                yield f"![{part.title}](pictures/{part.picture})"


def cited(table: Table, records: Sequence[Record], target: Callable[[int], str]) -> str:
    """A link for each run of consecutive records, by their numbers; `target` tells where the link to a number leads."""
    numbers = {id(record): number for number, record in enumerate(table.records, start=1)}
    wanted = sorted({numbers[id(record)] for record in records})
    links = []
    for _, run in groupby(enumerate(wanted), key=lambda placed: placed[1] - placed[0]):
        members = [number for _, number in run]
        first, last = members[0], members[-1]
        links.append(f"[{first if first == last else f'{first}–{last}'}]({target(first)})")
    return ", ".join(links)
