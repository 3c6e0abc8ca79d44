"""The student's version of an exercise, made from the lecturer's notebook by nbgrader's own steps.

Solutions give way to a line that raises NotImplementedError, model answers to a line that asks for one; hidden tests,
marking schemes, cells that are tagged "teacher" and all outputs are gone, and what is not to be written is locked. The
order of the cells, their ids and nbgrader's names for them stay. `nbgrader generate_assignment` gives the same.
"""

import json
import logging
from typing import Any

from course_utils._support.extras import require

__all__ = ["TEACHER_TAG", "student_version"]

Notebook = dict[str, Any]

TEACHER_TAG = "teacher"  # of a cell that the lecturer alone has
STEPS = ("LockCells", "ClearSolutions", "ClearOutput", "ClearHiddenTests", "ClearMarkScheme", "ComputeChecksums")


def student_version(notebook: Notebook) -> Notebook:
    """A copy of a lecturer's notebook without what students do not get.

    Raises: ValueError for a notebook that nbgrader refuses, such as one with a solution that does not end;
    ModuleNotFoundError, with the way out, where nbgrader is not installed.
    """
    require("nbgrader")
    import nbformat
    from nbconvert.preprocessors import TagRemovePreprocessor
    from nbgrader import preprocessors
    from nbgrader.nbgraderformat import MetadataValidator, ValidationError

    quiet = logging.Logger("exercises")  # a logger of its own: the error below says what is wrong
    quiet.addHandler(logging.NullHandler())
    steps = [TagRemovePreprocessor(enabled=True, remove_cell_tags={TEACHER_TAG}, log=quiet)]
    steps += [getattr(preprocessors, name)(log=quiet) for name in STEPS]
    student = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for cell in student.cells:
        cell.source = "".join(cell.source)
    try:
        MetadataValidator().validate_nb(student)  # as its CheckCellMetadata does, which does not say what is wrong
        for step in steps:
            student, _ = step.preprocess(student, {})
    except (RuntimeError, ValidationError) as problem:
        raise ValueError(f"nbgrader refuses the notebook: {str(problem).rstrip('.')}") from problem
    released: Notebook = json.loads(nbformat.writes(student))
    return released
