"""The panel of notebook 10: every method of the course on one network."""

from course_utils.experiments.closing.methods import Made, Methods, course_of, make
from course_utils.panels.closing.everything import everything

__all__ = ["Made", "Methods", "course_of", "everything", "make"]
