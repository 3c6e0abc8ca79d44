"""The panels of notebook 08, distilling the knowledge."""

from course_utils.experiments.distilling.teacher import teacher
from course_utils.panels.distilling.left_out import left_out
from course_utils.panels.distilling.live import live_training
from course_utils.panels.distilling.temperature import softened

__all__ = ["left_out", "live_training", "softened", "teacher"]
