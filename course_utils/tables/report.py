"""The report of all tables: one page of Markdown, and the same as HTML; every row says where its numbers come from."""

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils._support.html import PAGE_STYLE, document, markdown_html
from course_utils.tables.measured import Part, Table, listed, table_from

__all__ = ["write_report"]

STYLE = Path(__file__).with_suffix(".css")
INTRODUCTION = """# The lecture's tables, measured again

Each table of the lecture, and each claim that comes with numbers, beside what the code of this course measures on real
data. A row that ends with numbers in brackets was measured: they lead to its records, with command, commit, settings,
data and time. A row without them is printed as it was published. Every run here can be repeated: the same command gives
the same numbers, up to what another processor rounds differently. Times are those of the process that finished a piece
of work, without what an earlier start of it, or another piece with the same network, had done before; the peak of the
memory is that of this process until then."""


def write_report(tables: Mapping[str, Any], out: Path) -> list[Path]:
    """Write README.md and report.html into a folder whose subfolder `pictures` holds the pictures."""
    measured = [table_from(name, content) for name, content in tables.items()]
    text = (
        "\n".join(
            [
                *(INTRODUCTION, "", *overview(measured), *reached(measured)),
                *(line for one in measured for line in chapter(one)),
            ]
        )
        + "\n"
    )
    paths = [out / "README.md", out / "report.html"]
    for path, content in zip(paths, (text, page(text, out)), strict=True):
        with written_atomically(path) as file:
            file.write(content.encode())
    return paths


def overview(tables: Sequence[Table]) -> Iterator[str]:
    """What was measured, at which level, and how long it took."""
    yield from (
        "| table | notebook | level | pieces of work | core-minutes | peak MB | day | commit |",
        "|---|---|---|---:|---:|---:|---|---|",
    )
    for table in tables:
        minutes = sum(record["CPU seconds"] for record in table.records) / 60
        peak = max((record["peak MB"] or 0 for record in table.records), default=0)
        commits, days = (listed(sorted(record["origin"][key] for record in table.records)) for key in ("commit", "day"))
        level = table.level if table.records else "not measured"
        yield (
            f"| [{table.title}](#{table.name}) | {table.section} | {level} | {len(table.records)} "
            f"| {minutes:.1f} | {peak:,} | {days} | {commits} |"
        )
    machines = listed(record["origin"]["machine"] for table in tables for record in table.records)
    yield from ("", *([f"Machine: {machines}.", ""] if machines else []))


def reached(tables: Sequence[Table]) -> Iterator[str]:
    """Each published number beside the measured one, and how many of them are reached."""
    claims = [(table, part, claim) for table in tables for part in table.parts for claim in part.claims]
    if not claims:
        return
    fair = [claim for *_, claim in claims if not claim.note]
    more = any(table.name in ("group-sparse", "deep-compression") for table, *_ in claims)
    others = "; neurons and bytes of single layers stand in the tables below" * more
    yield from (
        "## Which published numbers are reached",
        "",
        f"{len(claims)} published numbers have a measured one beside them here{others}. {len(fair)} of them can be "
        f"compared, and {sum(claim.reached for claim in fair)} of these are reached: the measured number, rounded as "
        "the published one is, is at least as good. *Times* says how far it is from the best that there could be, no "
        "errors or 100 %, as a multiple of how far the published one is: 2.00 means twice the errors. *Within the "
        "spread*: not reached, but the two differ by less than one standard deviation over the seeds."
        + (
            " Trainings of the quick level are too short to reach much."
            if any(t.level == "quick" for t in tables)
            else ""
        ),
        "",
        "| table | | published | measured | times | reached | from |",
        "|---|---|---:|---:|---:|---|---|",
    )
    before = None
    for table, part, claim in claims:
        numbers = numbered(table)
        verdict = "yes" if claim.reached else "within the spread" if claim.in_spread else "no"
        verdict = f"not to be compared: {claim.note}" if claim.note else verdict
        title = "" if part is before else f"[{table.section} {part.title}](#{table.name})"
        yield (
            f"| {title} | {claim.what}{f', {claim.quantity}' * (claim.quantity not in claim.what)} | {claim.published} "
            f"| {claim.text} | {claim.times(claim.value):.2f} | {verdict} "
            f"| {_links(table.name, sorted(numbers[id(record)] for record in claim.records))} |"
        )
        before = part
    yield ""


