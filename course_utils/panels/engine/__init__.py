"""The engine of the panels: controls, a pure function of their values, and a function that draws its result.

widget     Panel, which ties the three together and answers the browser
plain      panel(), which makes one of a plain plotting function
live       computations that show results on their way, beside the kernel's other work
controls   Slider, Choice, Toggle, Train, Text, Button: a name, a label, and the values that are allowed
sheet      the figure, whose rows break where the page is narrow
fitting    words that find their room in the picture
canvas     the picture as pixels, and what of it has changed since the last one
lettering  texts and legends that stay as they are, painted once
typed      functions of s that a reader types
"""

from course_utils.panels.engine.controls import Button, Choice, Control, Slider, Text, Toggle, Train
from course_utils.panels.engine.plain import panel
from course_utils.panels.engine.sheet import Sheet
from course_utils.panels.engine.widget import Draw, Panel, Show, error_report, on_move, waiting

__all__ = [
    "Button",
    "Choice",
    "Control",
    "Draw",
    "Panel",
    "Sheet",
    "Show",
    "Slider",
    "Text",
    "Toggle",
    "Train",
    "error_report",
    "on_move",
    "panel",
    "waiting",
]
