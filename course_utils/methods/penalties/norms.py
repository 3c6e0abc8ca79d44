"""The penalties of a tensor: l1, l2, elastic net, group lasso, sparse group lasso (lecture, (5) to (9)).

What holds for all of them is in the docstring of the package.
"""

import torch
from torch import Tensor

from course_utils.methods.penalties.arguments import Dims, Number, factor, group_shape, widened

__all__ = ["elastic_net", "group", "l1", "l2", "sparse_group"]


def l1(w: Tensor) -> Tensor:
    """Sum of magnitudes, sum_i |w_i|; its gradient is sign(w) (Tibshirani 1996; lecture, (7) and (8)).

    `w`: any shape. Returns a 0-d tensor.

    >>> l1(torch.tensor([3.0, -4.0]))
    tensor(7.)
    """
    return widened(w).abs().sum().to(w.dtype)


def l2(w: Tensor) -> Tensor:
    """Squared norm, sum_i w_i^2; its gradient is 2 w (weight decay: Krogh, Hertz 1991; lecture, (5) and (6)).

    `w`: any shape. Returns a 0-d tensor. lam * l2(w) is torch's weight_decay = 2 * lam.

    >>> l2(torch.tensor([3.0, -4.0]))
    tensor(25.)
    """
    return widened(w).square().sum().to(w.dtype)


def elastic_net(w: Tensor, *, l1_ratio: Number) -> Tensor:
    """Mix of both, r l1(w) + (1 - r) l2(w) with r = l1_ratio (Zou, Hastie 2005; lecture, (5) and (7)).

    `w`: any shape. Returns a 0-d tensor. ValueError: l1_ratio outside [0, 1].

    >>> elastic_net(torch.tensor([3.0, -4.0]), l1_ratio=0.5)
    tensor(16.)
    """
    wide = widened(w)
    return _mix(l1_ratio, l1(wide), l2(wide)).to(w.dtype)


def group(w: Tensor, *, dim: Dims) -> Tensor:
    """Group lasso, sum_g sqrt(|g|) ||g||_2 (Yuan, Lin 2006; Scardapane et al. 2017, arXiv:1607.00485; lecture, (9)).

    `w`: any shape; each group runs along `dim` and |g| is the product of their sizes. Returns a 0-d tensor. Groups of
    one entry give l1. ValueError: `dim` is empty, repeated or out of range.

    >>> group(torch.tensor([[3.0, 0.0], [4.0, 0.0]]), dim=0)  # sqrt(2) * 5
    tensor(7.0711)
    """
    wide = widened(w)
    dims, root, _ = group_shape(wide, dim)
    # vector_norm, since sqrt(sum of squares) has the gradient NaN at 0.
    return (root * torch.linalg.vector_norm(wide, dim=dims).sum()).to(w.dtype)


def sparse_group(w: Tensor, *, dim: Dims, l1_ratio: Number) -> Tensor:
    """Sparse group lasso, r l1(w) + (1 - r) group(w) (Friedman, Hastie, Tibshirani 2010, arXiv:1001.0736; lecture (9)).

    `w`, `dim`: as in `group`. Returns a 0-d tensor. ValueError: a wrong `dim`, l1_ratio outside [0, 1].

    >>> sparse_group(torch.tensor([[3.0, 0.0], [4.0, 0.0]]), dim=0, l1_ratio=0.5)  # (7 + 7.0711) / 2
    tensor(7.0355)
    """
    wide = widened(w)
    return _mix(l1_ratio, l1(wide), group(wide, dim=dim)).to(w.dtype)


def _mix(l1_ratio: Number, first: Tensor, second: Tensor) -> Tensor:
    r = factor("l1_ratio", l1_ratio, first, (), 1.0)
    if isinstance(l1_ratio, Tensor) or 0.0 < l1_ratio < 1.0:
        return r * first + (1 - r) * second
    return first if l1_ratio else second  # 0 * inf is never formed
