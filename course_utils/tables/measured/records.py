"""Measured tables as files: a JSON file for each table, whose lines a report can link to.

A file holds the parts of a table, and the records of the work behind them. A row names its records by their numbers,
from 1, and a record the source that it shares with others by its number: the command, the commit, the machine, the day
and the checksums of the data.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils.tables.measured.claim import Claim
from course_utils.tables.measured.table import Part, Table

__all__ = ["Content", "encoded", "read_table", "read_tables", "record_lines", "table_from", "write_table"]

Content = dict[str, Any]  # of a table: title, section, level, parts and records, each record with its origin and data

RECORD = ("what", "settings", "result", "seconds", "CPU seconds", "peak MB")


def read_tables(folder: Path, names: Sequence[str]) -> dict[str, Content]:
    """Those of the named tables that have a file in a folder, in the order of the names.

    Raises: ValueError for a file that is damaged, or of another version.
    """
    files = {name: folder / f"{name}.json" for name in names}
    return {name: read_table(file) for name, file in files.items() if file.is_file()}


def read_table(path: Path) -> Content:
    """The content of a table's file.

    Raises: ValueError for a file that is damaged, or of another version.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        content = stored | {"records": list(_records(stored))}
        del content["sources"]
        table_from(path.stem, content)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged or of another version ({type(error).__name__}: {error}); delete it and run the table "
            "again: what its journal holds is not measured again"
        ) from error
    return content


def _records(stored: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The records of a file, each with its origin and its data."""
    for record in stored["records"].values():
        origin = dict(stored["sources"][str(record["source"])])
        data = origin.pop("data")
        yield {key: record[key] for key in RECORD} | {"data": data, "origin": origin}


def write_table(path: Path, content: Content) -> None:
    """Write the file of a table."""
    with written_atomically(path) as file:
        file.write(encoded(content).encode())


def encoded(content: Content) -> str:
    """The text of a table's file: a line for each row and for each entry of a record."""
    sources: list[dict[str, Any]] = []
    records = {}
    for number, record in enumerate(content["records"], start=1):
        source = record["origin"] | {"data": record["data"]}
        if source not in sources:
            sources.append(source)
        records[number] = {key: record[key] for key in RECORD} | {"source": sources.index(source) + 1}
    stored = {key: value for key, value in content.items() if key != "records"}
    return _json(stored | {"sources": dict(enumerate(sources, start=1)), "records": records}) + "\n"


def _json(value: Any, depth: int = 0) -> str:
    """A value as JSON: a line for each of its entries down to those of a part or a record, and for each row there."""
    is_list_of_rows = depth == 3 and isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    if not value or not isinstance(value, list | dict) or (depth > 2 and not is_list_of_rows):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        first, last = "{}"
        entries = [f"{json.dumps(str(key))}: {_json(entry, depth + 1)}" for key, entry in value.items()]
    else:
        first, last = "[]"
        entries = [_json(entry, depth + 1) for entry in value]
    indent = "\n" + " " * depth
    return f"{first}{indent} {f',{indent} '.join(entries)}{indent}{last}"


def record_lines(content: Content) -> list[int]:
    """For each record its first line in the table's file, from 1.

    >>> origin = {"command": "course table a", "commit": "0123456789", "machine": "m", "day": "2026-01-01"}
    >>> record = dict.fromkeys(RECORD) | {"data": {}, "origin": origin}
    >>> record_lines({"records": [record, record]})
    [12, 21]
    """
    lines = encoded(content).splitlines()
    start = len(lines) - lines[::-1].index(' "records": {') if content["records"] else len(lines)
    return [number for number, line in enumerate(lines, start=1) if number > start and line.startswith('  "')]


def table_from(name: str, content: Mapping[str, Any]) -> Table:
    """A table from its content."""
    records = content["records"]

    def numbered(numbers: Sequence[int]) -> list[dict[str, Any]]:
        return [records[number - 1] for number in numbers]

    parts = [
        Part(
            part["name"],
            part["title"],
            part["head"],
            [row["cells"] for row in part["rows"]],
            [numbered(row["from"]) for row in part["rows"]],
            part["text"],
            part["remark"],
            part["picture"],
            [
                Claim(
                    claim["what"],
                    claim["quantity"],
                    claim["published"],
                    claim["measured"],
                    claim["best"],
                    numbered(claim["from"]),
                    claim["note"],
                )
                for claim in part["claims"]
            ],
        )
        for part in content["parts"]
    ]
    return Table(name, content["title"], content["section"], content["level"], records, parts)
