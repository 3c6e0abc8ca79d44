"""The proximal steps of the penalties: soft threshold, shrinkage, block soft threshold.

What holds for all of them is in the docstring of the package.
"""

import torch
from torch import Tensor

from course_utils.methods.penalties.arguments import Dims, Number, factor, group_shape, widened

__all__ = ["prox_elastic_net", "prox_group", "prox_l1", "prox_l2", "prox_sparse_group"]


def _soft(w: Tensor, step: Tensor) -> Tensor:
    return w - w.clamp(-step, step)  # w - w is +0, where sign(w) * 0 is -0 for a negative weight


def _shrink(w: Tensor, step: Tensor, dims: tuple[int, ...]) -> Tensor:
    norm = torch.linalg.vector_norm(w, dim=dims, keepdim=True).clamp(min=torch.finfo(w.dtype).tiny)  # no 0 / 0
    return w * (1 - step / norm).clamp(min=0) + 0.0  # -0 + 0 is +0


def prox_l1(w: Tensor, *, step: Number) -> Tensor:
    """Soft threshold, sign(w) max(|w| - step, 0): the proximal step of l1 (Beck, Teboulle 2009; lecture, (7)).

    `w`: any shape. Returns a new tensor shaped like w. ValueError: a negative step.

    >>> prox_l1(torch.tensor([3.0, -0.5]), step=1.0)
    tensor([2., 0.])
    """
    wide = widened(w)
    return _soft(wide, factor("step", step, wide, w.shape)).to(w.dtype)


def prox_l2(w: Tensor, *, step: Number) -> Tensor:
    """Shrinkage, w / (1 + 2 step): the proximal step of l2, which makes no zeros (lecture, (5)).

    `w`: any shape. Returns a new tensor shaped like w. ValueError: a negative step. Parikh, Boyd 2014.

    >>> prox_l2(torch.tensor([3.0, -0.5]), step=1.0)
    tensor([ 1.0000, -0.1667])
    """
    wide = widened(w)
    return (wide / (1 + 2 * factor("step", step, wide, w.shape))).to(w.dtype)


def prox_elastic_net(w: Tensor, *, step: Number, l1_ratio: Number) -> Tensor:
    """Soft threshold by r step, then division by 1 + 2 (1 - r) step (Zou, Hastie 2005; lecture, (5) and (7)).

    `w`: any shape. Returns a new tensor shaped like w. ValueError: a negative step, l1_ratio outside [0, 1].

    >>> prox_elastic_net(torch.tensor([3.0, -0.5]), step=1.0, l1_ratio=0.5)
    tensor([1.2500, 0.0000])
    """
    wide = widened(w)
    t, r = factor("step", step, wide, w.shape), factor("l1_ratio", l1_ratio, wide, w.shape, 1.0)
    return (_soft(wide, r * t) / (1 + 2 * (1 - r) * t)).to(w.dtype)


def prox_group(w: Tensor, *, step: Number, dim: Dims) -> Tensor:
    """Block soft threshold, g max(1 - step sqrt(|g|) / ||g||_2, 0) for each group g (Yuan, Lin 2006; lecture, (9)).

    `w`, `dim`: as in `group`. Returns a new tensor shaped like w. ValueError: a negative step, one that differs within
    a group, a wrong `dim`.

    >>> prox_group(torch.tensor([[3.0, 0.1], [4.0, 0.1]]), step=1.0, dim=0)
    tensor([[2.1515, 0.0000],
            [2.8686, 0.0000]])
    """
    wide = widened(w)
    dims, root, shape = group_shape(wide, dim)
    return _shrink(wide, root * factor("step", step, wide, shape), dims).to(w.dtype)


def prox_sparse_group(w: Tensor, *, step: Number, dim: Dims, l1_ratio: Number) -> Tensor:
    """Soft threshold by r step, then block soft threshold by (1 - r) step; in the other order it is not proximal.

    `w`, `dim`: as in `group`. Returns a new tensor shaped like w. ValueError: as `prox_group`, or l1_ratio outside
    [0, 1]. Friedman, Hastie, Tibshirani 2010, arXiv:1001.0736; lecture, (9).

    >>> prox_sparse_group(torch.tensor([[3.0, 1.0], [0.1, 1.0]]), step=0.8, dim=0, l1_ratio=0.5)
    tensor([[2.0343, 0.2000],
            [0.0000, 0.2000]])
    """
    wide = widened(w)
    dims, root, shape = group_shape(wide, dim)
    t, r = factor("step", step, wide, shape), factor("l1_ratio", l1_ratio, wide, shape, 1.0)
    return _shrink(_soft(wide, r * t), (1 - r) * t * root, dims).to(w.dtype)
