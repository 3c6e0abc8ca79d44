"""What a panel says, read as the class reads it: from its line of words."""

import re

from course_utils.panels.engine import Panel

__all__ = ["said", "says"]

NUMBER = r"(−?[\d,]*\.?\d+)"


def says(panel: Panel, *texts: str) -> bool:
    """Whether each of the texts stands in the words of the panel."""
    return all(text in panel.words for text in texts)


def said(panel: Panel, text: str) -> float:
    """The number in the words of the panel that stands where `text` has a ``#``.

    Raises: LookupError if the words hold no such text.
    """
    found = re.search(re.escape(text).replace(r"\#", NUMBER), panel.words)
    if found is None:
        raise LookupError(f"the panel does not say {text!r}, but {panel.words!r}")
    return float(found[1].replace("−", "-").replace(",", ""))
