"""The panels of notebook 01, building and optimizing a neural network."""

from course_utils.panels.building.backpropagation import backpropagation
from course_utils.panels.building.boundary import boundary
from course_utils.panels.building.descent import descent
from course_utils.panels.building.filters import filters
from course_utils.panels.building.sliding_kernel import sliding_kernel
from course_utils.panels.building.sum_of_relus import sum_of_relus

__all__ = ["backpropagation", "boundary", "descent", "filters", "sliding_kernel", "sum_of_relus"]
