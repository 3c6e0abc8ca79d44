"""The report: one HTML page of all tables, with how each was measured, its records and its pictures."""

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils._support.html import PAGE_STYLE, document, markdown_html
from course_utils.tables.measured.overview import INTRODUCTION, cited, published_numbers, runs
from course_utils.tables.measured.records import Content, table_from
from course_utils.tables.measured.table import Part, Record, Table

__all__ = ["write_report"]

TITLE = "The lecture's tables, measured again"
STYLE = Path(__file__).with_suffix(".css")


def write_report(contents: Mapping[str, Content], path: Path, pictures: Path) -> Path:
    """Write the report, one HTML file that needs no network; `pictures` holds the pictures of the tables."""
    tables = [table_from(name, content) for name, content in contents.items()]
    blocks = [INTRODUCTION, *runs(tables), *published_numbers(tables, cite)]
    blocks += [block for table in tables for block in chapter(table)]
    body = with_pictures(markdown_html("\n\n".join(filter(None, blocks))), pictures)
    main = f'<main id="content" class="text">\n{body}\n</main>'
    with written_atomically(path) as file:
        file.write(document(TITLE, main, styles=[PAGE_STYLE, STYLE]).encode())
    return path


def cite(table: Table, records: Sequence[Record]) -> str:
    """Links to the records of a table, within the page."""
    return cited(table, records, lambda number: f"#{table.name}-{number}")


def chapter(table: Table) -> Iterator[str]:
    """One table: its parts, and its records."""
    yield f'<a id="{table.name}"></a>\n\n## {table.title}'
    for part in table.parts:
        yield from section(table, part)
    if table.records:
        yield from list_of_records(table)


def section(table: Table, part: Part) -> Iterator[str]:
    """A part: text, rows with the numbers of their records, remark, picture."""
    yield f"### {part.title}"
    yield part.text
    if part.rows:
        yield part.table([cite(table, records) for records in part.records])
    yield part.remark
    if part.picture:
        yield f"![{part.title}](pictures/{part.picture})"
        yield f"Drawn from {cite(table, [record for records in part.records for record in records])}."


def list_of_records(table: Table) -> Iterator[str]:
    """Where the numbers of a table come from, a paragraph for each piece of work."""
    yield f"<details><summary>The {len(table.records)} records of this table</summary>"
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
    yield "</details>"


def with_pictures(body: str, folder: Path) -> str:
    """HTML with the pictures of a folder in it."""

    def inline(source: re.Match[str]) -> str:
        path = folder / source[1]
        if not path.is_file():
            return source[0]  # a lost picture is no reason to lose the report
        return f'src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"'

    return re.sub(r'src="pictures/([^"]+\.png)"', inline, body)


def _spelled(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{html.escape(name)} = {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    return html.escape(f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False))
