"""Training: `fit` trains a network, `evaluate` tests it, `fit_epochs` shows each epoch.

`ensemble` trains many networks at once, `sweep` runs a grid of settings that survives a stop, `memorize` and
`federated` are two experiments of the lecture; `checkpoint`, `not_finite` and `out_of_memory` are what `loop` does
when things break.
"""

from course_utils.train.history import Epoch, History
from course_utils.train.loop import Metrics, Training, batches, evaluate, fit, fit_epochs, pick_device
from course_utils.train.settings import Settings

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
