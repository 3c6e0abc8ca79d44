"""The engine of the panels: controls, a pure function of their values, and a function that draws its result."""

from course_utils.panels.engine.controls import Button, Choice, Control, Slider, Text, Toggle
from course_utils.panels.engine.panel import Draw, Panel, Show, describe, on_move, waiting

__all__ = [
    "Button",
    "Choice",
    "Control",
    "Draw",
    "Panel",
    "Show",
    "Slider",
    "Text",
    "Toggle",
    "describe",
    "on_move",
    "waiting",
]
