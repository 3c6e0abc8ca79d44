"""What the tests of panels share."""

import numpy as np

from course_utils.panels.engine import Panel


def visit(panel: Panel, **fixed: object) -> list[str]:
    """Move every control to its ends and its middle, one at a time, and return the words of each state.

    `fixed`: values that the other controls have meanwhile.
    """
    sentences = []
    for control in panel.controls.values():
        for value in control.probe():
            words = panel.set(**(fixed | {control.name: value})).words
            assert words
            assert panel.error is None
            sentences.append(words)
        panel.reset()
    assert panel.png()[:4] == b"\x89PNG"
    return sentences


def line(panel: Panel, axes: int, label: str) -> np.ndarray:
    """The points of the line with this label."""
    return next(np.array(x.get_xydata()) for x in panel.figure.axes[axes].lines if x.get_label() == label)
