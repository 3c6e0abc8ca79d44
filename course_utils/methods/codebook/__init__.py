"""Weight sharing: each weight becomes one of k values (Han, Mao, Dally 2015, arXiv:1510.00149; lecture, section 07)."""

from course_utils.methods.codebook.kmeans import Codebook, fit_codebook
from course_utils.methods.codebook.sharing import (
    centroid_gradient,
    check_shareable,
    cluster_weights_,
    share_weights,
    unshare_weights,
)

__all__ = [
    "Codebook",
    "centroid_gradient",
    "check_shareable",
    "cluster_weights_",
    "fit_codebook",
    "share_weights",
    "unshare_weights",
]
