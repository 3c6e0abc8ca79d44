"""Which functions a text writes out: nothing is run, translated or compiled, so that any text is read at once.

`answers` knows more of Jupyter's syntax and may take its time with a student's own notebook. Here a stranger's text,
made to be slow to read, must not stop the grading of a class.
"""

import ast
import re
import textwrap
import warnings
from functools import lru_cache

__all__ = ["code_in", "functions_in", "is_empty", "is_refused", "is_stub", "joined", "says_not_begun"]

LONGEST = 50_000  # letters; what is longer is searched, not parsed
PYTHON_CELLS = ("time", "timeit", "capture", "prun")  # other magics of two signs, such as %%bash, hold no Python
JUPYTER_LINE = re.compile(r"(?m)^([ \t]*)(?=[^ \t\n])(?:[%!?].*|.*\?)$")
JUPYTER_VALUE = re.compile(r"(?m)=[ \t]*[%!].*$")
PROMPT = re.compile(r"(?m)^(?:>>>|\.\.\.|In \[\d+\]:) ?")
DEFINITION = re.compile(r"(?m)^[ \t]*(?:>>> )?(?:async[ \t]+)?def[ \t]+(\w+)")
BEGINNING = re.compile(r"(?:async def|def|class|from|import)\b|@|\w+ *=[^=]")


@lru_cache(maxsize=512)
def functions_in(text: str) -> dict[str, bool]:
    """The names that a text gives at its top level, and whether there is more behind each than a stub.

    Where Python refuses the text, its lines that begin with ``def`` tell the names.

    >>> functions_in("%matplotlib inline\\ndef half(x):\\n    return x / 2\\ndef third(x):\\n    ...")
    {'half': True, 'third': False}
    """
    tree = _tree(text)
    if tree is None:
        return dict.fromkeys(DEFINITION.findall(text), True)
    names: dict[str, bool] = {}
    for statement in tree.body:
        names |= dict.fromkeys(_names(statement), not is_empty(statement))
    return names


def is_stub(text: str, name: str) -> bool:
    """Whether a text has nothing but the beginning of this function."""
    tree = _tree(text)
    return tree is not None and functions_in(text) == {name: False} and all(map(is_empty, tree.body))


@lru_cache(maxsize=512)
def is_refused(text: str) -> bool:
    """Whether Python refuses a text as a cell of its own.

    >>> is_refused("    return x"), is_refused("%time x = 1")
    (True, False)
    """
    tree = _tree(text)
    return tree is None or any(isinstance(node, ast.Return) for node in _outside_of_functions(tree))


def joined(first: str, second: str) -> str | None:
    """The text that was split into these two cells; None if they are no halves.

    >>> joined("def half(x):", "    return x / 2")
    'def half(x):\\n    return x / 2'
    """
    if not first.strip() or not second.strip() or not (is_refused(first) or is_refused(second)):
        return None
    last_line = first.rpartition("\n")[2]
    between = "" if "\n" in first and not last_line.strip() else "\n"  # split behind the spaces of a line
    text = first + between + second
    return None if is_refused(text) else text


@lru_cache(maxsize=128)
def code_in(text: str) -> str:
    """The Python in a text of sentences: all of it, or its definitions, imports and assignments.

    >>> code_in("My function:\\n```python\\ndef half(x):\\n    return x / 2\\n```")
    'def half(x):\\n    return x / 2'
    """
    if not is_refused(text):
        return text
    return "\n\n".join(block for block in _blocks(textwrap.dedent(text)) if not is_refused(block))


def _blocks(text: str) -> list[str]:
    """Lines that begin like a statement, each with the indented lines below it."""
    blocks: list[list[str]] = []
    open_block = False
    for line in text.splitlines():
        if BEGINNING.match(line):
            if not (open_block and blocks[-1][-1].startswith("@")):
                blocks.append([])
            open_block = True
        elif line.strip() and not line.startswith((" ", "\t", ")", "]", "}")):
            open_block = False
        if open_block:
            blocks[-1].append(line)
    return ["\n".join(block).rstrip() for block in blocks]


def _tree(text: str) -> ast.Module | None:
    """The syntax tree of a text, without the lines that are Jupyter's own; None if Python refuses it."""
    if len(text) > LONGEST:
        return None
    plain = textwrap.dedent(text)
    if first := re.match(r"\s*%%(\w+).*", plain):
        if first[1] not in PYTHON_CELLS:
            return ast.Module([], [])
        plain = plain[first.end() :]
    without_jupyter = JUPYTER_VALUE.sub("= None", JUPYTER_LINE.sub(r"\1pass", plain))
    for candidate in (plain, without_jupyter, PROMPT.sub("", plain)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a text such as "\d", which runs all the same
                return ast.parse(candidate)
        except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
            continue  # the last of Python 3.11, which may lose count of its depth
    return None


def _names(statement: ast.stmt) -> list[str]:
    """The names that a statement gives, also below an `if` or a `try`."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
    inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
    return [name for node in inner for name in _names(node)]


def is_empty(statement: ast.stmt) -> bool:
    """Whether a function was not begun: a text, `...`, `pass` or `raise NotImplementedError` is all that it holds."""
    if isinstance(statement, ast.FunctionDef):
        return all(map(is_empty, statement.body))
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass) or says_not_begun(statement)


def says_not_begun(statement: ast.stmt) -> bool:
    """Whether a statement is `raise NotImplementedError`, with or without a text."""
    if not isinstance(statement, ast.Raise):
        return False
    error = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return isinstance(error, ast.Name) and error.id == "NotImplementedError"


def _outside_of_functions(tree: ast.AST) -> list[ast.AST]:
    """All statements that are in no function."""
    statements: list[ast.AST] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
                continue
            statements.append(node)
            waiting.append(node)
    return statements
