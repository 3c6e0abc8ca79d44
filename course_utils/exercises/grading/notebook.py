"""A notebook from a stranger, read with care: the code of its cells, the written answer, and what it says of itself."""

import json
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Notebook", "UnreadableNotebook", "read_notebook"]

MOST_CELLS = 500
MOST_CODE = 200_000  # letters of one cell
SAYS = re.compile(r"""\b(?:exercise|hand_in)\(\s*["'](ex\d\d)["']""")


class UnreadableNotebook(Exception):
    """Why a file is not taken for a notebook; the sentence goes on after the file's name."""


@dataclass(frozen=True)
class Notebook:
    """`cells`: the names and sources of the code cells; `texts`: those of the others, by nbgrader's name where known.

    `said`: names of exercises that its cells name, as often as they do. `student`: whom `course handin` was told.
    """

    cells: tuple[tuple[str, str], ...]
    texts: tuple[tuple[str, str], ...]
    said: tuple[str, ...]
    student: str = ""

    def text(self, name: str) -> str:
        """The text of the cell that nbgrader knows by this name; empty if there is none."""
        return next((text for known, text in self.texts if known == name), "")


def read_notebook(content: bytes) -> Notebook:
    """The notebook in a file's bytes.

    >>> read_notebook(b"[]")
    Traceback (most recent call last):
        ...
    course_utils.exercises.grading.notebook.UnreadableNotebook: is no notebook: it has no list of cells
    """
    if not content.strip():
        raise UnreadableNotebook("is empty")
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as problem:
        raise UnreadableNotebook(f"is no notebook: {str(problem)[:100]}") from problem
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        raise UnreadableNotebook("is no notebook: it has no list of cells")
    if len(cells) > MOST_CELLS:
        raise UnreadableNotebook(f"has {len(cells):,} cells, and {MOST_CELLS} are read")
    code, texts, said = [], [], []
    for number, cell in enumerate(cells, 1):
        source, name = _source(cell), _name(cell)
        if len(source) > MOST_CODE:
            raise UnreadableNotebook(f"has a cell of {len(source):,} letters, and {MOST_CODE:,} are read")
        said += [name.split("-")[0]] if "-" in name else []
        said += SAYS.findall(source)
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            code.append((f"cell {number}", source))
        else:
            texts.append((name, source))
    return Notebook(tuple(code), tuple(texts), tuple(said), _student(document))


def _source(cell: Any) -> str:
    source = cell.get("source", "") if isinstance(cell, dict) else ""
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    return _whole(source) if isinstance(source, str) else ""


def _name(cell: Any) -> str:
    found: Any = cell
    for key in ("metadata", "nbgrader", "grade_id"):
        found = found.get(key) if isinstance(found, dict) else None
    return _whole(found) if isinstance(found, str) else ""


def _student(document: dict[str, Any]) -> str:
    found: Any = document
    for key in ("metadata", "course", "student"):
        found = found.get(key) if isinstance(found, dict) else None
    return _whole(found[:80]) if isinstance(found, str) else ""


def _whole(text: str) -> str:
    """Half letters (surrogates, which JSON can spell) become question marks: no file could be written with them."""
    return text.encode("utf-8", "replace").decode()
