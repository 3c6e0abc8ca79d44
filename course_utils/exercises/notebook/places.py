"""Which cells of a notebook belong to an exercise: lost, split, copied and unmarked ones are put right.

Each cell of an exercise has a name (nbgrader's grade_id) in its metadata. Editors lose it, copies double it. Where it
is missing, the text of the cell tells which one it is; `skeleton` says what an exercise consists of. The check before
hand-in and the grader both read a notebook through this, so what one of them finds the other does too.
"""

from course_utils.exercises.notebook.answered import AnsweredExercise, change_type
from course_utils.exercises.notebook.cell import Cell, name_of, set_source, source_of
from course_utils.exercises.notebook.functions import code_in, functions_in, is_refused, is_stub
from course_utils.exercises.notebook.lost_answer import answers, gather_answer, join_answers
from course_utils.exercises.notebook.lost_code import join_halves, remove_stubs, take_code_from_texts
from course_utils.exercises.notebook.signs import may_define, sign
from course_utils.exercises.notebook.texts import TEXT_STUB, added, comments_in, is_blank, prose_of
from course_utils.exercises.task import Exercise, Task, signature

__all__ = ["Places"]

STUB = "def {signature}:\n    raise NotImplementedError()"


class Places(AnsweredExercise):
    """Puts the cells of an exercise right, in place, and says what it did."""

    def __init__(self, exercise: Exercise, cells: list[Cell]) -> None:
        super().__init__(exercise, cells)
        self._release_foreign_cells()
        join_halves(self)
        self._resolve_copies()
        self._name_unmarked_cells()
        take_code_from_texts(self)
        self._restore_marks()
        remove_stubs(self)
        self._restore_lost_cells()
        gather_answer(self)

    @property
    def answer(self) -> Cell:
        """The cell of the written answer."""
        return next(cell for cell in self.cells if name_of(cell) == self.written)

    def texts_elsewhere(self, handed_out: frozenset[str] = frozenset()) -> list[tuple[Cell, str]]:
        """Cells in which a student may have written the answer, if its own is blank, and what stands there.

        `handed_out`: the lines of the lecturer's texts, which are no answers; without them only cells that the student
        has added are looked at.
        """
        texts = []
        for cell in self.cells:
            if cell is self.answer or name_of(cell) in self.tasks or (name_of(cell) and not handed_out):
                continue
            words = comments_in(cell) if name_of(cell) and cell["cell_type"] == "code" else prose_of(cell)
            if not is_blank(text := added(words, handed_out)):
                texts.append((cell, text))
        return texts

    # One step after the other

    def _release_foreign_cells(self) -> None:
        """Cells with names that the exercise has not given count as added by the student."""
        for cell in self.cells:
            name = name_of(cell)
            if not name or (name in self.wanted and not self._is_misnamed(name, cell)):
                continue
            if not name.startswith(f"{self.exercise.name}-"):
                self.repaired.append(
                    f"A cell of another exercise ({name}) was copied into it; it counts as your own here."
                )
            elif name in self.wanted or cell["metadata"]["nbgrader"].get("solution"):
                self.repaired.append(f"A cell had the name {name}, which is not its own; it counts as your own here.")
            else:
                continue  # the lecturer's own, such as a panel
            del cell["metadata"]["nbgrader"]

    def _resolve_copies(self) -> None:
        """Of cells with the same name the best one keeps it; an answer in several cells is gathered afterwards."""
        for name in dict.fromkeys(name_of(cell) for cell in self.cells if name_of(cell)):
            same = [cell for cell in self.cells if name_of(cell) == name]
            if len(same) == 1:
                continue
            if name == self.written:
                join_answers(self, same)
                continue
            best = self._best(name, same)
            for cell in same:
                if cell is not best:
                    del cell["metadata"]["nbgrader"]
            texts = {source_of(cell).strip() for cell in same if not self._is_stub(name, cell)}
            if name not in self.tasks or len(texts) < 2:  # different functions are for the student to sort out
                self.was_repaired(name, f"was there {len(same)} times; one of them counts.")
            for cell in same:
                if cell is not best and self._is_stub(name, cell):
                    self.remove(cell)  # below a function it would take its place

    def _name_unmarked_cells(self) -> None:
        """Cells that have lost their names, known by what stands in them."""
        named = []
        for name in self.wanted:
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
            wanted = self.wanted.get(name_of(cell))
            if wanted is None:
                continue
            before, marks = cell["metadata"]["nbgrader"], wanted["metadata"]["nbgrader"]
            cell["metadata"]["nbgrader"] = before | marks
            if cell["metadata"]["nbgrader"] != before and before.keys() != {"grade_id"}:
                changed.append(self.title(name_of(cell)))
            if tags := wanted["metadata"].get("tags"):
                cell["metadata"]["tags"] = list(dict.fromkeys([*cell["metadata"].get("tags", []), *tags]))
            if cell["cell_type"] != wanted["cell_type"]:
                self.was_repaired(name_of(cell), "had become a cell of another type.")
                if cell["cell_type"] == "code":
                    set_source(cell, prose_of(cell) or source_of(cell))
                change_type(cell, wanted["cell_type"])
        if changed:
            self.repaired.append(f"Marks that had been changed were put back: {', '.join(changed)}.")

    def _restore_lost_cells(self) -> None:
        """Cells that are gone come back, an answer empty."""
        place, restored = 0, []
        for name, wanted in self.wanted.items():
            if (cell := self.find(name)) is not None:
                place = self.cells.index(cell) + 1
                continue
            new = self._new(name, wanted)
            if new is None:
                continue
            self.cells.insert(place, new)
            place += 1
            if name in self.tasks:
                self.warnings.append(self._missing_cell(self.tasks[name], name))
            elif name == self.written:
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

    # What the steps need

    def _best(self, name: str, same: list[Cell]) -> Cell:
        """The cell that counts, of several: what runs last defines the function."""
        if name in self.tasks:
            function = self.tasks[name].name
            defining = [cell for cell in same if function in functions_in(code_in(source_of(cell)))]
            code = [cell for cell in defining if cell["cell_type"] == "code"] or defining
            return ([cell for cell in code if not self._is_stub(name, cell)] or code or same)[-1]
        is_it = sign(self.wanted[name]) if name in self.wanted else None
        return next((cell for cell in same if is_it and is_it(source_of(cell))), same[0])

    def _is_misnamed(self, name: str, cell: Cell) -> bool:
        """Whether a cell has become what the cell of this name cannot be: words for code, a function for words."""
        kind, text = self.wanted[name]["cell_type"], source_of(cell)
        if kind == cell["cell_type"]:
            return False
        tasks = {task.name for task in self.exercise.tasks}
        functions = tasks & functions_in(code_in(text)).keys()
        if kind == "code":
            return is_refused(text) and not functions
        return cell["cell_type"] == "code" and bool(functions)

    def _is_stub(self, name: str, cell: Cell) -> bool:
        """Whether nobody has written into this cell of a task yet."""
        return name in self.tasks and is_stub(source_of(cell), self.tasks[name].name)

    def _candidates(self, name: str, unnamed: list[Cell]) -> list[Cell]:
        """Cells without a name that must be the one of this name."""
        if name in self.tasks:
            function = self.tasks[name].name
            return [c for c in unnamed if c["cell_type"] == "code" and function in functions_in(source_of(c))]
        if name == self.written:
            words = answers(self)
            return ([cell for cell in words if cell["cell_type"] != "code"] or words)[:1]
        is_it = sign(self.wanted[name])
        return [cell for cell in unnamed if is_it(source_of(cell))]

    def _new(self, name: str, wanted: Cell) -> Cell | None:
        """A cell in the place of one that is lost; none where a function stands in another cell."""
        new: Cell = wanted | {"id": self.free_id(name), "metadata": dict(wanted["metadata"])}
        if name.endswith("-keep"):
            return None  # it is of use where one works, not where work is graded
        if name in self.tasks:
            task = self.tasks[name]
            if any(may_define(source_of(cell), task.name) for cell in self.code):
                return None
            set_source(new, STUB.format(signature=signature(task)))
        elif name == self.written:
            set_source(new, TEXT_STUB)
        elif new["cell_type"] == "markdown":
            set_source(new, source_of(wanted).split("\n")[0])  # the lecturer's sentences are not known here
        return new

    def _missing_cell(self, task: Task, name: str) -> str:
        return (
            f"The cell of {self.title(name)} is missing. Bring it back with Edit > Undo Delete Cell, or write "
            f"`{signature(task)}` in a new code cell above its check."
        )