def chapter(table: Table) -> Iterator[str]:
    """One table: its parts, and its records."""
    yield from (f'<a id="{table.name}"></a>', "", f"## {table.title}", "")
    numbers = numbered(table)
    for part in table.parts:
        yield from section(table, part, numbers)
    if table.records:
        yield from records(table)


def numbered(table: Table) -> dict[int, int]:
    """The numbers of a table's records, by their identity."""
    return {id(record): number for number, record in enumerate(table.records, start=1)}


def section(table: Table, part: Part, numbers: Mapping[int, int]) -> Iterator[str]:
    """A part: text, rows with the numbers of their records, remark, picture."""
    yield from (f"### {part.title}", "", *([part.text, ""] if part.text else []))
    if part.rows:
        yield f"| {' | '.join(part.head)} | from |"
        yield f"|---|{'---:|' * (len(part.head) - 1)}---|"
    for cells, rows in zip(part.rows, part.records, strict=True):
        yield f"| {' | '.join(cells)} | {_links(table.name, sorted(numbers[id(record)] for record in rows))} |"
    yield from ("", *([part.remark, ""] if part.remark else []))
    if part.picture:
        used = sorted({numbers[id(record)] for rows in part.records for record in rows})
        yield from (f"![{part.title}](pictures/{part.picture})", "", f"Drawn from {_links(table.name, used)}.", "")


def records(table: Table) -> Iterator[str]:
    """Where the numbers of a table come from, a paragraph for each piece of work."""
    yield from (f"<details><summary>The {len(table.records)} records of this table</summary>", "")
    for number, record in enumerate(table.records, start=1):
        origin = record["origin"]
        data = [f"{name} {digest[:12]}" for name, digest in record["data"].items()]
        peak = [f"peak {record['peak MB']:,} MB"] if record["peak MB"] else []
        facts = [
            f"commit {origin['commit']}",
            origin["day"],
            *data,
            f"{record['seconds']:,.1f} s",
            f"{record['CPU seconds']:,.1f} s of one core",
            *peak,
        ]
        yield (
            f'<p class="record"><a id="{table.name}-{number}"></a><b>{number}</b> <code>{origin["command"]}</code> '
            f"{', '.join(facts)}<br>{_spelled(record['settings'])}<br>→ {_spelled(record['result'])}</p>"
        )
        yield ""
    yield from ("</details>", "")


def page(text: str, folder: Path) -> str:
    """The Markdown as one HTML file with its pictures in it."""
    body = markdown_html(text)

    def inline(found: re.Match[str]) -> str:
        if not (folder / found[1]).is_file():
            return found[0]  # a lost picture is no reason to lose the report
        data = base64.b64encode((folder / found[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    body = re.sub(r'src="(pictures/[^"]+\.png)"', inline, body)
    main = f'<main id="content" class="text">\n{body}\n</main>'
    return document("The lecture's tables, measured again", main, styles=[PAGE_STYLE, STYLE])


def _spelled(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{html.escape(name)} = {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    return html.escape(f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False))


def _links(table: str, numbers: Sequence[int]) -> str:
    """References to records by their numbers, in order; a run of three or more is shortened to its ends."""
    by_run = groupby(enumerate(numbers), key=lambda placed: placed[1] - placed[0])
    runs = [[number for _, number in run] for _, run in by_run]

    def link(number: int) -> str:
        return f"[{number}](#{table}-{number})"

    linked = [f"{link(run[0])} to {link(run[-1])}" if len(run) > 2 else ", ".join(map(link, run)) for run in runs]
    return f"[{', '.join(linked)}]" if linked else ""
