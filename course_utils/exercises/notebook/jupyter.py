"""A cell as plain Python: Jupyter's own syntax (`%`, `!`, `?`) by IPython's own translation.

The check before hand-in and the grader compile cells here, so that what one of them takes the other runs. What then
calls the shell, `get_ipython()`, finds a stand-in when work is graded, on which magics and commands do nothing; of the
magics that only watch their code, such as `%%time`, the code runs.
"""

import ast
import warnings
from functools import lru_cache
from types import CodeType

from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["compiled", "tree_of"]

RUN_THE_CELL = ("time", "timeit", "capture", "prun")  # other magics of two signs, such as %%bash, hold no Python
MOST_READ = 500_000  # characters, a few seconds
RUN_THE_LINE = ("time",)  # %timeit and %prun leave no names behind


def compiled(source: str, name: str) -> CodeType:
    """The code of a cell; `name` stands in its errors.

    Raises: SyntaxError, ValueError, RecursionError or MemoryError for what is no Python, in Jupyter's dialect either.

    >>> space = {}
    >>> exec(compiled("%time x = 1", "cell 1"), space)
    >>> space["x"]
    1
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a text such as "\\d", which runs all the same
        return compile(tree_of(source, name), name, "exec")


def tree_of(source: str, name: str) -> ast.Module:
    """The syntax tree of a cell, whose lines have their numbers in the cell.

    >>> ast.unparse(tree_of("%%time\\nx = 1", "cell 1"))
    'x = 1'
    """
    try:
        return ast.parse(source, filename=name)
    except SyntaxError:
        text = source.replace("\r\n", "\n")
        empty_lines = text.count("\n", 0, len(text) - len(text.lstrip()))  # which IPython takes away
        tree = ast.parse("\n" * empty_lines + _translated(text, name), filename=name)
        return ast.fix_missing_locations(_WatchedCode(name).visit(tree))


class _Bounded(TransformerManager):
    """IPython reads a cell once more for each of its magics: a long cell with many of them would take minutes."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0  # characters, in all readings

    def do_one_token_transform(self, lines: list[str]) -> tuple[bool, list[str]]:
        """One reading of the cell."""
        self.read += sum(map(len, lines))
        if self.read > MOST_READ:
            raise SyntaxError("it has too many magics for so long a cell; split it")
        return super().do_one_token_transform(lines)


@lru_cache(maxsize=64)  # the check before hand-in asks several times
def _translated(text: str, name: str) -> str:
    try:
        return str(_Bounded().transform_cell(text))
    except Exception as problem:  # whatever stops IPython: it gives up after 500 magics, for one
        raise SyntaxError(f"Jupyter cannot read it: {problem}", (name, 1, 1, "")) from problem


class _WatchedCode(ast.NodeTransformer):
    """Puts the code of `%time` and the like in the place of the call of the shell that it was translated to."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | list[ast.stmt]:
        """``%%time`` with a cell, or ``%time f(x)``."""
        match node.value:
            case ast.Call(
                func=ast.Attribute(attr="run_cell_magic"),
                args=[ast.Constant(value=str(magic)), ast.Constant(value=str(options)), ast.Constant(value=str(code))],
            ) if magic in RUN_THE_CELL:
                names = _captured(options) if magic == "capture" else ""
                return [*tree_of("\n" * node.lineno + code, self.name).body, *ast.parse(names).body]
        return self._line(node.value, node.lineno) or node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        """``y = %time f(x)``."""
        match self._line(node.value, node.lineno):
            case [ast.Expr(value=value)]:
                node.value = value
        return node

    def _line(self, value: ast.expr, line: int) -> list[ast.stmt]:
        """The statements that a magic of one line runs; none for other values."""
        match value:
            case ast.Call(
                func=ast.Attribute(attr="run_line_magic"),
                args=[ast.Constant(value=str(magic)), ast.Constant(value=str(code))],
            ) if magic in RUN_THE_LINE:
                return tree_of("\n" * (line - 1) + code, self.name).body
        return []


def _captured(options: str) -> str:
    """Code for what `%%capture out` assigns: the shell's stand-in, any call of which does nothing."""
    return "".join(f"{word} = get_ipython()\n" for word in options.split() if word.isidentifier())
