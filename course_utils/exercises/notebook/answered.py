"""The cells of a notebook that answers an exercise, by their names: what the steps that put them right work on."""

from typing import Any

from course_utils.exercises.notebook.cell import Cell, name_of
from course_utils.exercises.notebook.skeleton import skeleton
from course_utils.exercises.task import Exercise

__all__ = ["AnsweredExercise", "change_type"]


class AnsweredExercise:
    """`cells` are changed in place. `wanted`: the cells that the exercise consists of, by name; `tasks`: its tasks, by
    the names of their cells; `written`: the name of the cell of the written answer.

    `repaired`: what is as it was meant to be again. `warnings`: what only the student can correct, each with how.
    """

    def __init__(self, exercise: Exercise, cells: list[Cell]) -> None:
        self.exercise, self.cells = exercise, cells
        self.repaired: list[str] = []
        self.warnings: list[str] = []
        self.wanted = {name_of(cell): cell for cell in skeleton(exercise)["cells"]}
        self.tasks = {f"{exercise.name}-{task.name}": task for task in exercise.tasks}
        self.written = f"{exercise.name}-{exercise.written.name}"

    @property
    def code(self) -> list[Cell]:
        """The cells of code."""
        return [cell for cell in self.cells if cell["cell_type"] == "code"]

    @property
    def texts(self) -> list[Cell]:
        """The cells of text."""
        return [cell for cell in self.cells if cell["cell_type"] != "code"]

    def find(self, name: str) -> Cell | None:
        """The cell of this name."""
        return next((cell for cell in self.cells if name_of(cell) == name), None)

    def title(self, name: str) -> str:
        """What a student calls a cell of the exercise."""
        part = name.removeprefix(f"{self.exercise.name}-")
        names = [task.name for task in self.exercise.tasks] + [self.exercise.written.name]
        for number, task in enumerate(names, 1):
            what = "written answer" if number == len(names) else f"function {task}"
            titles = {task: what, f"{task}-text": "text", f"{task}-check": "check"}
            if part in titles:
                return f"the {titles[part]} of task {number}"
        parts = {"opening": "first text", "setup": "setup cell", "panel": "panel"}
        parts |= {"end": "text about handing in", "handin": "hand-in cell"}
        return f"the {parts.get(part, f'cell {part}')}"

    def remove(self, cell: Cell) -> None:
        """Take a cell out."""
        self.cells[:] = [present for present in self.cells if present is not cell]

    def insert_below(self, cell: Cell, new: Cell) -> None:
        """Put a new cell below another."""
        place = next(number for number, present in enumerate(self.cells, 1) if present is cell)
        self.cells.insert(place, new)

    def free_id(self, name: str) -> str:
        """An identifier for a new cell of this name."""
        taken = {cell["id"] for cell in self.cells}
        name = name[:50]
        if name not in taken:
            return name
        return next(f"{name}-{i}" for i in range(len(taken) + 1) if f"{name}-{i}" not in taken)

    def was_repaired(self, name: str, what: str) -> None:
        """Note what was put right with the cell of this name."""
        self.repaired.append(f"T{self.title(name)[1:]} {what}")


def change_type(cell: Cell, kind: Any) -> None:
    """Make a cell one of another type, with the fields of that type."""
    cell["cell_type"] = kind
    for field in ("attachments", "outputs", "execution_count"):
        cell.pop(field, None)
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
