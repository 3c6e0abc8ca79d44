"""A new exercise from templates: its module, the lecturer's part, and the notebook that belongs to them.

Run again after tasks were added to the module, it adds their cells to the notebook. What a lecturer has written stays:
of a cell that is there, only the line with the number, the title and the points follows the module, and the points.
"""

import json
import re
import secrets
from dataclasses import dataclass, field
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils.course.syllabus import SECTIONS
from course_utils.exercises.notebook import Cell, skeleton
from course_utils.exercises.task import Exercise

__all__ = ["Changes", "load_module", "new_exercise", "places"]

HEADINGS = re.compile(r"\A## Task \d+\..*|^\*\d+ tasks? and a written answer;.*\*$", re.M)
SAMPLE = {  # of the notebook's cells, by the end of their names
    "weighted_size-text": """

The $\\ell_1$ penalty (7) is the sum of the sizes of all weights, multiplied by a strength:

$$\\text{strength} \\cdot \\sum_i |w_i| .$$

Write `weighted_size(w, *, strength)`. `w` is a tensor of any shape, `strength` a number. Return one number.""",
    "weighted_size": '''def weighted_size(w, *, strength):
    """The sizes of all weights, added up and multiplied by `strength`."""
    ### BEGIN SOLUTION
    return strength * w.abs().sum()
    ### END SOLUTION''',
}


@dataclass
class Changes:
    """What was done: `new` files, and the cells that were `added` to the notebook or `updated` in it."""

    new: list[Path] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)


def new_exercise(course: Path, name: str) -> Changes:
    """Write the missing files of the exercise `name`, such as "ex10" for section 10, into the repository `course`.

    Raises: ValueError for a name that no section has, or a notebook without its module; nothing is overwritten.
    """
    section = next((section for section in SECTIONS if name == f"ex{section.number}"), None)
    if section is None:
        raise ValueError(f"an exercise is named for its section, from ex01 to ex{SECTIONS[-1].number}; got {name!r}")
    module, teacher, notebook = places(course, name)
    if notebook.exists() and not module.exists():
        raise ValueError(f"{notebook} is there, and {module} is not: bring it back, or move the notebook away")
    changes = Changes()
    is_sample = not module.exists()
    values = {"NUMBER": section.number, "TITLE": section.title, "NAME": name, "SEED": f"{_seed():_}"}
    if is_sample:
        _write(module, _filled("exercise.txt", values), changes)
    if not teacher.exists():
        text = _filled("teacher.txt", values)
        without_answers = text[: text.index("\n\n\n@right")] + "\n"
        _write(teacher, text if is_sample else without_answers, changes)
    template = skeleton(load_module(module))
    if not notebook.exists():
        _write(notebook, _text(with_sample(template) if is_sample else template), changes)
    else:
        document = json.loads(notebook.read_text(encoding="utf-8"))
        merge(document, template, changes)
        if changes.added or changes.updated:
            _write(notebook, _text(document))
    return changes


def places(course: Path, name: str) -> tuple[Path, Path, Path]:
    """Where the module of an exercise, the lecturer's part and the lecturer's notebook are."""
    folder = course / "notebooks" / "exercises"
    module = course / "course_utils" / "exercises" / "tasks" / f"{name}.py"
    return module, folder / "teacher" / f"{name}.py", folder / "source" / name / f"{name}.ipynb"


def load_module(path: Path) -> Exercise:
    """The exercise in a file, which need not belong to the installed package."""
    namespace: dict[str, Any] = {"__name__": f"exercise_{path.stem}"}
    exec(compile(path.read_text(encoding="utf-8"), path.name, "exec"), namespace)
    exercise: Exercise = namespace["EXERCISE"]
    if exercise.name != path.stem:
        raise ValueError(f"the exercise in {path} calls itself {exercise.name!r}; its name is that of its file")
    return exercise


def _seed() -> int:
    """A number of seven digits that nobody can guess."""
    return 1_000_000 + secrets.randbelow(9_000_000)


def _filled(template: str, values: dict[str, str]) -> str:
    text = (resources.files("course_utils.exercises.handout") / "templates" / template).read_text(encoding="utf-8")
    words = re.compile(rf"\b({'|'.join(values)})\b")
    return words.sub(lambda match: values[match[1]], text)


def _text(notebook: dict[str, Any]) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str, changes: Changes | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as file:
        file.write(text.encode())
    if changes is not None:
        changes.new.append(path)


# The notebook


def with_sample(template: dict[str, Any]) -> dict[str, Any]:
    """A copy of a new notebook in which the sample task has its sentences and its solution."""
    notebook: dict[str, Any] = json.loads(json.dumps(template))
    for cell in notebook["cells"]:
        if text := SAMPLE.get(grade_id(cell).partition("-")[2]):
            heading = cell["source"][0].rstrip() if cell["cell_type"] == "markdown" else ""
            cell["source"] = f"{heading}{text}".splitlines(keepends=True)
    return notebook


def merge(notebook: dict[str, Any], template: dict[str, Any], changes: Changes) -> None:
    """Add the cells that are missing, each behind the one that it follows, and bring titles and points up to date."""
    cells, place = notebook["cells"], -1
    for cell in template["cells"]:
        index = next((i for i, present in enumerate(cells) if grade_id(present) == grade_id(cell)), None)
        if index is None:
            place += 1
            cells.insert(place, cell | {"id": _free_id(cells, template)})
            changes.added.append(grade_id(cell))
        else:
            place = _last_behind(cells, index)
            if _update(cells[index], cell):
                changes.updated.append(grade_id(cell))


def grade_id(cell: Cell) -> str:
    """nbgrader's name for a cell; empty if it has none."""
    name: str = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
    return name


def _last_behind(cells: list[Cell], place: int) -> int:
    """The place of the last cell that a lecturer has written behind a cell: those have no name of nbgrader's."""
    while place + 1 < len(cells) and not grade_id(cells[place + 1]):
        place += 1
    return place


def _free_id(cells: list[Cell], template: dict[str, Any]) -> str:
    taken = {cell.get("id") for cell in cells}
    prefix = template["cells"][0]["id"].rpartition("-")[0]
    names = (f"{prefix}-{number:02}" for number in count())
    return next(name for name in names if name not in taken)


def _update(cell: Cell, template: Cell) -> bool:
    """Take the points and the line with number, title and points from the template; returns whether they differed."""
    before = json.dumps(cell)
    points = template["metadata"]["nbgrader"].get("points")
    if points is not None:
        cell["metadata"]["nbgrader"]["points"] = points
    heading = HEADINGS.search("".join(template["source"]))
    if heading and cell["cell_type"] == "markdown":
        text = HEADINGS.sub(lambda _: heading[0], "".join(cell["source"]), count=1)
        cell["source"] = text.splitlines(keepends=True)
    return json.dumps(cell) != before
