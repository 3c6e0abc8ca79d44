"""The panel of notebook 10: every method of the course on one network."""

from course_utils.experiments.closing.methods import CompressedNetwork, Methods, make, reference_networks
from course_utils.panels.closing.everything import everything

__all__ = ["CompressedNetwork", "Methods", "everything", "make", "reference_networks"]
