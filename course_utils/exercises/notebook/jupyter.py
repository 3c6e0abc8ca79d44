"""A cell as plain Python: Jupyter's own syntax (`%`, `!`, `?`, prompts, `await`) by IPython's own translation.

The check before hand-in reads cells here, and the shell that runs them when they are graded translates with the same
`Translator`, so that what one of them takes the other runs. For reading, the code below a magic that runs it in the
notebook, such as `%%time`, stands in the place of the magic.
"""

import ast
import dis
import itertools
import keyword
import re
import warnings
from collections.abc import Iterator
from functools import cache, lru_cache
from types import CodeType

from IPython.core import magics
from IPython.core.alias import default_aliases
from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["REFUSALS", "Translator", "compiled", "names_by_look", "names_of", "tree_of"]

REFUSALS = (SyntaxError, ValueError, RecursionError, MemoryError, SystemError)  # of Python, for a text that is none
MOST_READ = 500_000  # characters, a few seconds
OPTIONS = {  # of the magics that run code
    "time": r"\s*(?:--no-raise-error\s*)?",
    "prun": r"\s*(?:-(?:[DlsT]\s*\S+|[rq]+)\s*)*",
}
DEFINITION = re.compile(r"(?m)^[ \t]*(?:async +)?(?:def|class) +(\w+)|^(\w+) *(?::[^=\n]+)?=(?!=)")


def compiled(source: str, name: str) -> list[CodeType]:
    """The code of a cell, statement by statement, as IPython runs it; `name` stands in its errors.

    Raises: SyntaxError, ValueError, RecursionError or MemoryError for what is no Python, in Jupyter's dialect either.

    >>> space = {}
    >>> for code in compiled("x = 1\\n%time y = 2", "cell 1"):
    ...     exec(code, space)
    >>> space["x"], space["y"]
    (1, 2)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a text such as "\\d", which runs all the same
        tree = tree_of(source, name)
        return [_code(ast.Module([statement], []), name) for statement in tree.body]


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


def names_of(source: str, since: int = 1) -> set[str]:
    """The names that a cell gives to something when it runs, from the statement at line `since` on.

    Where Python refuses the cell, those that look like it.

    >>> sorted(names_of("import math as m\\nif m:\\n    def half(x):\\n        y = x / 2"))
    ['half', 'm']
    """
    try:
        codes = compiled(source, "cell")
        lines = [statement.lineno for statement in tree_of(source, "cell").body]
    except REFUSALS:
        return names_by_look(source)
    start = max((line for line in lines if line <= since), default=1)
    return {
        instruction.argval
        for instruction in itertools.chain.from_iterable(map(dis.get_instructions, codes))
        if instruction.opname in ("STORE_NAME", "STORE_GLOBAL")
        and ((instruction.positions and instruction.positions.lineno) or start) >= start
    }


def names_by_look(source: str) -> set[str]:
    """The names in a text that is no Python, or of which that is not known, that look as if they were defined.

    >>> names_by_look("def half(x:")
    {'half'}
    """
    return {first or second for first, second in DEFINITION.findall(source)}


class Translator(TransformerManager):
    """IPython reads a cell once more for each of its magics: a long cell with many of them would take minutes."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        """Begin with another cell."""
        self.read = 0  # characters, in all readings

    def do_one_token_transform(self, lines: list[str]) -> tuple[bool, list[str]]:
        """One reading of the cell."""
        self.read += sum(map(len, lines))
        if self.read > MOST_READ:
            raise SyntaxError("it has too many magics for so long a cell; split it")
        return super().do_one_token_transform(lines)


def _code(tree: ast.Module, name: str) -> CodeType:
    return compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@lru_cache(maxsize=64)  # the check before hand-in asks several times
def _translated(text: str, name: str) -> str:
    try:
        return _automagic(str(Translator().transform_cell(text)))
    except Exception as problem:  # whatever stops IPython: it gives up after 500 magics, for one
        raise SyntaxError(f"Jupyter cannot read it: {problem}", (name, 1, 1, "")) from problem


def _automagic(text: str) -> str:
    """A cell of a single line may be a magic without its sign, such as `pip install torch`."""
    match = re.fullmatch(r"(\w+)(?:[ \t]+(?![=<>!]=|=|in\b|is\b)(.*))?\n?", text)
    if match and not keyword.iskeyword(match[1]) and match[1] in _line_magics() and not _is_python(text):
        return f"get_ipython().run_line_magic({match[1]!r}, {match[2] or ''!r})\n"
    return text


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


@cache
def _line_magics() -> frozenset[str]:
    """The magics and the aliases of IPython that stand in a line."""
    classes = [getattr(magics, name) for name in dir(magics) if name.endswith("Magics")]
    names = {name for kind in classes for name in getattr(kind, "magics", {}).get("line", ())}
    return frozenset(names | {name for name, _ in default_aliases()})


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
            ):
                return list(self._cell(magic, options, "\n" * node.lineno + code)) or node
        return self._line(node.value, node.lineno) or node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        """``y = %time f(x)``."""
        match self._line(node.value, node.lineno):
            case [*_, ast.Expr(value=value)]:
                node.value = value
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        """``y: int = %time f(x)``."""
        match node.value and self._line(node.value, node.lineno):
            case [*_, ast.Expr(value=value)]:
                node.value = value
        return node

    def _cell(self, magic: str, options: str, code: str) -> Iterator[ast.stmt]:
        """The statements that a magic above a cell runs in the notebook; none for other magics, such as %%bash."""
        match magic:
            case "time" if re.fullmatch(OPTIONS["time"], options):
                yield from tree_of(code, self.name).body
            case "prun":
                first = re.sub(rf"^{OPTIONS['prun']}", "", options)
                yield from tree_of(f"{first}{code}", self.name).body
            case "capture":
                yield from tree_of(code, self.name).body
                output = [word for word in options.split() if word.isidentifier()]
                yield from ast.parse("".join(f"{word} = get_ipython()\n" for word in output)).body
            case "timeit":  # it leaves no names behind
                (inside,) = ast.parse("def _(): pass").body
                assert isinstance(inside, ast.FunctionDef)
                inside.body += tree_of(code, self.name).body
                yield inside

    def _line(self, value: ast.expr, line: int) -> list[ast.stmt]:
        """The statements that a magic of one line runs in the notebook; none for other values."""
        match value:
            case ast.Call(
                func=ast.Attribute(attr="run_line_magic"),
                args=[ast.Constant(value="time" | "prun" as magic), ast.Constant(value=str(code))],
            ):
                code = re.sub(f"^{OPTIONS[magic]}", "", code)
                return tree_of("\n" * (line - 1) + code, self.name).body
        return []
