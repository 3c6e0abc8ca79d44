"""The panels of notebook 01, building and optimizing a neural network."""

from course_utils.panels.building.approximation import sum_of_relus
from course_utils.panels.building.backprop import backpropagation
from course_utils.panels.building.boundary import boundary
from course_utils.panels.building.descent import descent
from course_utils.panels.building.filters import filters
from course_utils.panels.building.sliding import sliding_kernel

__all__ = ["backpropagation", "boundary", "descent", "filters", "sliding_kernel", "sum_of_relus"]
