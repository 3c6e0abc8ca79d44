"""The panels of notebook 03: do we need all these parameters?"""

from course_utils.panels.parameters.clients import federated
from course_utils.panels.parameters.corrupted import CorruptedPath, corrupted, corrupted_path
from course_utils.panels.parameters.predicted import PredictedPath, predicted, predicted_path
from course_utils.panels.parameters.zoo import Network, networks, zoo

__all__ = [
    "CorruptedPath",
    "Network",
    "PredictedPath",
    "corrupted",
    "corrupted_path",
    "federated",
    "networks",
    "predicted",
    "predicted_path",
    "zoo",
]
