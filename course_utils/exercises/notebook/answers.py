"""What a cell's text answers: whether it defines a task's function, and whether that was begun."""

import ast
import itertools
import warnings
from collections.abc import Iterator

from course_utils.exercises.notebook.cell import Cell, source_of
from course_utils.exercises.notebook.functions import is_empty, says_not_begun
from course_utils.exercises.notebook.jupyter import REFUSALS, compiled, names_of, tree_of

__all__ = ["begun", "defines", "imported", "left_over", "problem_of", "writes_out"]


def defines(cell: Cell, name: str) -> bool:
    """Whether running this text gives a function of this name; also where the text has a mistake that Python refuses.

    >>> defines({"source": "def half(x):\\n    return x / 2"}, "half"), defines({"source": "half(3)"}, "half")
    (True, False)
    """
    return name in names_of(source_of(cell))


def writes_out(cell: Cell, name: str) -> bool:
    """Whether the function of this name stands in this text.

    >>> writes_out({"source": "def half(x):\\n    return x / 2"}, "half")
    True
    >>> writes_out({"source": "half = third"}, "half")
    False
    """
    return _function(cell, name) is not None


def imported(cell: Cell, name: str) -> str:
    """The module from which a text imports this name; empty if it does not.

    >>> imported({"source": "from my_functions import half"}, "half")
    'my_functions'
    """
    tree = _tree(cell)
    froms = [node for node in _outside_functions(tree) if isinstance(node, ast.ImportFrom)] if tree else []
    return next(
        (
            "." * node.level + (node.module or "")
            for node in froms
            if any((alias.asname or alias.name) == name for alias in node.names)
        ),
        "",
    )


def begun(cell: Cell, name: str) -> bool:
    """Whether the function of this name does anything but say that it is not there yet.

    >>> begun({"source": "def half(x):\\n    '''Half of it.'''\\n    raise NotImplementedError()"}, "half")
    False
    """
    function = _function(cell, name)
    return function is None or not is_empty(function)


def left_over(cell: Cell, name: str) -> bool:
    """Whether `raise NotImplementedError` still stands in a function that was begun.

    >>> left_over({"source": "def half(x):\\n    y = x / 2\\n    raise NotImplementedError()"}, "half")
    True
    """
    function = _function(cell, name)
    if function is None or not begun(cell, name):
        return False
    reached = itertools.takewhile(lambda statement: not isinstance(statement, ast.Return), function.body)
    return any(map(says_not_begun, reached))


def problem_of(cell: Cell) -> str:
    """Why Python refuses this text, as "line 2: '(' was never closed"; empty if it does not.

    >>> problem_of({"source": "%%time\\nx = (1"})
    "line 2: '(' was never closed"
    """
    try:
        compiled(source_of(cell), "cell")
    except SyntaxError as problem:
        return f"line {problem.lineno}: {problem.msg}"
    except REFUSALS as problem:
        return str(problem) or "it is nested too deeply"
    return ""


def _tree(cell: Cell) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a text such as "\\d", which runs all the same
            return tree_of(source_of(cell), "cell")
    except REFUSALS:
        return None


def _function(cell: Cell, name: str) -> ast.FunctionDef | None:
    """The last function of this name that the text writes out."""
    tree = _tree(cell)
    if tree is None:
        return None
    functions = [node for node in _outside_functions(tree) if isinstance(node, ast.FunctionDef) and node.name == name]
    return functions[-1] if functions else None


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements that run with the cell, in their order; also those below `if`, `with` and `try`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = [
                p for p in ast.iter_child_nodes(part) if isinstance(p, ast.stmt | ast.ExceptHandler | ast.match_case)
            ]
            waiting += reversed(inner)
