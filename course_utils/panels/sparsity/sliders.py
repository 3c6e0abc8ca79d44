"""The sliders of the panels that walk along a path of lambdas."""

from course_utils.experiments.sparsity.lambda_path import LambdaPath
from course_utils.panels.engine import Slider

__all__ = ["lam_slider", "threshold_slider"]

THRESHOLDS = [0.0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3]
START = 1e-3


def lam_slider(path: LambdaPath) -> Slider:
    """A slider over the lambdas that were trained."""
    lam = path.lams[path.index(START)]
    return Slider(name="lam", label="λ, strength of the penalty", values=path.lams, value=lam)


def threshold_slider() -> Slider:
    """A slider over the magnitude up to which a weight counts as zero."""
    texts = ["0 (exact zeros)", *(f"{t:g}" for t in THRESHOLDS[1:])]
    return Slider(name="threshold", label="Threshold for |w|", values=THRESHOLDS, value=0.0, texts=texts)
