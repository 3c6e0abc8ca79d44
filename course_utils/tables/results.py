"""Measured tables as plain data: what `measured.json` holds, and how runs of single tables come together in it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils.tables.measured import Claim, table_from
from course_utils.tables.section import Result, Section

__all__ = ["in_order", "plain_table", "read_tables", "write_tables"]

RECORD = ("what", "settings", "result", "seconds", "CPU seconds", "peak MB", "data", "origin")
LONGEST = 400  # letters of a value that is kept; curves and pictures are not: the cells and the picture show them


def plain_table(
    title: str, section: str, level: str, parts: Sequence[Section], pictures: dict[str, str]
) -> dict[str, Any]:
    """A table as JSON values; a row names its records by their numbers, from 1. `pictures`: file names by part."""
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"the parts of a table must have names of their own, got {', '.join(names)}")
    numbers: dict[str, int] = {}
    records: list[dict[str, Any]] = []

    def number(result: Result) -> int:
        key = f"{result.title} {json.dumps(result.settings, sort_keys=True)}"
        if key not in numbers:
            records.append(_plain(result))
            numbers[key] = len(records)
        return numbers[key]

    def numbered(results: Sequence[Result]) -> list[int]:
        return list(dict.fromkeys(map(number, results)))

    plain = [
        {
            "name": part.name,
            "title": part.title,
            "text": part.text,
            "head": list(part.head),
            "rows": [{"cells": list(row.cells), "from": numbered(row.results)} for row in part.rows],
            "remark": part.remark,
            "picture": pictures.get(part.name, ""),
            "claims": [_claim(claim) | {"from": numbered(claim.records)} for claim in part.claims],
        }
        for part in parts
    ]
    return {"title": title, "section": section, "level": level, "parts": plain, "records": records}


def _claim(claim: Claim) -> dict[str, Any]:
    return {key: value for key, value in vars(claim).items() if key != "records"}


def _plain(result: Result) -> dict[str, Any]:
    values = result.record["values"]
    short = {name: value for name, value in values["result"].items() if len(json.dumps(value)) <= LONGEST}
    return {
        "what": result.title,
        "settings": result.settings,
        "result": short,
        "seconds": result.record["seconds"],
        "CPU seconds": values["CPU seconds"],
        "peak MB": values["peak MB"],
        "data": values["data"],
        "origin": values["origin"],
    }


def read_tables(path: Path) -> dict[str, Any]:
    """The tables in a results file; none where there is no file.

    Raises: ValueError for a file that is damaged, or of another version.
    """
    if not path.is_file():
        return {}
    try:
        tables: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["tables"]
        for name, content in tables.items():
            table_from(name, content)
            if lost := [key for record in content["records"] for key in RECORD if key not in record]:
                raise ValueError(f"a record of {name} has no {lost[0]!r}")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged or of another version ({type(error).__name__}: {error}); delete it and run the tables "
            "again: what the journals beside it hold is not measured again"
        ) from error
    return tables


def in_order(tables: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """Tables in the lecture's order."""
    return {name: tables[name] for name in order if name in tables}


def write_tables(path: Path, tables: Mapping[str, Any]) -> None:
    """Write a results file."""
    with written_atomically(path) as file:
        file.write((json.dumps({"tables": tables}, indent=1, ensure_ascii=False) + "\n").encode())
