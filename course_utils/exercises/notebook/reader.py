"""Notebook files of any origin, read with care: format 4.5, bounded, with nothing in it but what notebooks hold.

What a student checks before handing in and what the grader runs is read here, so both take the same files and see the
same cells. A file that cannot be taken raises one error, `NotebookError`, which says what is wrong and the way out.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from course_utils._support.kernel import METADATA
from course_utils._support.views import VIEW
from course_utils.exercises.notebook.cell import Cell, name_of, set_source, source_of, strings

__all__ = ["Notebook", "NotebookError", "read_notebook", "receipt_of"]

MOST_BYTES = 100_000_000  # of a file
MOST_CELLS = 500
MOST_LETTERS = 200_000  # of one cell
MOST_IN_ALL = 1_000_000  # of all cells
MOST_DEPTH = 100  # of lists and objects within each other, in what a cell has shown
LONGEST_STUDENT = 80
IDENTIFIER = re.compile(r"[a-zA-Z0-9-_]{1,64}")
JSON_KIND = re.compile(r"application/(.*\+)?json")
OTHER_KINDS = {b"<": "a web page", b"PK": "a zip file", b"%PDF": "a PDF file"}
EARLIER = (
    "For an earlier state of it open it in JupyterLab and choose File > Revert Notebook to Checkpoint, "
    "or restore what Binder's button has saved to your browser"
)
RIGHT_FILE = "Choose the file that ends in .ipynb"


class NotebookError(ValueError):
    """Why a file is not taken: `reason` goes on after the name of the file, `remedy` says what a student can do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"The file {reason}. {remedy}.")
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class Notebook:
    """`cells`: with the fields of their types alone. `student`: whom `course handin` was told, empty in other files.

    `repaired`: what was put right in the file, a sentence each.
    """

    cells: list[Cell]
    student: str = ""
    repaired: list[str] = field(default_factory=list)

    @property
    def code(self) -> list[tuple[str, str]]:
        """The names, such as "cell 3", and the sources of the code cells."""
        numbered = enumerate(self.cells, 1)
        return [(f"cell {number}", source_of(cell)) for number, cell in numbered if cell["cell_type"] == "code"]

    def text(self, name: str) -> str:
        """The text of the cell, not of code, that has this name in the exercise; empty if there is none."""
        cells = (cell for cell in self.cells if cell["cell_type"] != "code" and name_of(cell) == name)
        return next(map(source_of, cells), "")

    def document(self) -> dict[str, Any]:
        """The notebook as it is written to a file."""
        return {"cells": self.cells, "metadata": dict(METADATA), "nbformat": 4, "nbformat_minor": 5}


def receipt_of(content: bytes) -> str:
    """The first 16 digits of the SHA-256 of a file: the student's receipt, and in the lecturer's list of marks.

    >>> receipt_of(b"abc")
    'ba7816bf8f01cfea'
    """
    return sha256(content).hexdigest()[:16]


def read_notebook(content: bytes, *, outputs: bool = True) -> Notebook:
    """The notebook in a file's bytes; with ``outputs=False`` without what its cells have shown.

    Raises: NotebookError.

    >>> read_notebook(b'{"cells": [{"cell_type": "code", "source": "x = 1"}, 3]}').code
    [('cell 1', 'x = 1')]
    >>> read_notebook(b"[]")
    Traceback (most recent call last):
        ...
    course_utils.exercises.notebook.reader.NotebookError: The file is not a notebook: it has no list of cells. Choose \
the file that ends in .ipynb.
    """
    document, repaired = _document(content)
    cells, identifiers = [], set[str]()
    for number, raw in enumerate(document["cells"], 1):
        if not isinstance(raw, dict):
            repaired.append(f"Cell {number} was not a cell of a notebook; it was left out.")
            continue
        cell = _cell(raw, outputs)
        cell["id"] = _identifier(raw.get("id"), number, identifiers)
        identifiers.add(cell["id"])
        cells.append(cell)
    if any("\r" in source_of(cell) for cell in cells):
        repaired.append("Line ends of Windows (CRLF) were replaced by ordinary ones.")
        for cell in cells:
            set_source(cell, source_of(cell).replace("\r\n", "\n").replace("\r", "\n"))
    _refuse_long(cells)
    return Notebook(cells, _student(document), repaired)


def _document(content: bytes) -> tuple[dict[str, Any], list[str]]:
    """The JSON object in a file's bytes, and what was repaired on the way; its "cells" are a list."""
    if len(content) > MOST_BYTES:
        size = f"has {len(content) / 1e6:.0f} MB, and {MOST_BYTES / 1e6:.0f} MB are read"
        raise NotebookError(size, "Choose Edit > Clear Outputs of All Cells, save it, and try again")
    if not content.strip():
        raise NotebookError("is empty", EARLIER)
    for start, kind in OTHER_KINDS.items():
        if content.lstrip().startswith(start):
            raise NotebookError(f"is {kind} and not a notebook", RIGHT_FILE)
    repaired = []
    encoding = json.detect_encoding(content)
    if encoding != "utf-8":
        what = "An invisible mark at its beginning (BOM)" if encoding == "utf-8-sig" else f"Its encoding {encoding}"
        repaired.append(f"{what}, which an editor had given the file, was replaced by plain UTF-8.")
    try:
        document = json.loads(content.decode(encoding), parse_constant=lambda _: None)
    except json.JSONDecodeError as problem:
        raise NotebookError(f"is damaged at line {problem.lineno} ({problem.msg})", EARLIER) from problem
    except (ValueError, RecursionError) as problem:
        raise NotebookError("is damaged and cannot be read", EARLIER) from problem
    if isinstance(document, dict) and isinstance(document.get("worksheets"), list):
        raise NotebookError("is a notebook in an old format (3)", "Open it in JupyterLab, save it, and try again")
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise NotebookError("is not a notebook: it has no list of cells", RIGHT_FILE)
    if len(document["cells"]) > MOST_CELLS:
        reason = f"has {len(document['cells']):,} cells, and {MOST_CELLS} are read"
        raise NotebookError(reason, "Delete cells that you have added")
    return document, repaired


