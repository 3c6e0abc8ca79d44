"""By what a cell is known that has lost its name: the beginning of a text, the call in a cell of code."""

import re
from collections.abc import Callable

from course_utils.exercises.notebook.cell import Cell, name_of, source_of

__all__ = ["may_define", "sign"]


def sign(wanted: Cell) -> Callable[[str], bool]:
    """Whether a text is that of this locked cell of an exercise."""
    part = name_of(wanted).partition("-")[2]
    if wanted["cell_type"] == "markdown":
        start = re.match(r"#+ (?:Exercise \d+|Task \d+\.|.*)", source_of(wanted))
        return lambda text: start is not None and text.lstrip().startswith(start[0])
    if part.endswith("-check"):
        task = re.escape(part.removesuffix("-check"))
        return lambda text: re.fullmatch(rf"\s*check\(\s*{task}\s*\)\s*", text) is not None
    call = {"setup": "check = exercise(", "handin": "hand_in("}
    return lambda text: call[part] in text


def may_define(text: str, name: str) -> bool:
    """Whether running a text could give a function of this name, in whatever way."""
    ways = rf"\b(?:def|class|as|import)\s[^\n]{{0,200}}\b{name}\b|\b{name}\b[^=\n(]{{0,100}}=[^=]"
    return re.search(ways, text) is not None
