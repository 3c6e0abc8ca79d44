"""Live panels: controls, a pure function of their values, and a `show` that draws its result.

The text under a panel is what the function `describe` of its module returns.

`engine` holds the `Panel` itself, `legends` what several of them need; every other folder has the panels of one
notebook. What they train lies below them, in `course_utils.experiments`.
"""

from course_utils._support.extras import require

require("matplotlib", "anywidget", "IPython")
