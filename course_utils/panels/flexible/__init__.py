"""The panels of notebook 09, flexible activation functions."""

from course_utils.panels.flexible.comparison import Comparison, comparison, size_against_accuracy
from course_utils.panels.flexible.kaf import kaf
from course_utils.panels.flexible.maxout import maxout
from course_utils.panels.flexible.neurons import neurons
from course_utils.panels.flexible.parametric import parametric
from course_utils.panels.flexible.piecewise import piecewise

__all__ = ["Comparison", "comparison", "kaf", "maxout", "neurons", "parametric", "piecewise", "size_against_accuracy"]
