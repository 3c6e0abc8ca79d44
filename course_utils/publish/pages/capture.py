"""A notebook, run from top to bottom in this process: what each cell shows, and the panels themselves."""

import ast
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from ipywidgets import Box

from course_utils.panels.engine import Panel

__all__ = ["Cell", "Lesson", "PanelOutput", "capture"]

REMOVED = "remove-cell"  # the tag that Jupyter Book has for it


@dataclass
class PanelOutput:
    """A panel that a cell shows, with the values that its controls had then."""

    panel: Panel
    values: dict[str, Any]
    editable: bool  # the cell defines a function that the reader may change


Output = PanelOutput | dict[str, Any]  # a panel, or a dictionary by MIME type


@dataclass
class Cell:
    """A cell as a reader sees it: its source, and what it shows, in the order in which it came."""

    kind: str  # "markdown" or "code"
    source: str
    outputs: list[Output] = field(default_factory=list)
    id: str = ""  # its name in the notebook, so that it can be linked to


@dataclass
class Lesson:
    """A notebook that has been run."""

    name: str  # of the file, without .ipynb
    cells: list[Cell]

    @property
    def panels(self) -> list[PanelOutput]:
        """All panels, in their order."""
        return [output for cell in self.cells for output in cell.outputs if isinstance(output, PanelOutput)]


def capture(path: Path) -> Lesson:
    """Run all code cells of a notebook, in the folder of the notebook.

    Cells are run as a kernel runs them, but in this process, because a page needs the panels and not their pictures.
    Those with the tag ``remove-cell``, which need a kernel to make sense, are run and left out.
    Progress bars and warnings (all that goes to the error stream) are dropped.

    Raises: RuntimeError where a cell fails, with its number and its error.
    """
    from IPython.core.interactiveshell import InteractiveShell

    notebook = json.loads(path.read_text(encoding="utf-8"))
    main = sys.modules["__main__"]
    shell = InteractiveShell.instance()
    shell.reset(new_session=True)
    cells = []
    with contextlib.chdir(path.parent), _main(shell.user_module, afterwards=main):
        for number, raw in enumerate(notebook["cells"]):
            cell = Cell(raw["cell_type"], "".join(raw["source"]), id=raw.get("id", ""))
            if REMOVED not in raw["metadata"].get("tags", []):
                cells.append(cell)
            if cell.kind == "code":
                with _watching(shell, cell):
                    result = shell.run_cell(cell.source, store_history=False)
                if not result.success:
                    error = result.error_before_exec or result.error_in_exec
                    raise RuntimeError(f"cell {number} of {path.name} fails: {type(error).__name__}: {error}")
    return Lesson(path.stem, cells)


@contextlib.contextmanager
def _main(module: ModuleType, *, afterwards: ModuleType) -> Iterator[None]:
    """Let a module be ``__main__``, as in a kernel; a process that is started later needs the right one again."""
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = afterwards


@contextlib.contextmanager
def _watching(shell: Any, cell: Cell) -> Iterator[None]:
    """Collect what a cell prints, displays and returns."""
    editable = _defines_function(cell.source)

    def publish(data: dict[str, Any], metadata: dict[str, Any] | None = None, **_: Any) -> None:
        cell.outputs.append({**data, "metadata": metadata or {}})

    def show(widget: Panel | Box) -> None:
        for panel in panels_in(widget):
            cell.outputs.append(PanelOutput(panel, panel.values, editable))

    def result(value: Any = None) -> None:
        if value is not None and (data := shell.display_formatter.format(value)[0]):
            publish(data)

    with (
        patch.object(Panel, "_ipython_display_", show, create=True),
        patch.object(Box, "_ipython_display_", show, create=True),
        patch.object(shell.display_pub, "publish", publish),
        contextlib.redirect_stdout(_Stream(cell.outputs)),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        trap = shell.display_trap
        trap.hook, before = result, trap.hook
        try:
            yield
        finally:
            trap.hook = before


def panels_in(widget: Any) -> list[Panel]:
    """A panel, or those in a box, a tab or a grid: a page shows them below each other."""
    if isinstance(widget, Box):
        return [panel for child in widget.children for panel in panels_in(child)]
    return [widget] if isinstance(widget, Panel) else []


class _Stream(io.TextIOBase):
    """Standard output that goes to a cell's outputs, in one piece as long as nothing else is shown."""

    def __init__(self, outputs: list[Output]) -> None:
        self._outputs = outputs

    def write(self, text: str) -> int:
        last = self._outputs[-1] if self._outputs else None
        if isinstance(last, dict) and "stream" in last:
            last["stream"] += text
        elif text:
            self._outputs.append({"stream": text})
        return len(text)


def _defines_function(source: str) -> bool:
    """Whether a cell defines a function, which the reader is then meant to change."""
    try:
        return any(isinstance(node, ast.FunctionDef) for node in ast.parse(source).body)
    except SyntaxError:  # a magic
        return False
