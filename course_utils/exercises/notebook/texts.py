"""What a student wrote in words, whatever the type of its cell."""

import ast
import re

from course_utils.exercises.notebook.cell import Cell, source_of
from course_utils.exercises.notebook.functions import functions_in, is_refused

__all__ = ["TEXT_STUB", "added", "comments_in", "is_blank", "prose_of"]

TEXT_STUB = "YOUR ANSWER HERE"  # what nbgrader puts in the place of a written answer; for code see `functions`
TEXT_MAGIC = re.compile(r"\s*%%(?:markdown|latex|html)\b.*\n?")

SHOWING = ("print", "display", "Markdown", "HTML", "Latex")


def is_blank(text: str) -> bool:
    """Whether a text has no letter and no digit but those that were handed out.

    >>> is_blank(" YOUR ANSWER HERE \\n..."), is_blank("Because 0 is a corner.")
    (True, False)
    """
    return re.search(r"[^\W_]", text.replace(TEXT_STUB, "")) is None


def prose_of(cell: Cell) -> str:
    """The words of a cell: all of a text, and of a code cell its comments if it has no code; empty for code.

    >>> prose_of({"cell_type": "code", "source": "# It jumps\\n# across zero."})
    'It jumps\\nacross zero.'
    """
    text = source_of(cell)
    if cell["cell_type"] != "code":
        return text
    if magic := TEXT_MAGIC.match(text):
        return text[magic.end() :]
    lines = [line.strip() for line in text.splitlines()]
    if any(lines) and all(line.startswith("#") for line in lines if line):
        return "\n".join(line.lstrip("#").removeprefix(" ") for line in lines)
    if is_refused(text):
        return "" if functions_in(text) else text
    return "\n\n".join(_texts_alone(text))


def comments_in(cell: Cell) -> str:
    """The comments of a cell of code that stand on lines of their own."""
    if cell["cell_type"] != "code":
        return ""
    lines = [line.strip() for line in source_of(cell).splitlines()]
    return "\n".join(line.lstrip("#").removeprefix(" ") for line in lines if line.startswith("#"))


def added(text: str, handed_out: frozenset[str]) -> str:
    """The lines of a text that were not handed out.

    >>> added("## Task 1\\nIt jumps.", frozenset({"## Task 1"}))
    'It jumps.'
    """
    lines = [line for line in text.splitlines() if line.strip() not in handed_out]
    return "\n".join(lines).replace(TEXT_STUB, "").strip()


def _texts_alone(text: str) -> list[str]:
    """The strings of a cell that has nothing else but what shows them."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # Jupyter's own lines
        return []
    waiting = [getattr(s, "value", None) for s in statements if not isinstance(s, ast.Import | ast.ImportFrom)]
    texts: list[str] = []
    while waiting:
        match waiting.pop(0):
            case ast.Constant(value=str(words)):
                texts.append(words)
            case ast.Call(func=ast.Name(id=name), args=shown, keywords=[]) if name in SHOWING:
                waiting[:0] = shown
            case _:
                return []
    return texts
