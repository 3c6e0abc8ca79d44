"""What students should know before they hand in: answers not begun, cells that were not run, or with errors."""

from collections.abc import Iterator, Sequence

from course_utils.exercises.notebook.answers import begun, defines, imported, left_over, problem_of, writes_out
from course_utils.exercises.notebook.cell import Cell, name_of, source_of
from course_utils.exercises.notebook.places import Places
from course_utils.exercises.notebook.texts import is_blank
from course_utils.exercises.task import Task, signature

__all__ = ["differing", "notes"]

FRESH = "Kernel > Restart Kernel and Run All Cells shows what will be seen then"


def notes(places: Places) -> list[str]:
    """Remarks on a notebook whose cells are in their places, a sentence or two each; it may be handed in with all."""
    functions = [
        note for number, task in enumerate(places.exercise.tasks, 1) for note in _function(places, number, task)
    ]
    return [*functions, *_written(places), *_refused(places), *_failed(places), *_not_run(places)]


def differing(places: Places, run: Sequence[str]) -> list[str]:
    """Tasks whose function was run last in other words than are in the notebook; `run`: all that was run, in order."""
    saved = {source_of(cell).strip() for cell in places.cells}
    names = []
    for task in places.exercise.tasks:
        last = next((text.strip() for text in reversed(run) if defines({"source": text}, task.name)), None)
        if last is not None and last.replace("\r\n", "\n") not in saved:
            names.append(task.name)
    return names


def _function(places: Places, number: int, task: Task) -> Iterator[str]:
    defining = [cell for cell in places.cells if cell["cell_type"] == "code" and defines(cell, task.name)]
    if not defining:
        yield f"Task {number} has no function: no cell defines `{signature(task)}`."
    elif begun(defining[-1], task.name):
        if module := imported(defining[-1], task.name):
            yield (
                f"Task {number}: {task.name} is imported from {module}, and only what this notebook says is graded. "
                "Write the function itself into its cell."
            )
        written = [cell for cell in defining if writes_out(cell, task.name) and begun(cell, task.name)]
        if len({source_of(cell).strip() for cell in written}) > 1:
            yield (
                f"The function {task.name} of task {number} is there {len(written)} times, with different contents; "
                "the last one counts. Delete the others, so that you know which one is graded."
            )
        if left_over(defining[-1], task.name):
            yield (
                f"Task {number}: the line `raise NotImplementedError()` still stands in {task.name}, so it will always "
                "raise this error. Delete that line."
            )
    elif any(begun(cell, task.name) for cell in defining):
        yield (
            f"Task {number}: {task.name} is defined more than once, and the last definition, which counts, is empty. "
            "Delete the empty one, or move your function into its cell."
        )
    else:
        yield f"Task {number}, {task.name}, has not been begun; it will get no points."


def _written(places: Places) -> Iterator[str]:
    if not is_blank(source_of(places.answer)):
        return
    texts = (
        places.texts_elsewhere()
    )  # without what was written into the cells of the exercise: those are not known here
    where = _list([_called(places, cell) for cell, _ in texts]) if texts else "another cell"
    yield (
        f"Task {len(places.exercise.tasks) + 1}, the written answer, is empty. If you have written it into {where}, "
        "move it into the cell below its question; an empty answer gets no points."
    )


def _refused(places: Places) -> Iterator[str]:
    for cell in _graded_cells(places):
        if problem := problem_of(cell):
            yield f"Python refuses {_called(places, cell)} ({problem}). Correct it: as it is, the cell does nothing."


def _failed(places: Places) -> Iterator[str]:
    failed = [
        cell for cell in _graded_cells(places) if any(output["output_type"] == "error" for output in cell["outputs"])
    ]
    if failed:
        what = _list([_called(places, cell) for cell in failed])
        yield f"An error stands below {what}. Correct the cell and run it again."


def _not_run(places: Places) -> Iterator[str]:
    cells = [cell for cell in _graded_cells(places) if source_of(cell).strip()]
    rest = [cell for cell in cells if cell["execution_count"] is None]
    counts = [cell["execution_count"] for cell in cells if cell["execution_count"] is not None]
    if rest:
        what = _list([_called(places, cell) for cell in rest]) if counts else "any cell"
        yield f"The saved file does not say that you have run {what}. Grading runs all from top to bottom; {FRESH}."
    elif counts != sorted(counts):
        yield f"Cells were run in another order than they stand. Grading runs them from top to bottom; {FRESH}."


def _graded_cells(places: Places) -> list[Cell]:
    """The cells that grading runs, without those that keep and hand in."""
    passed = {f"{places.exercise.name}-{part}" for part in ("keep", "handin")}
    return [cell for cell in places.cells if cell["cell_type"] == "code" and name_of(cell) not in passed]


def _called(places: Places, cell: Cell) -> str:
    if name_of(cell):
        return places.title(name_of(cell))
    first = source_of(cell).strip().split("\n")[0][:40]
    return f"your own cell `{first}`" if first else f"the empty cell {places.cells.index(cell) + 1}"


def _list(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} other cells"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
