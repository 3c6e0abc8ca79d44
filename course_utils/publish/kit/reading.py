"""What a panel says, read as the class reads it: in the line of words below the picture."""

import re

from course_utils.panels.engine import Panel

__all__ = ["number_in", "says"]

NUMBER = r"(−?[\d,]*\.?\d+)"


def says(panel: Panel, *texts: str) -> bool:
    """Whether the words of the panel contain each of the texts."""
    return all(text in panel.words for text in texts)


def number_in(panel: Panel, text: str) -> float:
    """The number in the words of the panel that stands where `text` has a ``#``.

    Raises: LookupError if the words hold no such text.
    """
    match = re.search(re.escape(text).replace(r"\#", NUMBER), panel.words)
    if match is None:
        raise LookupError(f"the panel does not say {text!r}, but {panel.words!r}")
    return float(match[1].replace("−", "-").replace(",", ""))
