"""The lecture's tables, measured again: one module per table, `course table NAME` runs it.

A table's module has a TITLE, the SECTION (notebook) that teaches it, the number of SEEDS of the full level, and
`run(bench)`, which yields one `Section` after the other. What it measures goes through the `Workbench`, which keeps
each result with where it came from: a run that was killed goes on from there, and nothing is measured twice.
"""

import importlib
from types import ModuleType

__all__ = ["table", "tables"]

# In the order of the lecture.
TABLES = (
    "random-labels",
    "predict-parameters",
    "federated",
    "group-sparse",
    "quantized",
    "low-precision",
    "binary",
    "deep-compression",
    "distillation",
    "activations",
)


def tables() -> list[str]:
    """The names of all tables, in the order of the lecture.

    >>> "deep-compression" in tables()
    True
    """
    return list(TABLES)


def table(name: str) -> ModuleType:
    """The module of a table.

    Raises: ValueError for a name that is none.
    """
    if name not in tables():
        raise ValueError(f"no table is called {name!r}; there are {', '.join(tables())}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
