"""The panels of notebook 03: do we need all these parameters?"""

from course_utils.experiments.parameters.corrupted import CorruptedPath, corrupted_path
from course_utils.experiments.parameters.predicted import PredictedPath, predicted_path
from course_utils.panels.parameters.corrupted import corrupted
from course_utils.panels.parameters.federated import federated
from course_utils.panels.parameters.predicted import predicted
from course_utils.panels.parameters.zoo import zoo

__all__ = [
    "CorruptedPath",
    "PredictedPath",
    "corrupted",
    "corrupted_path",
    "federated",
    "predicted",
    "predicted_path",
    "zoo",
]
