"""All panels of the course: each function of a panel module that returns a Panel.

A panel that works on data gets few rows, so that its networks train in a moment; its results are then poor, but it is
drawn in the same way.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from course_utils import panels
from course_utils.data import Dataset
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.engine import Choice, Panel, Toggle

__all__ = ["FUNCTIONS", "made", "states"]


def functions() -> dict[str, Callable[..., Panel]]:
    """Each function that makes a panel, by its module and its name as a notebook calls it."""
    makers = {}
    for info in pkgutil.iter_modules(panels.__path__):
        if info.ispkg and info.name != "engine":
            module = importlib.import_module(f"course_utils.panels.{info.name}")
            for name in getattr(module, "__all__", []):
                function = getattr(module, name)
                if inspect.isfunction(function) and function.__annotations__.get("return") is Panel:
                    makers[f"{info.name}.{name}"] = function
    return makers


FUNCTIONS = functions()


@cache
def few_rows() -> Dataset:
    return lesson_data("digits").subset(200)


@cache
def miniatures() -> dict[str, Any]:
    """The networks of notebook 02, which several of its panels show."""
    from course_utils.panels import applications

    data = few_rows()
    return {
        "classified": applications.classifiers(data),
        "captioned": applications.spellers(data),
        "translated": applications.translators(data),
    }


def arguments(name: str) -> dict[str, Any]:
    """What a panel is made with: few rows where it takes data, and less than usual where that is not enough."""
    from course_utils.panels import binary, closing, flexible, storage
    from course_utils.panels.closing import Methods

    data = few_rows()
    match name:
        case "applications.captions":
            return {"data": miniatures()["captioned"]}
        case "applications.classification":
            return {"data": miniatures()["classified"]}
        case "applications.giants":
            return {"data": data, **miniatures()}
        case "applications.translation":
            return {"data": miniatures()["translated"]}
        case "binary.features":
            return {"data": binary.noises(data, epochs=1, hidden=32)}
        case "flexible.size_against_accuracy":
            return {"data": flexible.comparison(data.subset(60))}
        case "parameters.corrupted":
            return {"data": data.subset(60)}
        case "storage.pruning":
            return {"data": storage.pruning_path(data, epochs=1)}
        case "sparsity.gallery" | "sparsity.group_lasso":
            return {"data": lambdas()}
        case "closing.everything":
            methods = [Methods(), Methods(coder=True, quantize=True), Methods(coder=True, binary=True)]
            return {"data": data, "networks": [closing.make(data, chosen) for chosen in methods]}
    return {"data": data} if "data" in inspect.signature(FUNCTIONS[name]).parameters else {}


@cache
def lambdas() -> Any:
    from course_utils.panels import sparsity

    return sparsity.lambda_path(few_rows())


@cache
def made(name: str) -> Panel:
    """The panel of this name; the same one at each call, so it is to be left at its start."""
    return FUNCTIONS[name](**arguments(name))


def states(panel: Panel, *, train: bool) -> Iterator[dict[str, Any]]:
    """The panel at its start, and at each option of its lists and each position of its switches, one at a time.

    A panel that trains: at its start, and with `train` after a training too; one for each option would take minutes.
    """
    yield {}
    if panel.trains:
        switches = [control for control in panel.controls.values() if isinstance(control, Toggle)][: int(train)]
    else:
        switches = [control for control in panel.controls.values() if isinstance(control, (Choice, Toggle))]
    for control in switches:
        for value in control.probe():
            if value != control.value:
                yield {control.name: value}
