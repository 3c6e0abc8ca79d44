"""Cells as plain Python: what only Jupyter understands is left out, and every line keeps its number."""

import ast
import re
from collections.abc import Iterator

__all__ = ["parsed"]

RUN_THE_CELL = ("time", "timeit", "capture", "prun")  # other magics of two signs, such as %%bash, hold no Python


def parsed(source: str, name: str) -> ast.Module:
    """The tree of a cell. Lines that begin with % or !, or end with ?, are passed over where it is no Python as it is.

    SyntaxError if it is none without them either.

    >>> ast.unparse(parsed("%matplotlib inline\\nx = 1", "cell 1"))
    'pass\\nx = 1'
    """
    try:
        return ast.parse(source, filename=name)
    except SyntaxError:
        return ast.parse(_python(source), filename=name)


def _python(source: str) -> str:
    lines, cell_magic = source.replace("\r\n", "\n").split("\n"), re.match(r"\s*%%(\w+)", source)
    if cell_magic:
        return "\n".join(["", *lines[1:]]) if cell_magic[1] in RUN_THE_CELL else ""
    return "\n".join(_plain(lines))


def _plain(lines: list[str]) -> Iterator[str]:
    quoted = False  # inside a text of three quotes nothing is Jupyter's
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        yield f"{indent}pass" if not quoted and re.match(r"\s*(?:[%!]|\?\w|[\w.]+\?\s*$)", line) else line
        quoted ^= len(re.findall(r'"""|\'\'\'', line)) % 2 == 1
