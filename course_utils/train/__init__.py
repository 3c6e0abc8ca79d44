"""Training: `fit` trains a network, `evaluate` tests it, `fit_epochs` shows each epoch.

`loop` has fit, `training` the step and the epoch, `batches` what a step sees, `settings` what decides the result,
`history` what each epoch reached, `evaluation` the test, `device` where it all runs.
`ensemble` trains many networks at once (`stacked`: their parameters as one tensor), `sweep` runs a grid of settings
that survives a stop, `memorize` and `federated` are two experiments of the lecture. `checkpoint`, `not_finite` and
`out_of_memory` are what a training does when things break.
"""

from course_utils.train.batches import batches
from course_utils.train.device import pick_device
from course_utils.train.evaluation import Metrics, evaluate
from course_utils.train.history import Epoch, History
from course_utils.train.loop import fit, fit_epochs
from course_utils.train.settings import Settings
from course_utils.train.training import Training

__all__ = [
    "Epoch",
    "History",
    "Metrics",
    "Settings",
    "Training",
    "batches",
    "evaluate",
    "fit",
    "fit_epochs",
    "pick_device",
]
