"""What cells leave behind: in IPython's own shell, and in the one in which work is graded. Run as a script of its own.

It reads a list of notebooks, each a list of cells, as JSON, and writes for each the two outcomes; and the outcome of a
notebook with every magic.
"""

import json
import os
import re
import sys
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

PASSING = re.compile(r"_+|_i+|_i?\d+|_[id]h|_oh|_exit_code|__warningregistry__")  # names that move on with each cell
PLACES = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{32}\b|\d+\.\d+e?-?\d*|[0-9.]+ [nµm]?s\b")

OF_THE_KERNEL = ("autosave", "clear", "cls", "connect_info", "less", "man", "more", "qtconsole", "subshell")


class Sink:
    """Takes what is shown."""

    encoding = "UTF-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def values(space: dict[str, Any], given: set[str]) -> dict[str, str]:
    """What the names that cells gave stand for, in words; of functions what they return."""
    return {name: told(value) for name, value in space.items() if name not in given and not PASSING.fullmatch(name)}


def told(value: Any) -> str:
    if callable(value) and getattr(value, "__module__", "") == "__main__" and not isinstance(value, type):
        try:
            value = "returns", value()
        except Exception as problem:
            value = "raises", type(problem).__name__
    return PLACES.sub("...", f"{type(value).__name__} {value!r}")


def in_ipython(cells: list[str]) -> dict[str, str]:
    """The values that the cells' names have afterwards."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    shell.ask_exit = lambda: None
    shell.enable_gui = lambda gui=None: None
    given = set(shell.user_ns)
    for cell in cells:
        shell.run_cell(cell, store_history=True)
    return values(shell.user_ns, given)


def in_grading(cells: list[str]) -> tuple[dict[str, str], list[str]]:
    """The values, and the errors of the cells."""
    from course_utils.exercises.grading.shell import Shell

    InteractiveShell.clear_instance()
    Shell.clear_instance()
    shell = Shell.instance()
    given, errors = set(shell.user_ns), []
    with shell.builtin_trap:
        for number, cell in enumerate(cells, 1):
            try:
                shell.run(cell, f"cell {number}")
            except BaseException as problem:
                errors.append(f"{type(problem).__name__}: {problem}")
        return values(shell.user_ns, given), errors


def every_magic() -> list[str]:
    """A notebook with each magic of a line, of IPython and of Jupyter's kernel."""
    names = {*InteractiveShell.instance().magics_manager.lsmagic()["line"], *OF_THE_KERNEL} - {"run"}
    return [f"%{name}\nmagic_{name} = 1" for name in sorted(names)]


if __name__ == "__main__":
    notebooks, out, sys.stdout, sys.stderr = json.load(sys.stdin), sys.stdout, Sink(), Sink()
    sys.path.insert(0, "")  # as in a kernel
    real = [in_ipython(cells) for cells in notebooks]
    magics = every_magic()
    from course_utils.exercises.grading.unattended import leave_alone

    leave_alone()
    graded = [in_grading(cells) for cells in notebooks]
    json.dump([real, graded, in_grading(magics), len(magics)], out)
    out.flush()
    os._exit(0)  # the shells would clear themselves up for minutes
