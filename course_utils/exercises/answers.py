"""What a cell's text answers: whether it defines a task's function, and whether that was begun."""

import ast
import itertools
import re
import warnings

from course_utils.exercises.handin.plain import source_of
from course_utils.exercises.notebook import Cell

__all__ = ["TEXT_STUB", "begun", "defines", "left_over", "problem_of", "python_of"]

TEXT_STUB = "YOUR ANSWER HERE"  # what nbgrader puts in the place of a written answer; for code see `begun`
JUPYTERS = re.compile(r"(?m)^([ \t]*)(?:[%!?].*|[\w.]+\?\??[ \t]*)$")
RUN_THE_CELL = ("time", "timeit", "capture", "prun")  # other magics of two signs, such as %%bash, hold no Python


def python_of(cell: Cell) -> str:
    """A cell's text as Python: what only Jupyter understands (`%`, `!`, `?`) does nothing when work is graded."""
    magic = re.match(r"\s*%%(\w+)", source_of(cell))
    if magic is not None and magic[1] not in RUN_THE_CELL:
        return ""
    return JUPYTERS.sub(r"\1pass", source_of(cell))


def defines(cell: Cell, name: str) -> bool:
    """Whether running this text gives a function of this name; also where the text has a mistake that Python refuses.

    >>> defines({"source": "def half(x):\\n    return x / 2"}, "half"), defines({"source": "half(3)"}, "half")
    (True, False)
    """
    tree = _parsed(cell)
    if tree is None:
        return bool(re.search(rf"(?m)^(?:async +)?def +{name}\b", python_of(cell)))
    return any(_makes(statement, name) for statement in tree.body)


def begun(cell: Cell, name: str) -> bool:
    """Whether the function of this name does anything but say that it is not there yet.

    >>> begun({"source": "def half(x):\\n    '''Half of it.'''\\n    raise NotImplementedError()"}, "half")
    False
    """
    function = _function(cell, name)
    return function is None or any(not _is_stub(statement) for statement in function.body)


def left_over(cell: Cell, name: str) -> bool:
    """Whether `raise NotImplementedError` still stands in a function that was begun.

    >>> left_over({"source": "def half(x):\\n    y = x / 2\\n    raise NotImplementedError()"}, "half")
    True
    """
    function = _function(cell, name)
    if function is None or not begun(cell, name):
        return False
    reached = itertools.takewhile(lambda statement: not isinstance(statement, ast.Return), function.body)
    return any(map(_raises, reached))


def problem_of(cell: Cell) -> str:
    """Why Python does not take this text, as "line 2: '(' was never closed"; empty if it does."""
    try:
        _tree(cell)
    except SyntaxError as problem:
        return f"line {problem.lineno}: {problem.msg}"
    except (ValueError, RecursionError, MemoryError) as problem:
        return str(problem) or "it is nested too deeply"
    return ""


def _tree(cell: Cell) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a text such as "\\d", which runs all the same
        try:
            return ast.parse(source_of(cell))
        except SyntaxError:
            return ast.parse(python_of(cell))


def _parsed(cell: Cell) -> ast.Module | None:
    try:
        return _tree(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _makes(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.name == name
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return any(isinstance(target, ast.Name) and target.id == name for target in targets)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return any((alias.asname or alias.name) == name for alias in statement.names)
    return False


def _function(cell: Cell, name: str) -> ast.FunctionDef | None:
    """The last function of this name that the text writes out."""
    tree = _parsed(cell)
    found = [s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == name] if tree else []
    return found[-1] if found else None


def _is_stub(statement: ast.stmt) -> bool:
    """A text, `...`, `pass` or `raise NotImplementedError`."""
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass) or _raises(statement)


def _raises(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Raise):
        return False
    error = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return isinstance(error, ast.Name) and error.id == "NotImplementedError"
