"""Semi-structured sparsity: of each m neighbouring weights n stay, such as 2 of 4.

Hardware multiplies such matrices faster, since the positions in a group take few bits and all groups have equally many
(Mishra et al. 2021, arXiv:2104.08378; Zhou et al. 2021, arXiv:2102.04010).
"""

import torch
from torch import Tensor

from course_utils._support.check import floating, in_range

__all__ = ["n_of_m_mask"]


def n_of_m_mask(w: Tensor, *, n: int = 2, m: int = 4, axis: int = -1) -> Tensor:
    """Which weights stay: a boolean tensor like w, with exactly n of each m neighbours along `axis`.

    `w`: any shape, for torch.sparse a Linear weight (out, in) with the groups along its inputs. The largest magnitudes
    stay, and among equals the last, as in `magnitude_mask`; NaN counts as infinitely large. The pattern is that of
    torch.sparse.to_sparse_semi_structured, and where no magnitudes are equal the mask is that of
    torch.ao.pruning.WeightNormSparsifier with sparse_block_shape=(1, m) and zeros_per_block=m - n.

    Raises: TypeError if w is not a floating tensor; ValueError for n outside 0 to m, or a length along `axis` that is
    no multiple of m.

    >>> n_of_m_mask(torch.tensor([[0.1, -2.0, 0.5, -0.3]]))
    tensor([[False,  True,  True, False]])
    """
    magnitude = floating("w", w).detach().abs()
    in_range("m", m, 1, float("inf"))
    in_range("n", n, 0, m)
    if w.ndim == 0 or not -w.ndim <= axis < w.ndim or w.shape[axis] % m:
        raise ValueError(
            f"w must have a multiple of {m} weights along dimension {axis}, got shape {tuple(w.shape)}; "
            "pad it with zeros, or choose another axis"
        )
    magnitude = torch.where(magnitude.isnan(), torch.inf, magnitude).movedim(axis, -1)
    groups = magnitude.unflatten(-1, (-1, m))
    removed = groups.argsort(dim=-1, stable=True)[..., : m - n]
    mask = torch.ones_like(groups, dtype=torch.bool).scatter(-1, removed, False)
    return mask.flatten(-2).movedim(-1, axis)
