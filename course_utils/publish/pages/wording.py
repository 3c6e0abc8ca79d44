"""Sentences of an exported page on what it holds, and errors without the paths of the machine that made it."""

import re
from collections.abc import Sequence
from typing import Any

from course_utils.panels.engine import Button, Control, Text
from course_utils.publish.pages.grid import Grid, all_settings

__all__ = ["coverage", "plain_error", "resting"]

PLACE = re.compile(r'File "(?:[^"]*[\\/])?((?:site-packages|course_utils|lib[\\/]python[\d.]*)[\\/][^"]*)"')
CELL = re.compile(r'(?:File "[^"]*ipy(?:thon-input|kernel)[^"]*"|Cell In ?\[?\d*\]?)')


def coverage(grid: Grid, controls: Sequence[Control]) -> str:
    """A sentence on how many settings of a panel a page holds."""
    total = all_settings(controls)
    counted = [i for i, control in enumerate(controls) if not isinstance(control, (Button, Text))]
    held = len({tuple(setting[i] for i in counted) for setting in grid.settings()})
    if held < total:
        return f"This page holds {held:,} of {total:,} settings; the notebook computes all of them."
    return f"This page holds all {total:,} settings." if total > 1 else "This page holds the panel as it starts."


def resting(controls: Sequence[Control]) -> dict[str, str]:
    """The controls that cannot work in a page, and why."""
    why = "A page cannot compute what you type; the notebook does."
    return {c.name: why for c in controls if isinstance(c, Text)}


def plain_error(problem: dict[str, str] | None) -> dict[str, str] | None:
    """An error as `error_report` gives it, without paths of the machine and numbers of the run.

    >>> plain_error({"message": "ValueError: no", "traceback": 'File "/home/a/course_utils/data/", line 3, in f'})
    {'message': 'ValueError: no', 'traceback': 'File "course_utils/data/", line 3, in f'}
    """
    if problem is None:
        return None
    return {key: _plain(text) for key, text in problem.items()}


def _plain(text: Any) -> str:
    return CELL.sub('File "notebook"', PLACE.sub(r'File "\1"', text))
