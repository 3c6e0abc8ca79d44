"""The lecture's tables, measured again: one module per table, and `course table NAME` runs it.

A table's module has a TITLE, the SECTION (notebook) that teaches it, SEEDS, the number of seeds of the full level
(`grep SEEDS *.py`), and `run(bench)`, which yields one `Section` after another. Beside the ten tables lie
`published` (the numbers that others printed), `run` (from a table's name to its files) and two packages:
`workbench` (what a table is measured with: a run that was killed goes on, and nothing is measured twice) and
`measured` (what was measured, as one JSON file for each table, and how it is shown: `measured("binary")`).
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

    Raises: ValueError for an unknown name.
    """
    if name not in tables():
        raise ValueError(f"no table is called {name!r}; there are {', '.join(tables())}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