def _refuse_long(cells: list[Cell]) -> None:
    for number, cell in enumerate(cells, 1):
        if (letters := len(source_of(cell))) > MOST_LETTERS:
            reason = f"has {letters:,} characters in cell {number}, and {MOST_LETTERS:,} are read"
            raise NotebookError(reason, "Take out data that was pasted into this cell")
    if (letters := sum(len(source_of(cell)) for cell in cells)) > MOST_IN_ALL:
        reason = f"has {letters:,} characters in its cells, and {MOST_IN_ALL:,} are read"
        raise NotebookError(reason, "Take out data that was pasted into them")


def _student(document: dict[str, Any]) -> str:
    value: Any = document
    for key in ("metadata", "course", "student"):
        value = value.get(key) if isinstance(value, dict) else None
    return _text(value[:LONGEST_STUDENT]) if isinstance(value, str) else ""


def _identifier(raw: Any, number: int, taken: set[str]) -> str:
    """A cell's own identifier, or a new one where that is taken or is none."""
    if isinstance(raw, str) and IDENTIFIER.fullmatch(raw) and raw not in taken:
        return raw
    return next(f"cell-{i}" for i in range(number, number + len(taken) + 1) if f"cell-{i}" not in taken)


def _cell(raw: dict[str, Any], outputs: bool) -> Cell:
    """The cell with nothing in it but the fields of its type."""
    kind = raw.get("cell_type") if raw.get("cell_type") in ("code", "markdown") else "raw"
    cell: Cell = {"cell_type": kind, "metadata": _metadata(raw.get("metadata"))}
    set_source(cell, _text(source_of(raw)))
    if kind == "code":
        shown = list(_outputs(raw.get("outputs"))) if outputs else []
        cell |= {"execution_count": _count(raw), "outputs": shown}
    elif outputs and isinstance(raw.get("attachments"), dict):
        cell["attachments"] = {_text(name): _bundle(data) for name, data in raw["attachments"].items()}
    return cell


def _metadata(raw: Any) -> dict[str, Any]:
    """The tags and locks of a cell, and the marks by which its place in the exercise is known."""
    raw = raw if isinstance(raw, dict) else {}
    metadata: dict[str, Any] = {}
    if tags := [_text(tag) for tag in dict.fromkeys(strings(raw.get("tags"))) if tag and "," not in tag]:
        metadata["tags"] = list(dict.fromkeys(tags))
    metadata |= {key: raw[key] for key in ("deletable", "editable") if isinstance(raw.get(key), bool)}
    marks = raw.get("nbgrader")
    if isinstance(marks, dict) and isinstance(marks.get("grade_id"), str):
        plain = {key: value for key, value in marks.items() if isinstance(value, bool | int | str)}
        metadata["nbgrader"] = {
            _text(key): _text(value) if isinstance(value, str) else value for key, value in plain.items()
        }
    return metadata


def _count(raw: dict[str, Any]) -> int | None:
    count = raw.get("execution_count")
    return count if type(count) is int and count >= 0 else None


def _outputs(raw: Any) -> Iterator[dict[str, Any]]:
    """What a cell has shown, without widgets; what is not an output of a notebook is left out."""
    for output in raw if isinstance(raw, list) else []:
        kind = output.get("output_type") if isinstance(output, dict) else None
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            yield {"name": name, "output_type": kind, "text": _lines(output.get("text", ""))}
        elif kind == "error":
            error = {key: _text(str(output.get(key, ""))) for key in ("ename", "evalue")}
            lines = [_text(line) for line in strings(output.get("traceback"))]
            yield error | {"output_type": kind, "traceback": lines}
        elif kind in ("display_data", "execute_result") and (data := _bundle(output.get("data"))):
            counted = {"execution_count": _count(output)} if kind == "execute_result" else {}
            yield {"data": data, "metadata": {}, "output_type": kind} | counted


def _bundle(raw: Any) -> dict[str, Any]:
    """The forms of one thing that is shown, by their types."""
    forms: dict[str, Any] = {}
    for kind, data in raw.items() if isinstance(raw, dict) else ():
        if kind == VIEW:
            continue
        if JSON_KIND.fullmatch(kind):
            forms[_text(kind)] = _json(data)
        elif isinstance(data, str | list):
            forms[_text(kind)] = _lines(data)
    return forms


def _json(value: Any, depth: int = 0) -> Any:
    """Data that every program writes and reads: no infinite number, nothing nested too deeply."""
    if depth > MOST_DEPTH or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_json(entry, depth + 1) for entry in value]
    if isinstance(value, dict):
        return {_text(key): _json(entry, depth + 1) for key, entry in value.items()}
    return value


def _lines(value: Any) -> str:
    """A text that is one string, or a list of lines."""
    return _text(source_of({"source": value}))


def _text(value: str) -> str:
    """A text that can be written as UTF-8: half of a pair of surrogates, which JSON can spell, becomes a "?"."""
    pairs_joined = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return pairs_joined.encode("utf-8", "replace").decode()
