"""A new exercise from templates: its module, the lecturer's part, and the notebook that belongs to them.

Run again after tasks were added to the module, it adds their cells to the notebook. What a lecturer has written stays:
of a cell that is there, only the line with the number, the title and the points follows the module, and the points.
"""

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils.course.syllabus import SECTIONS
from course_utils.exercises.notebook import Cell, skeleton
from course_utils.exercises.task import Exercise
from course_utils.exercises.teacher import Teacher, load_teacher

__all__ = ["Written", "new_exercise"]

NAME = re.compile(r"ex(\d\d)")
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
FEWEST_RIGHT, FEWEST_WRONG = 2, 5  # answers to a task in the lecturer's part


@dataclass
class Written:
    """What was done: `new` files, cells that were `added` to or `changed` in the notebook, and what is `lacking`."""

    new: list[Path] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)


def new_exercise(course: Path, name: str) -> Written:
    """Write what there is not yet of the exercise `name`, such as "ex10" for section 10, into the repository `course`.

    Raises: ValueError for a name that no section has, or a notebook without its module; nothing is overwritten.
    """
    section = next((section for section in SECTIONS if name == f"ex{section.number}"), None)
    if section is None:
        raise ValueError(f"an exercise is named for its section, from ex01 to ex{SECTIONS[-1].number}; got {name!r}")
    module, teacher, notebook = places(course, name)
    if notebook.exists() and not module.exists():
        raise ValueError(f"{notebook} is there, and {module} is not: bring it back, or move the notebook away")
    done = Written()
    sample = not module.exists()
    fill = {"NUMBER": section.number, "TITLE": section.title, "NAME": name, "SEED": f"{_seed():_}"}
    if sample:
        _write(module, _filled("exercise.txt", fill), done)
    if not teacher.exists():
        text = _filled("teacher.txt", fill)
        _write(teacher, text if sample else text[: text.index("\n\n\n@right")] + "\n", done)
    exercise = load_module(module)
    wanted = skeleton(exercise)
    if not notebook.exists():
        _write(notebook, _text(with_sample(wanted) if sample else wanted), done)
    else:
        found = json.loads(notebook.read_text(encoding="utf-8"))
        merge(found, wanted, done)
        if done.added or done.changed:
            _write(notebook, _text(found))
    done.lacking += lacking(exercise, load_teacher(teacher), wanted, json.loads(notebook.read_text(encoding="utf-8")))
    return done


def places(course: Path, name: str) -> tuple[Path, Path, Path]:
    """Where the module of an exercise, the lecturer's part and the lecturer's notebook are."""
    folder = course / "notebooks" / "exercises"
    module = course / "course_utils" / "exercises" / f"{name}.py"
    return module, folder / "teacher" / f"{name}.py", folder / "source" / name / f"{name}.ipynb"


def load_module(path: Path) -> Exercise:
    """The exercise in a file, which need not belong to the installed package."""
    found: dict[str, Any] = {"__name__": f"exercise_{path.stem}"}
    exec(compile(path.read_text(encoding="utf-8"), path.name, "exec"), found)
    exercise: Exercise = found["EXERCISE"]
    if exercise.name != path.stem:
        raise ValueError(f"the exercise in {path} calls itself {exercise.name!r}; its name is that of its file")
    return exercise


def _seed() -> int:
    """A number of seven digits that nobody can guess."""
    return 1_000_000 + secrets.randbelow(9_000_000)


def _filled(template: str, fill: dict[str, str]) -> str:
    text = (resources.files("course_utils.exercises.handout") / "templates" / template).read_text(encoding="utf-8")
    for word, value in fill.items():
        text = re.sub(rf"\b{word}\b", lambda _, value=value: value, text)  # type: ignore[misc]
    return text


def _text(notebook: dict[str, Any]) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str, done: Written | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as file:
        file.write(text.encode())
    if done is not None:
        done.new.append(path)


# The notebook


def with_sample(wanted: dict[str, Any]) -> dict[str, Any]:
    """A copy of a new notebook in which the sample task has its sentences and its solution."""
    notebook: dict[str, Any] = json.loads(json.dumps(wanted))
    for cell in notebook["cells"]:
        if text := SAMPLE.get(grade_id(cell).partition("-")[2]):
            heading = cell["source"][0].rstrip() if cell["cell_type"] == "markdown" else ""
            cell["source"] = f"{heading}{text}".splitlines(keepends=True)
    return notebook


def merge(notebook: dict[str, Any], wanted: dict[str, Any], done: Written) -> None:
    """Add the cells that are missing, each behind the one that it follows, and bring titles and points up to date."""
    cells, place = notebook["cells"], -1
    for cell in wanted["cells"]:
        mine = next((i for i, other in enumerate(cells) if grade_id(other) == grade_id(cell)), None)
        if mine is None:
            place += 1
            cells.insert(place, cell | {"id": _free_id(cells, wanted)})
            done.added.append(grade_id(cell))
        else:
            place = _behind(cells, mine)
            if _follow(cells[mine], cell):
                done.changed.append(grade_id(cell))


def grade_id(cell: Cell) -> str:
    """nbgrader's name for a cell; empty if it has none."""
    name: str = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
    return name


def _behind(cells: list[Cell], place: int) -> int:
    """The last of the cells without a name of nbgrader's that follow a cell: a lecturer has written them there."""
    while place + 1 < len(cells) and not grade_id(cells[place + 1]):
        place += 1
    return place


def _free_id(cells: list[Cell], wanted: dict[str, Any]) -> str:
    taken, prefix = {cell.get("id") for cell in cells}, wanted["cells"][0]["id"].rpartition("-")[0]
    return next(name for number in range(len(cells) + 100) if (name := f"{prefix}-{number:02}") not in taken)


def _follow(cell: Cell, wanted: Cell) -> bool:
    """Take the points and the line with number, title and points from the wanted cell; returns whether they differ."""
    marks, points = cell["metadata"]["nbgrader"], wanted["metadata"]["nbgrader"].get("points")
    before = json.dumps(cell)
    if points is not None:
        marks["points"] = points
    heading = HEADINGS.search("".join(wanted["source"]))
    if heading and cell["cell_type"] == "markdown":
        text = HEADINGS.sub(lambda _: heading[0], "".join(cell["source"]), count=1)
        cell["source"] = text.splitlines(keepends=True)
    return json.dumps(cell) != before


# What is still to be written


def lacking(exercise: Exercise, teacher: Teacher, wanted: dict[str, Any], notebook: dict[str, Any]) -> Iterator[str]:
    """What an exercise lacks, in sentences: answers in the lecturer's part, sentences and solutions in the notebook."""
    for task in exercise.tasks:
        answers = [answer for answer in teacher.answers if answer.task == task.name]
        right = sum(not answer.mistake for answer in answers)
        wrong = len({answer.mistake for answer in answers if answer.mistake})
        if right < FEWEST_RIGHT or wrong < FEWEST_WRONG:
            yield (
                f"{task.name}: {right} right and {wrong} wrong answers in the lecturer's part, "
                f"{FEWEST_RIGHT} and {FEWEST_WRONG} are asked for"
            )
    empty = {grade_id(cell): cell["source"] for cell in wanted["cells"]}
    open_ends = ("-text", *(f"-{task.name}" for task in exercise.tasks), f"-{exercise.written.name}")
    for cell in notebook["cells"]:
        if (name := grade_id(cell)).endswith(open_ends) and cell["source"] == empty.get(name):
            yield f"{name}: the notebook's cell is still as it was made"
        elif name and name not in empty and name.endswith(("-text", "-check")):
            yield f"{name}: the module has no such task any more; delete the cell"
