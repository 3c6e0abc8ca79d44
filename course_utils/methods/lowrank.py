"""Low rank: a weight matrix as the product of two thin ones, by the singular value decomposition (SVD).

The best approximation of rank r in the Frobenius and in the spectral norm keeps the r largest singular values (Eckart,
Young 1936). It saves weights where r (outputs + inputs) < outputs * inputs. Figure 6 of Deep Compression (Han, Mao,
Dally 2015, arXiv:1510.00149; lecture, section 07) compares it with pruning and quantization.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_utils._support.check import floating, in_range

__all__ = ["Factors", "low_rank", "low_rank_layer"]


class Factors(NamedTuple):
    """`left` (outputs, r) times `right` (r, inputs)."""

    left: Tensor
    right: Tensor

    def product(self) -> Tensor:
        """The matrix `left` times `right`, (outputs, inputs)."""
        return self.left @ self.right


def low_rank(w: Tensor, *, rank: int) -> Factors:
    """The factors of the best approximation of `w` (outputs, inputs) of rank `rank`, from 0 to min(outputs, inputs).

    w = U S V^T;  left = U_r S_r^(1/2),  right = S_r^(1/2) V_r^T: both get the root of S, so that neither is large.

    Raises: TypeError if w is not a floating tensor; ValueError if it is not a matrix, not finite, or for another rank.

    >>> factors = low_rank(torch.tensor([[2.0, 2.0], [1.0, 1.0]]), rank=1)
    >>> factors.left.shape, torch.allclose(factors.product(), torch.tensor([[2.0, 2.0], [1.0, 1.0]]))
    (torch.Size([2, 1]), True)
    """
    if floating("w", w).ndim != 2:
        raise ValueError(f"w must be a matrix, got shape {tuple(w.shape)}; flatten filters with w.flatten(1)")
    in_range("rank", rank, 0, min(w.shape))
    if not bool(torch.isfinite(w).all()):
        raise ValueError("w must be finite to be decomposed, got NaN or infinity")
    wide = w.float() if w.dtype in (torch.float16, torch.bfloat16) else w
    u, s, vt = torch.linalg.svd(wide, full_matrices=False)
    root = s[:rank].sqrt()
    return Factors((u[:, :rank] * root).to(w.dtype), (root[:, None] * vt[:rank]).to(w.dtype))


@torch.no_grad()
def low_rank_layer(layer: nn.Linear | nn.Conv2d, *, rank: int) -> nn.Sequential:
    """Two layers in place of one: `rank` neurons or filters, then all outputs as linear combinations of them.

    A convolution of outputs x inputs x k x k becomes one of rank x inputs x k x k and one of outputs x rank x 1 x 1.

    Raises: as `low_rank`; TypeError for another kind of layer, ValueError for a grouped convolution.

    >>> [tuple(p.shape) for p in low_rank_layer(nn.Linear(30, 20), rank=2).parameters()]
    [(2, 30), (20, 2), (20,)]
    """
    if not isinstance(layer, (nn.Linear, nn.Conv2d)):
        raise TypeError(f"layer must be nn.Linear or nn.Conv2d, got {type(layer).__name__}")
    factors = low_rank(layer.weight.flatten(1), rank=rank)
    first: Any
    second: Any
    if isinstance(layer, nn.Linear):
        first = nn.Linear(layer.in_features, rank, bias=False)
        second = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    else:
        if layer.groups != 1:
            raise ValueError(f"layer must not be grouped, got groups={layer.groups}")
        geometry: dict[str, Any] = {
            name: getattr(layer, name) for name in ("stride", "padding", "dilation", "padding_mode")
        }
        first = nn.Conv2d(layer.in_channels, rank, layer.kernel_size, bias=False, **geometry)  # type: ignore[arg-type]
        second = nn.Conv2d(rank, layer.out_channels, 1, bias=layer.bias is not None)
    pair = nn.Sequential(first, second).to(layer.weight)
    first.weight.copy_(factors.right.reshape(first.weight.shape))
    second.weight.copy_(factors.left.reshape(second.weight.shape))
    if layer.bias is not None:
        second.bias.copy_(layer.bias)
    return pair
