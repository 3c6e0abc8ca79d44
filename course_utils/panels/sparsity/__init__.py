"""The panels of notebook 04, sparse and group-sparse penalties."""

from course_utils.panels.sparsity.gallery import gallery
from course_utils.panels.sparsity.geometry import geometry
from course_utils.panels.sparsity.live import live_training
from course_utils.panels.sparsity.path import LambdaPath, lambda_path
from course_utils.panels.sparsity.shrinkage import shrinkage
from course_utils.panels.sparsity.weights import group_lasso

__all__ = ["LambdaPath", "gallery", "geometry", "group_lasso", "lambda_path", "live_training", "shrinkage"]
