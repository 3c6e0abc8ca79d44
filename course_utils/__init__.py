"""Compression of deep neural networks: the methods of a lecture, and the course that teaches them.

From bottom to top: `_support` (general helpers), `methods` and `coding` (one method, one coder each), `data`, `models`
and `plots`, `train`, `compress` (from a network to one small file and back), `tables` (the lecture's numbers, measured
again), `experiments` and `panels` (what a notebook shows under sliders), `course`, `exercises`, `publish` (pages,
slides, the lecturer's kit), `bench`, `cli`.

The names below are what a notebook or an engineer starts with; each is loaded when it is first used:

>>> from course_utils import fit, load_dataset, mlp
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_utils.compress import CompressedModel, Recipe
    from course_utils.data import load_dataset
    from course_utils.models import mlp
    from course_utils.panels.engine import Panel, panel
    from course_utils.tables.measured import measured
    from course_utils.train import evaluate, fit

# `compress` is not among them, since a package has that name: from course_utils.compress import compress.
__all__ = ["CompressedModel", "Panel", "Recipe", "evaluate", "fit", "load_dataset", "measured", "mlp", "panel"]

_PLACES = {
    "CompressedModel": "compress",
    "Panel": "panels.engine",
    "Recipe": "compress",
    "evaluate": "train",
    "fit": "train",
    "load_dataset": "data",
    "measured": "tables.measured",
    "mlp": "models",
    "panel": "panels.engine",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("course-utils")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
