"""A panel of a notebook, made as the notebook makes it, and moved by the labels and values on the screen.

The module knows no panel: it finds the cell in the notebook by the function that the cell calls, and runs the cells
above that define what it uses.
"""

import ast
import contextlib
import io
import re
from collections.abc import Mapping
from typing import Any

from course_utils.course.syllabus import Page
from course_utils.panels.engine import Button, Choice, Control, Panel, Slider, Text, Toggle, Train
from course_utils.publish.kit.lesson import Misconception, Question

__all__ = ["Stage", "failures", "move", "panel_cell"]


def panel_cell(cells: list[dict[str, Any]], panel: str) -> int:
    """The number of the first cell that calls the function `panel`.

    Raises: LookupError if there is none.

    >>> panel_cell([{"cell_type": "code", "source": ["sparsity.live(DATA)"]}], "sparsity.live")
    0
    """
    call = re.compile(rf"(?<![\w.]){re.escape(panel)}\(")
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code" and call.search("".join(cell["source"])):
            return number
    raise LookupError(f"no cell of the notebook calls {panel}(); name a function as the notebook calls it")


class Stage:
    """The panels of one notebook, each made once."""

    def __init__(self, page: Page) -> None:
        self.cells = page.cells
        self._names: dict[str, Any] = {}
        self._run: set[int] = set()
        self._panels: dict[str, tuple[Panel, dict[str, Any]]] = {}

    def panel(self, name: str) -> Panel:
        """The panel that the function `name` makes, with its controls where the notebook's cell opens it."""
        if name not in self._panels:
            value = self._value(panel_cell(self.cells, name))
            if not isinstance(value, Panel):
                raise TypeError(f"the cell that calls {name}() ends with {value!r:.60}, which is no panel")
            self._panels[name] = (value, dict(value.values))
        panel, opened = self._panels[name]
        return panel.set(**opened)

    def _value(self, number: int) -> Any:
        """The value of a cell's last expression, after the cells that define what it uses."""
        body = ast.parse(self._source(number)).body
        self._prepare(number)
        last = body.pop()
        if not isinstance(last, ast.Expr):
            raise TypeError(f"cell {number} does not end with an expression")
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(ast.Module(body, []), "<cell>", "exec"), self._names)
            return eval(compile(ast.Expression(last.value), "<cell>", "eval"), self._names)

    def _prepare(self, number: int) -> None:
        """Run the nearest cell above that defines a name which this one uses, for each such name."""
        used = {n.id for n in ast.walk(ast.parse(self._source(number))) if isinstance(n, ast.Name)}
        for above in range(number - 1, -1, -1):
            if self.cells[above]["cell_type"] == "code" and above not in self._run and used & self._defined(above):
                used -= self._defined(above)
                self._run.add(above)
                self._prepare(above)
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(self._source(above), "<cell>", "exec"), self._names)

    def _source(self, number: int) -> str:
        return "".join(self.cells[number]["source"])

    def _defined(self, number: int) -> set[str]:
        """The names that a cell binds at its top level."""
        names: set[str] = set()
        for node in ast.parse(self._source(number)).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.FunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign):
                names |= {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        return names


def move(panel: Panel, settings: Mapping[str, str]) -> Panel:
    """Move controls, named by their labels, to values, named by their texts.

    Raises: LookupError for a label or a text that is not on the screen.
    """
    labels = {control.label: control for control in panel.controls.values()}
    if unknown := settings.keys() - labels.keys():
        raise LookupError(f"no control is labelled {', '.join(sorted(unknown))}; there are {', '.join(labels)}")
    return panel.set(
        **{labels[label].name: value_of(labels[label], text, panel.values) for label, text in settings.items()}
    )


def value_of(control: Control, text: str, values: Mapping[str, Any]) -> Any:
    """The value that a control shows as `text`; `values`: those that all controls have now.

    >>> value_of(Slider(name="bits", label="Bits", values=[2, 4, 8]), "4", {})
    4
    >>> value_of(Train(), "press", {})
    True
    """
    if isinstance(control, Text):
        return text
    if isinstance(control, Button):
        shown: dict[str, Any] = {"press": values[control.name] + 1}
    elif isinstance(control, Train):
        shown = {"press": True}
    elif isinstance(control, Toggle):
        shown = {"on": True, "off": False}
    elif isinstance(control, Choice):
        shown = control.options
    elif isinstance(control, Slider):
        shown = dict(zip(control.spec()["texts"], control.values, strict=True))
    else:
        raise TypeError(f"the kit cannot move a {type(control).__name__}; add what it shows to value_of")
    if text not in shown:
        raise LookupError(f"{control.label!r} never shows {text!r}; it shows {', '.join(shown)}")
    return shown[text]


def failures(stage: Stage, title: str, entry: Misconception | Question) -> list[str]:
    """Move the panel through all steps of an entry; a sentence for each thing that it does not show as claimed."""
    panel = stage.panel(entry.panel)
    problems = [] if panel._title == title else [f"{entry.panel} is titled {panel._title!r}, not {title!r}"]
    before = None
    for step in entry.steps:
        move(panel, step.settings)
        holds = step.holds(panel) and (before is None or step.compared(panel.result, before))
        before = panel.result
        if not holds:
            problems.append(
                f"{entry.panel} at {dict(step.settings)} does not show: {step.observation!r}; it says {panel.words!r}"
            )
    return problems
