"""The panels of notebook 04, sparse and group-sparse penalties."""

from course_utils.experiments.sparsity.lambda_path import LambdaPath, lambda_path
from course_utils.panels.sparsity.gallery import gallery
from course_utils.panels.sparsity.geometry import geometry
from course_utils.panels.sparsity.group_lasso import group_lasso
from course_utils.panels.sparsity.live_training import live_training
from course_utils.panels.sparsity.shrinkage import shrinkage

__all__ = ["LambdaPath", "gallery", "geometry", "group_lasso", "lambda_path", "live_training", "shrinkage"]
