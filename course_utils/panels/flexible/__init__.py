"""The panels of notebook 09, flexible activation functions."""

from course_utils.experiments.flexible.activations import Comparison, comparison
from course_utils.panels.flexible.kaf import kaf
from course_utils.panels.flexible.maxout import maxout
from course_utils.panels.flexible.neurons import neurons
from course_utils.panels.flexible.parametric import parametric
from course_utils.panels.flexible.piecewise import piecewise
from course_utils.panels.flexible.size_against_accuracy import size_against_accuracy

__all__ = ["Comparison", "comparison", "kaf", "maxout", "neurons", "parametric", "piecewise", "size_against_accuracy"]
