"""The sections of a table as what its file holds."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from course_utils.tables.measured.claim import Claim
from course_utils.tables.measured.records import Content
from course_utils.tables.workbench.section import Result, Section

__all__ = ["content_of"]

LONGEST = 400  # letters of a value that a record holds; curves are longer: the cells and the picture show them


def content_of(
    title: str, notebook: str, level: str, sections: Sequence[Section], pictures: Mapping[str, str]
) -> Content:
    """The content of a table. A row names its records by their numbers, from 1; `pictures`: file names by section.

    Raises: ValueError for two sections of one name.
    """
    names = [section.name for section in sections]
    if len(set(names)) < len(names):
        raise ValueError(f"the parts of a table must have names of their own, got {', '.join(names)}")
    records = _Records()
    parts = [
        {
            "name": section.name,
            "title": section.title,
            "text": section.text,
            "head": list(section.head),
            "rows": [{"cells": list(row.cells), "from": records.numbers(row.results)} for row in section.rows],
            "remark": section.remark,
            "picture": pictures.get(section.name, ""),
            "claims": [_claim(claim) | {"from": records.numbers(claim.records)} for claim in section.claims],
        }
        for section in sections
    ]
    return {"title": title, "section": notebook, "level": level, "parts": parts, "records": records.content}


class _Records:
    """The records of a table, each once, in the order in which rows use them."""

    def __init__(self) -> None:
        self.content: list[dict[str, Any]] = []
        self._numbers: dict[str, int] = {}

    def numbers(self, results: Sequence[Result]) -> list[int]:
        """The numbers of some results, each once; those that are new are appended."""
        return list(dict.fromkeys(map(self._number, results)))

    def _number(self, result: Result) -> int:
        key = f"{result.title} {json.dumps(result.settings, sort_keys=True)}"
        if key not in self._numbers:
            self.content.append(_record(result))
            self._numbers[key] = len(self.content)
        return self._numbers[key]


def _claim(claim: Claim) -> dict[str, Any]:
    return {key: value for key, value in vars(claim).items() if key != "records"}


def _record(result: Result) -> dict[str, Any]:
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
