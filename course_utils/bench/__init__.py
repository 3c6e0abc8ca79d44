"""Benchmarks: one module for each claim about speed, named as the claim; `course bench` prints one table of all.

A claim's module has `run(device)`, which measures it together with a baseline in the same process and returns rows: the
measurement, the baseline, their ratio (None where there is none), and the bar that the claim has to meet. `about`,
`browser`, `memory`, `pixels` and `timing` are tools. A claim whose packages are not installed is not measured, and
says so.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["NOT_MEASURED", "claims", "table"]

NOT_MEASURED = "  not measured: "  # how the line of a claim begins that cannot run on this machine
TOOLS = ("about", "browser", "memory", "pixels", "timing")  # modules that are no claims


def claims() -> list[str]:
    """The names of all claims.

    >>> "fit_many_beats_one_by_one" in claims()
    True
    """
    return [module.name for module in pkgutil.iter_modules(__path__) if module.name not in TOOLS]


def table(names: Sequence[str], device: str) -> Iterator[str]:
    """The lines of the table, those of a claim once it is measured; one that cannot run on this machine says why."""
    yield f"{'claim':64} {'measured':>11} {'baseline':>11} {'ratio':>8}  bar"
    for name in names:
        yield f"{name.replace('_', ' ')} ({device})"
        try:
            rows = importlib.import_module(f"{__name__}.{name}").run(device)
        except (ImportError, RuntimeError, ValueError) as error:
            yield f"{NOT_MEASURED}{error}"
            continue
        for row in rows:
            numbers = f"{number(row['measured'])} {number(row['baseline'])} {number(row['ratio'], 8)}"
            yield f"  {row['claim']:62} {numbers}  {row['bar']}"


def number(value: Any, width: int = 11) -> str:
    """A number in four digits, right-aligned; a dash for None.

    >>> number(1234.5), number(0.03125, 8), number(None, 3)
    ('       1234', ' 0.03125', '  –')
    """
    if value is None:
        return "–".rjust(width)
    return f"{value:{width}.0f}" if abs(value) >= 1000 else f"{value:{width}.4g}"
