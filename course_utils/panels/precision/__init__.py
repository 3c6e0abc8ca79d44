"""The panels of notebook 05, limited-precision arithmetic."""

from course_utils.panels.precision.formats import one_number
from course_utils.panels.precision.graph import relu_graph
from course_utils.panels.precision.levels import levels
from course_utils.panels.precision.sensitivity import sensitivity
from course_utils.panels.precision.training import low_precision_training

__all__ = ["levels", "low_precision_training", "one_number", "relu_graph", "sensitivity"]
