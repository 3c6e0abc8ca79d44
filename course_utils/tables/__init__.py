"""The lecture's tables, measured again: one module per table, `course table NAME` runs it.

A table's module has `run(bench)`, which yields the lines to print. What it measures goes through `Workbench.measure`,
which keeps each result in a folder: a run that was killed goes on from there, and nothing is measured twice.
"""

import importlib
import pkgutil
from types import ModuleType

__all__ = ["table", "tables"]

TOOLS = ("workbench", "published")  # modules that are no tables


def tables() -> list[str]:
    """The names of all tables.

    >>> "deep-compression" in tables()
    True
    """
    return [module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if module.name not in TOOLS]


def table(name: str) -> ModuleType:
    """The module of a table.

    Raises: ValueError for a name that is none.
    """
    if name not in tables():
        raise ValueError(f"no table is called {name!r}; there are {', '.join(tables())}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
