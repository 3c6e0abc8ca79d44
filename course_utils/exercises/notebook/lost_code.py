"""Functions that stand where Python does not see them: in halves of a cell, in cells of text, above an empty cell."""

from course_utils.exercises.notebook.answered import AnsweredExercise, change_type
from course_utils.exercises.notebook.cell import Cell, name_of, set_source, source_of
from course_utils.exercises.notebook.functions import code_in, functions_in, is_refused, is_stub, joined

__all__ = ["join_halves", "remove_stubs", "take_code_from_texts"]


def join_halves(answered: AnsweredExercise) -> None:
    """A cell of code that was split in two, neither of which Python takes alone, is one again."""
    number = 1
    while number < len(answered.cells):
        first, second = answered.cells[number - 1 : number + 1]
        names = {name_of(cell) for cell in (first, second)} - {""}
        code = first["cell_type"] == second["cell_type"] == "code"
        if not code or len(names) > 1 or (text := joined(source_of(first), source_of(second))) is None:
            number += 1
            continue
        set_source(first, text)
        if names:
            first["metadata"] |= second["metadata"] | first["metadata"]
        first["outputs"] = [*first["outputs"], *second["outputs"]]
        answered.remove(second)
        answered.repaired.append("A cell of code that had been split was joined again.")


def take_code_from_texts(answered: AnsweredExercise) -> None:
    """A function that stands in a cell of text, alone or among sentences, is code again."""
    for name, task in answered.tasks.items():
        if any(functions_in(source_of(cell)).get(task.name) for cell in answered.code):
            continue
        texts = sorted(answered.texts, key=lambda cell: name_of(cell) == answered.written)  # which may quote code
        holder = next((c for c in texts if functions_in(code_in(source_of(c))).get(task.name)), None)
        if holder is None:
            continue
        only_code = not is_refused(source_of(holder))
        if only_code and name_of(holder) == name:
            continue  # its type alone is wrong
        _copy_code(answered, holder, name, only_code=only_code)
        answered.was_repaired(name, "stood in a cell of text; it is in a cell of code now.")


def _copy_code(answered: AnsweredExercise, holder: Cell, name: str, *, only_code: bool) -> None:
    """The code of a cell of text goes to the cell of this name; what has nothing else becomes that cell."""
    text = code_in(source_of(holder))
    if name_of(holder) == name:
        del holder["metadata"]["nbgrader"]
    cell = answered.find(name)
    if only_code and not name_of(holder):
        if cell is not None:
            answered.remove(cell)
        cell = holder
    elif cell is None:
        cell = {"id": answered.free_id(name), "cell_type": "code", "metadata": {}}
        answered.insert_below(holder, cell)
    cell["metadata"] = {"nbgrader": {"grade_id": name}}
    change_type(cell, "code")
    set_source(cell, text)


def remove_stubs(answered: AnsweredExercise) -> None:
    """Where a function was written in another cell, its empty beginning must not take its place."""
    for name, task in answered.tasks.items():
        written = [cell for cell in answered.code if functions_in(source_of(cell)).get(task.name)]
        stubs = [cell for cell in answered.code if is_stub(source_of(cell), task.name)]
        if not written or not stubs:
            continue
        named = answered.find(name)
        for cell in stubs:
            answered.remove(cell)
        if (named is None or any(named is cell for cell in stubs)) and not name_of(written[-1]):
            written[-1]["metadata"]["nbgrader"] = dict(answered.wanted[name]["metadata"]["nbgrader"])
        answered.was_repaired(name, "was written in another cell; its empty cell was taken out.")
