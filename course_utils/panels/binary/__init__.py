"""The panels of notebook 06, binary networks."""

from course_utils.experiments.binary.regularizers import Noises, noises
from course_utils.panels.binary.annealing import annealing
from course_utils.panels.binary.features import features
from course_utils.panels.binary.live import live_training
from course_utils.panels.binary.rules import rounding_rules
from course_utils.panels.binary.ternary import ternary
from course_utils.panels.binary.xnor import xnor

__all__ = ["Noises", "annealing", "features", "live_training", "noises", "rounding_rules", "ternary", "xnor"]
