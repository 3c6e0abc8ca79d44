"""Where the notebooks treat what the lecture numbers: its equations, figures and tables; and where they correct it.

The places are read from the notebooks' text. What the lecture has is in the syllabus; its tables, which have no
numbers, are listed below, each with a few cells that no other table has.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils.course.syllabus import Page

__all__ = ["TABLES", "Place", "Table", "algorithms", "equations", "figures", "missing", "slips", "tables"]

HEADING = re.compile(r"^## (?:(\d+) · )?(.+?)(?: \((\d+) minutes\))?$", re.M)
FORMULA = re.compile(r"\$\$(.+?)\\tag\{(\d+)\}\$\$", re.S)
SLIP = re.compile(r"^> \*\*(?:A slip|Slips).*$|\((?:The slide heads|The lecture prints)[^()]*\)", re.M)


@dataclass(frozen=True)
class Place:
    """A cell of a notebook, and the section it stands in; `panel` is the cell of that section's nearest panel."""

    page: Page
    heading: str  # as it stands in the notebook, without its ##
    number: int | None  # of the section within the notebook
    cell: str  # its id
    text: str = ""  # the formula, figure, row or correction itself
    panel: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of the lecture: the notebook that has it, and cells of one of its rows that no other table has."""

    name: str
    section: str
    row: tuple[str, ...]


TABLES = (
    Table("Sparsity under l2 and SG-L1: Sensorless, MNIST, Covertype", "04", ("0.17, 0.36, 0.36, 0.16",)),
    Table("Accuracy at 12, 10, 8 and 6 bits (figure 13)", "05", ("InceptionV3", "1.50/4.82")),
    Table("BinaryConnect: MNIST, CIFAR-10, SVHN", "06", ("BinaryConnect (stochastic)", "8.27", "2.15")),
    Table("Deep Compression: LeNet-300-100", "07", ("ip3", "26 %", "12.70 %")),
    Table("Deep Compression: LeNet-5", "07", ("conv1", "66 %", "67.45 %")),
    Table("Distillation on MNIST: errors", "08", ("the same student", "74")),
    Table("SUSY: AUC and parameters", "09", ("KAF", "0.8758 (0.001)", "108,301")),
)


def equations(course: Sequence[Page]) -> dict[int, Place]:
    """The cell that states each equation, by its number; `text` is the formula."""
    places: dict[int, Place] = {}
    for page, at, source in prose(course):
        for formula in FORMULA.finditer(source):
            places.setdefault(int(formula[2]), place(page, at, formula.start(), formula[1].strip()))
    return dict(sorted(places.items()))


def figures(course: Sequence[Page]) -> dict[int, Place]:
    """The cell that names each figure first, below the head of the notebook to whose section it belongs."""
    return {number: where for page in course for number in page.section.figures for where in cited(page, number)}


def cited(page: Page, figure: int) -> Iterator[Place]:
    """The first place of a page that names a figure, if there is one."""
    name = re.compile(rf"\b[Ff]igures? {figure}\b")
    for _, at, source in prose([page]):
        if at and (citation := name.search(source)):
            yield place(page, at, citation.start(), citation[0])
            return


def tables(course: Sequence[Page]) -> dict[str, Place]:
    """The cell that holds each table of the lecture, by its name."""
    places: dict[str, Place] = {}
    for table in TABLES:
        for page, at, source in prose([page for page in course if page.section.number == table.section]):
            lines = [line for line in source.splitlines() if all(cell in line for cell in table.row)]
            if lines and table.name not in places:
                places[table.name] = place(page, at, source.index(lines[0]), lines[0])
    return places


def algorithms(course: Sequence[Page]) -> dict[str, Place]:
    """The cell that treats each algorithm that the lecture numbers."""
    places: dict[str, Place] = {}
    for page, at, source in prose(course):
        for name in re.finditer(r"\*\*(Algorithm \d+)\*\*", source):
            places.setdefault(name[1], place(page, at, name.start()))
    return places


def slips(course: Sequence[Page]) -> list[Place]:
    """The places that correct what the lecture prints; `text` is the correction."""
    return [
        place(page, at, slip.start(), slip[0].lstrip("> ").strip("()"))
        for page, at, source in prose(course)
        for slip in SLIP.finditer(source)
    ]


def missing(course: Sequence[Page]) -> list[str]:
    """What the lecture has and no notebook names."""
    sections = [page.section for page in course]
    lacking = [f"equation ({n})" for section in sections for n in section.equations if n not in equations(course)]
    lacking += [f"figure {n}" for section in sections for n in section.figures if n not in figures(course)]
    return lacking + [f"table {table.name}" for table in TABLES if table.name not in tables(course)]


def prose(course: Sequence[Page]) -> Iterator[tuple[Page, int, str]]:
    """Each cell of text: its page, its number, and its source."""
    for page in course:
        for at, cell in enumerate(page.cells):
            if cell["cell_type"] == "markdown":
                yield page, at, "".join(cell["source"])


def place(page: Page, at: int, start: int = 0, text: str = "") -> Place:
    """The place of the letter `start` of the cell `at`, below the last heading that stands before it."""
    cell = page.cells[at]["id"]
    heading = above(page, at, start)
    if heading is None:
        return Place(page, page.section.title, None, cell, text)
    number = int(heading[1]) if heading[1] else None
    return Place(page, heading[0].removeprefix("## "), number, cell, text, nearest_panel(page, at, start))


def above(page: Page, at: int, start: int) -> re.Match[str] | None:
    """The last heading before a letter of a cell."""
    for number in range(at, -1, -1):
        if page.cells[number]["cell_type"] == "markdown":
            headings = HEADING.finditer("".join(page.cells[number]["source"]))
            if before := [heading for heading in headings if number < at or heading.start() <= start]:
                return before[-1]
    return None


def nearest_panel(page: Page, at: int, start: int) -> str | None:
    """The id of the next cell that shows a panel, in the same section; where none follows, of the last one before."""
    section = above(page, at, start)
    panels: list[tuple[int, str]] = []
    for number, cell in enumerate(page.cells):
        if cell["cell_type"] == "code" and shows_panel(cell):
            last = above(page, number, 0)
            if last is not None and section is not None and last[0] == section[0]:
                panels.append((number, str(cell["id"])))
    below = [cell for number, cell in panels if number > at]
    if below:
        return below[0]
    return panels[-1][1] if panels else None


def shows_panel(cell: dict[str, Any]) -> bool:
    """Whether the notebook was saved with a panel below this cell: its picture is stored with its words."""
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
