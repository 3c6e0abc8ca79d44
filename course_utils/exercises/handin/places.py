"""Which cells of a notebook belong to an exercise: lost, copied and unmarked ones are put right.

Each cell of an exercise has a name (nbgrader's grade_id) in its metadata. Editors lose it, copies double it. Where it
is missing, the text of the cell tells which one it is; `skeleton` says what an exercise consists of.
"""

import re
from collections.abc import Callable
from typing import Any

from course_utils.exercises.notebook.answers import TEXT_STUB, begun, defines, problem_of
from course_utils.exercises.notebook.cell import Cell, name_of, set_source, source_of
from course_utils.exercises.notebook.skeleton import skeleton
from course_utils.exercises.task import Exercise, Task, signature

__all__ = ["Places"]

STUB = "def {signature}:\n    raise NotImplementedError()"


class Places:
    """Puts the cells of an exercise right, in place, and says what it did.

    `repaired`: what is as it was meant to be again. `warnings`: what only the student can correct, each with how.
    """

    def __init__(self, exercise: Exercise, cells: list[Cell]) -> None:
        self.exercise, self.cells = exercise, cells
        self.repaired: list[str] = []
        self.warnings: list[str] = []
        self._wanted = {name_of(cell): cell for cell in skeleton(exercise)["cells"]}
        self._tasks = {f"{exercise.name}-{task.name}": task for task in exercise.tasks}
        self._written = f"{exercise.name}-{exercise.written.name}"
        self._release_foreign_cells()
        self._resolve_copies()
        self._name_unmarked_cells()
        self._restore_marks()
        self._restore_lost_cells()
        self._move_answer()

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

    # One step after the other

    def _release_foreign_cells(self) -> None:
        """Cells that were copied from another exercise count as added by the student."""
        for cell in self.cells:
            name = name_of(cell)
            if name and not name.startswith(f"{self.exercise.name}-"):
                del cell["metadata"]["nbgrader"]
                self.repaired.append(
                    f"A cell of another exercise ({name}) was copied into it; it counts as your own here."
                )

    def _resolve_copies(self) -> None:
        """Of cells with the same name the best one keeps it."""
        for name in dict.fromkeys(name_of(cell) for cell in self.cells if name_of(cell)):
            same = [cell for cell in self.cells if name_of(cell) == name]
            if len(same) == 1:
                continue
            best = self._best(name, same)
            for cell in same:
                if cell is not best:
                    del cell["metadata"]["nbgrader"]
                if self.is_empty(name, cell) and not self.is_empty(name, best):
                    self._remove(cell)  # below a function it would take its place
            texts = {source_of(cell).strip() for cell in same if cell is best or not self.is_empty(name, cell)}
            if (name in self._tasks or name == self._written) and len(texts) > 1:
                self.warnings.append(
                    f"{_capital(self.title(name))} is there {len(same)} times, with different contents; the last one "
                    "counts. Delete the others, so that you know which one is graded."
                )
            else:
                self.repaired.append(f"{_capital(self.title(name))} was there {len(same)} times; one of them counts.")

    def _name_unmarked_cells(self) -> None:
        """Cells that have lost their names, known by what stands in them."""
        named = []
        for name in self._wanted:
            if self.find(name) is not None:
                continue
            unnamed = [cell for cell in self.cells if not name_of(cell)]
            if candidates := self._candidates(name, unnamed):
                self._best(name, candidates)["metadata"]["nbgrader"] = {"grade_id": name}
                named.append(self.title(name))
        if named:
            what = ", ".join(named) if len(named) < 4 else f"{len(named)} cells"
            self.repaired.append(f"An editor had removed the marks by which cells are known; put back: {what}.")

    def _restore_marks(self) -> None:
        """Points and locks are those of the exercise, and code is code."""
        changed = []
        for cell in self.cells:
            wanted = self._wanted.get(name_of(cell))
            if wanted is None:
                continue
            before, marks = cell["metadata"]["nbgrader"], wanted["metadata"]["nbgrader"]
            cell["metadata"]["nbgrader"] = before | marks
            if cell["metadata"]["nbgrader"] != before and before.keys() != {"grade_id"}:
                changed.append(self.title(name_of(cell)))
            if tags := wanted["metadata"].get("tags"):
                cell["metadata"]["tags"] = list(dict.fromkeys([*cell["metadata"].get("tags", []), *tags]))
            if cell["cell_type"] != wanted["cell_type"]:
                self.repaired.append(f"{_capital(self.title(name_of(cell)))} had become a cell of another type.")
                _change_type(cell, wanted["cell_type"])
        if changed:
            self.repaired.append(f"Marks that had been changed were put back: {', '.join(changed)}.")

    def _restore_lost_cells(self) -> None:
        """Cells that are gone come back, an answer empty."""
        place, restored = 0, []
        for name, wanted in self._wanted.items():
            if (cell := self.find(name)) is not None:
                place = self.cells.index(cell) + 1
                continue
            new = self._new(name, wanted)
            if new is None:
                continue
            self.cells.insert(place, new)
            place += 1
            if name in self._tasks:
                self.warnings.append(self._missing_cell(self._tasks[name], name))
            elif name == self._written:
                self.warnings.append(
                    f"The cell of {self.title(name)} is missing. Bring it back with Edit > Undo Delete Cell, or write "
                    "your answer into a new Markdown cell below its question."
                )
            else:
                restored.append(self.title(name))
        if restored:
            self.repaired.append(f"Deleted cells were put back: {', '.join(restored)}.")
        if self.title(f"{self.exercise.name}-setup") in restored:
            self.warnings.append(
                "The setup cell was put back as it comes with most exercises. If your functions need other imports, "
                "write them into a cell of your own at the top."
            )

    def _move_answer(self) -> None:
        """A written answer that stands in cells below the empty one is moved into it."""
        answer = self.find(self._written)
        if answer is None or not self.is_empty(self._written, answer):
            return
        below = []
        for cell in self.cells[self.cells.index(answer) + 1 :]:
            if name_of(cell) or cell["cell_type"] != "markdown":
                break
            below.append(cell)
        if text := "\n\n".join(source_of(cell).strip() for cell in below).strip():
            set_source(answer, text)
            attachments = {name: data for cell in below for name, data in cell.get("attachments", {}).items()}
            if attachments:
                answer["attachments"] = attachments
            for cell in below:
                self._remove(cell)
            self.repaired.append("Your written answer stood below its cell; it was moved into it.")

    # What the steps need

    def _best(self, name: str, same: list[Cell]) -> Cell:
        """The cell that counts, of several: what runs last defines the function."""
        if name in self._tasks:
            function = self._tasks[name].name
            defining = [cell for cell in same if defines(cell, function)]
            code = [cell for cell in defining if cell["cell_type"] == "code"] or defining
            return ([cell for cell in code if begun(cell, function)] or code or same)[-1]
        if name == self._written:
            return ([cell for cell in same if not self.is_empty(name, cell)] or same)[-1]
        return same[0]

    def is_empty(self, name: str, cell: Cell) -> bool:
        """Whether nobody has written an answer into this cell yet."""
        if name in self._tasks:
            return defines(cell, self._tasks[name].name) and not begun(cell, self._tasks[name].name)
        return name == self._written and source_of(cell).strip() in ("", TEXT_STUB)

    def _candidates(self, name: str, unnamed: list[Cell]) -> list[Cell]:
        """Cells without a name that must be the one of this name."""
        if name in self._tasks:
            function = self._tasks[name].name
            return [c for c in unnamed if defines(c, function) and (c["cell_type"] == "code" or not problem_of(c))]
        if name == self._written:
            return self._answers()
        return [cell for cell in unnamed if self._sign(name)(source_of(cell))]

    def _sign(self, name: str) -> Callable[[str], bool]:
        """By what the text of a locked cell is known."""
        first = source_of(self._wanted[name]).split("\n")[0]
        if self._wanted[name]["cell_type"] == "markdown":
            start = re.match(r"#+ (?:Exercise \d+|Task \d+\.|.*)", first)
            return lambda text: start is not None and text.lstrip().startswith(start[0])
        if name.endswith("-check"):
            task = re.escape(name.removeprefix(f"{self.exercise.name}-").removesuffix("-check"))
            return lambda text: re.fullmatch(rf"\s*check\(\s*{task}\s*\)\s*", text) is not None
        call = {"setup": "check = exercise(", "handin": "hand_in("}
        return lambda text: call[name.split("-", 1)[1]] in text

    def _answers(self) -> list[Cell]:
        """Cells of text between the question and the end."""
        question = self.find(f"{self._written}-text")
        if question is None:
            return []
        end = self._sign(f"{self.exercise.name}-end")
        texts: list[Cell] = []
        for cell in self.cells[self.cells.index(question) + 1 :]:
            if name_of(cell) or cell["cell_type"] == "code" or end(source_of(cell)):
                break
            texts.append(cell)
        return texts

    def _new(self, name: str, wanted: Cell) -> Cell | None:
        """A cell in the place of one that is lost; none where a function stands in another cell."""
        new: Cell = wanted | {"id": self._free_id(name), "metadata": dict(wanted["metadata"])}
        if name.endswith("-keep"):
            return None  # it is of use where one works, not where work is graded
        if name in self._tasks:
            task = self._tasks[name]
            if any(cell["cell_type"] == "code" and defines(cell, task.name) for cell in self.cells):
                return None
            set_source(new, STUB.format(signature=signature(task)))
        elif name == self._written:
            set_source(new, TEXT_STUB)
        elif new["cell_type"] == "markdown":
            set_source(new, source_of(wanted).split("\n")[0])  # the lecturer's sentences are not known here
        return new

    def _remove(self, cell: Cell) -> None:
        self.cells[:] = [present for present in self.cells if present is not cell]

    def _free_id(self, name: str) -> str:
        taken = {cell["id"] for cell in self.cells}
        name = name[:50]
        if name not in taken:
            return name
        return next(f"{name}-{i}" for i in range(len(taken) + 1) if f"{name}-{i}" not in taken)

    def _missing_cell(self, task: Task, name: str) -> str:
        return (
            f"The cell of {self.title(name)} is missing. Bring it back with Edit > Undo Delete Cell, or write "
            f"`{signature(task)}` in a new code cell above its check."
        )


def _change_type(cell: Cell, kind: Any) -> None:
    cell["cell_type"] = kind
    for field in ("attachments", "outputs", "execution_count"):
        cell.pop(field, None)
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
