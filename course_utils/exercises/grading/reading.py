"""What a submission says, whatever an editor or a student has done to its cells: the code to run, and the answer.

The cells are put in their places as they are before hand-in. What may have been lost on the way is said in sentences.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from course_utils.exercises.notebook.cell import Cell, name_of, source_of
from course_utils.exercises.notebook.functions import code_in, functions_in
from course_utils.exercises.notebook.places import Places
from course_utils.exercises.notebook.texts import is_blank
from course_utils.exercises.task import Exercise, Task

__all__ = ["LONGEST_ANSWER", "Reading", "read"]

LONGEST_ANSWER = 20_000  # characters that are shown of a written answer


@dataclass(frozen=True)
class Reading:
    """`code`: the names, such as "cell 3" of the student's file, and the sources of the cells that run.

    `remarks`: what a lecturer should know of the written answer. `doubts`: for some tasks, why their marks may not be
    what the student's work is worth.
    """

    code: list[tuple[str, str]]
    written: str
    remarks: list[str]
    doubts: dict[str, str]


def read(exercise: Exercise, cells: Sequence[Cell], handed_out: Mapping[str, str]) -> Reading:
    """A submission's cells read; they stay as they are. `handed_out`: the texts of the lecturer's cells, by name.

    Where that fails, which no text should bring about, the cells are taken as they are: one notebook must not end the
    grading of a class.
    """
    try:
        return _read(exercise, cells, handed_out)
    except Exception as problem:
        numbered = [(f"cell {number}", cell) for number, cell in enumerate(cells, 1)]
        code = [(number, source_of(cell)) for number, cell in numbered if cell["cell_type"] == "code"]
        name = f"{exercise.name}-{exercise.written.name}"
        written = next((source_of(cell) for _, cell in numbered if name_of(cell) == name), "")
        reason = f"lost cells were not looked for ({type(problem).__name__}); see the notebook"
        return Reading(code, written, [reason], {})


def _read(exercise: Exercise, cells: Sequence[Cell], handed_out: Mapping[str, str]) -> Reading:
    original = copy.deepcopy(list(cells))
    places = Places(exercise, list(original))
    numbers = {id(cell): f"cell {number}" for number, cell in enumerate(original, 1)}
    code = [cell for cell in places.cells if cell["cell_type"] == "code"]
    named = [(numbers.get(id(cell)) or places.title(name_of(cell)), source_of(cell)) for cell in code]
    written, remarks = _written(places, numbers, handed_out)
    return Reading(named, written, remarks, _doubts(exercise, cells))


def _written(places: Places, numbers: Mapping[int, str], handed_out: Mapping[str, str]) -> tuple[str, list[str]]:
    """The written answer, and what is to be said of it."""
    lines = frozenset(line.strip() for text in handed_out.values() for line in text.splitlines() if line.strip())
    text = source_of(places.answer).strip()
    if not is_blank("\n".join(line for line in text.splitlines() if line.strip() not in lines)):
        return text, list(_not_shown(text))
    texts = [(numbers[id(cell)], text) for cell, text in places.texts_elsewhere(lines) if id(cell) in numbers]
    what = "the written answer is empty" if id(places.answer) in numbers else "there is no cell of the written answer"
    if not texts:
        return "", [f"{what}, and no other text of the student's was found"]
    found = "\n\n".join(text for _, text in texts)
    cells = _list([number for number, _ in texts])
    return found, [f"{what}; what the student wrote in {cells} was taken for it", *_not_shown(found)]


def _not_shown(text: str) -> list[str]:
    """What the page with the written answers lacks."""
    remarks = []
    if len(text) > LONGEST_ANSWER:
        remarks.append(f"the written answer has {len(text):,} characters; the first {LONGEST_ANSWER:,} are shown")
    if re.search(r"!\[[^\]\n]{0,300}\]\(|<img\b", text):
        remarks.append("the written answer has a picture, which is not shown; see it in the notebook")
    return remarks


def _doubts(exercise: Exercise, cells: Sequence[Cell]) -> dict[str, str]:
    """For tasks whose function is not there once, in a cell of code: where it is."""
    return {task.name: doubt for task in exercise.tasks if (doubt := _doubt(task, cells))}


def _doubt(task: Task, cells: Sequence[Cell]) -> str:
    numbered = [(f"cell {number}", cell) for number, cell in enumerate(cells, 1)]
    code = [
        (number, source_of(cell))
        for number, cell in numbered
        if cell["cell_type"] == "code" and task.name in functions_in(source_of(cell))
    ]
    begun = {source.strip(): number for number, source in code if functions_in(source)[task.name]}
    if len(begun) > 1:
        return f"{task.name} is written in {_list(list(begun.values()))}, in different ways; the last one was graded"
    if code:
        return ""
    for number, cell in numbered:
        if cell["cell_type"] != "code" and functions_in(code_in(source_of(cell))).get(task.name):
            return f"{task.name} is written in {number}, which is no code; it was graded from there"
    mentions = [number for number, cell in numbered if re.search(rf"\bdef\s+{re.escape(task.name)}\b", source_of(cell))]
    return f"no cell defines {task.name}" + (f"; see {_list(mentions)}" if mentions else "")


def _list(numbers: Sequence[str]) -> str:
    if len(numbers) > 4:
        return f"{', '.join(numbers[:3])} and {len(numbers) - 3} others"
    return numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
